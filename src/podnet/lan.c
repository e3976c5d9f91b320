/* See lan.h. */
#include "podnet/lan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/netns.h"
#include "base/nft.h"
#include "base/str.h"
#include "podnet/podnet.h"
#include "podnet/rtnl.h"

#define BRIDGE "c8s0"
#define NETNS_DIR "/run/netns"

static void netns_path(const char *node, char path[128])
{
    snprintf(path, 128, NETNS_DIR "/%s", node);
}

static void veth_name(size_t i, char name[IF_NAMESIZE])
{
    snprintf(name, IF_NAMESIZE, BRIDGE "-%hu", (unsigned short)i);
}

struct overlap {
    uint32_t network, mask; /* network order */
    char ifname[IF_NAMESIZE];
};

static void find_overlap(void *arg, struct in_addr ip, int prefix, const char *ifname)
{
    struct overlap *o = arg;
    (void)prefix;
    if ((ip.s_addr & o->mask) == o->network && !streq(ifname, BRIDGE))
        snprintf(o->ifname, sizeof(o->ifname), "%s", ifname);
}

static int refuse_overlap(struct rtnl *r, const struct lan *lan, struct in_addr host, struct err *err)
{
    struct overlap o = {.mask = htonl(~(uint32_t)0 << (32 - lan->prefix))};
    o.network = host.s_addr & o.mask;
    if (rtnl_each_addr(r, find_overlap, &o, err) < 0)
        return -1;
    return o.ifname[0]
               ? err_set(err, 0, "the network of %s/%d is in use by interface %s", lan->host_ip, lan->prefix, o.ifname)
               : 0;
}

/* What leaves the cluster carries the node's address, then the host's. Pods, nodes and the LAN see each other
 * untranslated. */
static int masquerade(const struct lan *lan, int netns_fd, const char *ifname, struct err *err)
{
    _cleanup_free_ char *text = xasprintf("table ip c8s_egress {}\ndelete table ip c8s_egress\n"
                                          "table ip c8s_egress {\n"
                                          " chain leave {\n"
                                          "  type nat hook postrouting priority srcnat + 10;\n"
                                          "  ip daddr { %s/%d, %s } return\n"
                                          "  ip saddr { %s/%d, %s } oifname %s \"%s\" masquerade\n"
                                          " }\n}\n",
                                          lan->host_ip, lan->prefix, lan->cluster_cidr, lan->host_ip, lan->prefix,
                                          lan->cluster_cidr, netns_fd < 0 ? "!=" : "==", ifname);
    return nft_run(netns_fd, text, err);
}

static int node_up(const struct lan *lan, size_t i, struct rtnl *host, struct in_addr host_ip, int *ret_fd,
                   struct err *err)
{
    char path[128], veth[IF_NAMESIZE];
    struct in_addr ip, any = {0};
    netns_path(lan->nodes[i].name, path);
    veth_name(i, veth);
    if (inet_pton(AF_INET, lan->nodes[i].ip, &ip) != 1)
        return err_set(err, EINVAL, "node address %s", lan->nodes[i].ip);
    _cleanup_close_ int fd = netns_create(path, err);
    if (fd < 0)
        return -1;
    struct rtnl *node = rtnl_open(fd, err);
    int result = !node || (!rtnl_index(host, veth) && rtnl_add_veth(host, veth, "eth0", fd, err) < 0) ||
                         rtnl_set_master(host, veth, BRIDGE, err) < 0 || rtnl_set_up(host, veth, err) < 0 ||
                         rtnl_set_up(node, "lo", err) < 0 || rtnl_add_addr(node, "eth0", ip, lan->prefix, err) < 0 ||
                         rtnl_set_up(node, "eth0", err) < 0 || rtnl_add_route(node, any, 0, host_ip, NULL, err) < 0 ||
                         masquerade(lan, fd, "eth0", err) < 0
                     ? -1
                     : 0;
    rtnl_close(node);
    if (result < 0)
        return err_wrap(err, "network of node %s", lan->nodes[i].name);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

/* What the machine was like before is remembered as empty files in run_dir. */
static void marker_path(const struct lan *lan, const char *what, char path[256])
{
    snprintf(path, 256, "%s/%s", lan->run_dir, what);
}

static int set_marker(const struct lan *lan, const char *what, struct err *err)
{
    char path[256];
    marker_path(lan, what, path);
    return file_write_atomic(path, "", 0, 0644, err);
}

static bool take_marker(const struct lan *lan, const char *what)
{
    char path[256];
    marker_path(lan, what, path);
    return unlink(path) == 0;
}

/* /run/netns as `ip netns` keeps it: a shared mount, so that pins come and go in every mount namespace. */
#define NETNS_WAS_PLAIN "netns-was-plain"

static int prepare_netns_dir(const struct lan *lan, struct err *err)
{
    if (mkdir(NETNS_DIR, 0755) < 0 && errno != EEXIST)
        return err_set(err, errno, "create %s", NETNS_DIR);
    if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0 || errno != EINVAL)
        return 0;
    if (set_marker(lan, NETNS_WAS_PLAIN, err) < 0)
        return -1;
    if (mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) < 0 ||
        mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) < 0)
        return err_set(err, errno, "share mount %s", NETNS_DIR);
    return 0;
}

