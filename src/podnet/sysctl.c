/* See sysctl.h. */
#include "podnet/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/str.h"

int sysctl_set(int netns_fd, const char *path, const char *value, struct err *err)
{
    char full[128];
    NETNS_SCOPE(netns_fd); /* the path is resolved for the caller's namespace */
    snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
    _cleanup_close_ int fd = open(full, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, value, strlen(value)) < 0 ? err_set(err, errno, "write %s", full) : 0;
}

#define IPV6_CONF "/proc/sys/net/ipv6/conf/"
#define RA_UNLESS_FORWARDING '1'
#define RA_ALWAYS "2"

static char first_char_of(const char *path)
{
    char c = 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &c, 1) == 1 ? c : 0;
}

static void keep_routers_of(const char *ifname)
{
    struct err ignored; /* it is gone again */
    _cleanup_free_ char *forwarding = xasprintf(IPV6_CONF "%s/forwarding", ifname);
    _cleanup_free_ char *accept = xasprintf(IPV6_CONF "%s/accept_ra", ifname);
    _cleanup_free_ char *path = xasprintf("ipv6/conf/%s/accept_ra", ifname);
    if (first_char_of(forwarding) == '0' && first_char_of(accept) == RA_UNLESS_FORWARDING)
        (void)sysctl_set(-1, path, RA_ALWAYS, &ignored);
}

void sysctl_keep_routers(void)
{
    DIR *dir = opendir(IPV6_CONF);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.' && !streq(e->d_name, "all") && !streq(e->d_name, "default"))
            keep_routers_of(e->d_name);
    if (dir)
        closedir(dir);
}

int sysctl_ipv6_at_once_on(int netns_fd, const char *ifname, struct err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "ipv6/conf/%s/accept_dad", ifname);
    return sysctl_set(netns_fd, path, "0", err);
}

int sysctl_ipv6_at_once(int netns_fd, struct err *err)
{
    return sysctl_set(netns_fd, "ipv6/conf/default/accept_dad", "0", err);
}
