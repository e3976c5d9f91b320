/* See sysctl.h. */
#include "podnet/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"

int sysctl_set(int netns_fd, const char *path, const char *value, struct err *err)
{
    char full[128];
    NETNS_SCOPE(netns_fd); /* the path is resolved for the caller's namespace */
    snprintf(full, sizeof(full), "/proc/sys/net/%s", path);
    _cleanup_close_ int fd = open(full, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, value, strlen(value)) < 0 ? err_set(err, errno, "write %s", full) : 0;
}

int sysctl_ipv6_at_once(int netns_fd, struct err *err)
{
    return sysctl_set(netns_fd, "ipv6/conf/default/accept_dad", "0", err);
}