static void restore_netns_dir(const struct lan *lan)
{
    if (take_marker(lan, NETNS_WAS_PLAIN))
        (void)umount2(NETNS_DIR, MNT_DETACH);
    (void)rmdir(NETNS_DIR); /* unless somebody else's namespaces are there */
}

/* The host must forward packets for the nodes. */
#define FORWARDING "/proc/sys/net/ipv4/ip_forward"
#define FORWARDING_WAS_OFF "ip_forward-was-off"

static int set_forwarding(char value, struct err *err)
{
    _cleanup_close_ int fd = open(FORWARDING, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, &value, 1) < 0 ? err_set(err, errno, "write %s", FORWARDING) : 0;
}

static int forward_on_host(const struct lan *lan, struct err *err)
{
    _cleanup_free_ char *now = file_read(FORWARDING, 16, NULL, err);
    if (!now)
        return -1;
    if (now[0] != '0')
        return 0;
    return set_marker(lan, FORWARDING_WAS_OFF, err) < 0 ? -1 : set_forwarding('1', err);
}

static void restore_forwarding(const struct lan *lan)
{
    struct err ignored;
    if (take_marker(lan, FORWARDING_WAS_OFF))
        (void)set_forwarding('0', &ignored);
}

int lan_up(const struct lan *lan, int *ret_fds, struct err *err)
{
    struct in_addr host_ip;
    if (inet_pton(AF_INET, lan->host_ip, &host_ip) != 1)
        return err_set(err, EINVAL, "address %s", lan->host_ip);
    struct rtnl *host = rtnl_open(-1, err);
    int result = !host || prepare_netns_dir(lan, err) < 0 || refuse_overlap(host, lan, host_ip, err) < 0 ||
                         rtnl_add_bridge(host, BRIDGE, err) < 0 ||
                         rtnl_add_addr(host, BRIDGE, host_ip, lan->prefix, err) < 0 ||
                         rtnl_set_up(host, BRIDGE, err) < 0 || forward_on_host(lan, err) < 0 ||
                         masquerade(lan, -1, BRIDGE, err) < 0
                     ? -1
                     : 0;
    for (size_t i = 0; result == 0 && i < lan->n_nodes; i++)
        result = node_up(lan, i, host, host_ip, &ret_fds[i], err);
    if (result == 0)
        result = podnet_route(-1, lan->service_cidr, lan->nodes[0].ip, err);
    rtnl_close(host);
    return result;
}

void lan_down(const struct lan *lan)
{
    struct err ignored;
    struct rtnl *host = rtnl_open(-1, &ignored);
    for (size_t i = 0; i < lan->n_nodes; i++) {
        char path[128], veth[IF_NAMESIZE];
        netns_path(lan->nodes[i].name, path);
        veth_name(i, veth);
        if (host)
            (void)rtnl_del_link(host, veth, &ignored);
        netns_remove(path);
    }
    if (host)
        (void)rtnl_del_link(host, BRIDGE, &ignored); /* the host's routes go with it */
    rtnl_close(host);
    (void)nft_run(-1, "table ip c8s_egress {}\ndelete table ip c8s_egress\n", &ignored);
    restore_forwarding(lan);
    restore_netns_dir(lan);
}
