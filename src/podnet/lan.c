/* See lan.h. */
#include "podnet/lan.h"

#include <errno.h>
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
#include "podnet/rtnl.h"
#include "podnet/sysctl.h"

#define BRIDGE "c8s0"
#define NETNS_DIR "/run/netns"
#define EGRESS "c8s_egress"

static void netns_path(const char *node, char path[128])
{
    snprintf(path, 128, NETNS_DIR "/%s", node);
}

static void veth_name(size_t i, char name[IF_NAMESIZE])
{
    snprintf(name, IF_NAMESIZE, BRIDGE "-%hu", (unsigned short)i);
}

/* The same, read. */
struct wiring {
    const struct lan *lan;
    struct cidrs network, pods;
    struct ips host_ips;
    struct rtnl *host;
};

static int read_lan(struct wiring *w, const struct lan *lan, struct err *err)
{
    w->lan = lan;
    if (!cidrs_parse(lan->network, &w->network) || !cidrs_parse(lan->cluster_cidr, &w->pods) ||
        !ips_parse(lan->host_ip, &w->host_ips))
        return err_set(err, EINVAL, "addresses %s, %s, %s", lan->network, lan->cluster_cidr, lan->host_ip);
    return 0;
}

struct overlap {
    const struct cidrs *networks;
    const struct cidr *network; /* the one in use */
    char ifname[IF_NAMESIZE];
};

static void find_overlap(void *arg, const struct ip *ip, int prefix, const char *ifname)
{
    struct overlap *o = arg;
    const struct cidr *network = cidrs_of(o->networks, ip->family);
    (void)prefix;
    if (!network || !cidr_has(network, ip) || streq(ifname, BRIDGE))
        return;
    o->network = network;
    snprintf(o->ifname, sizeof(o->ifname), "%s", ifname);
}

static int refuse_overlap(const struct wiring *w, struct err *err)
{
    struct overlap o = {.networks = &w->network};
    char text[CIDR_TEXT_SIZE];
    if (rtnl_each_addr(w->host, find_overlap, &o, err) < 0)
        return -1;
    return o.network
               ? err_set(err, 0, "the network %s is in use by interface %s", cidr_format(o.network, text), o.ifname)
               : 0;
}

/* What leaves the cluster carries the node's address, then the host's. Pods, nodes and the LAN see each other
 * untranslated. */
static int masquerade_family(const struct wiring *w, int i, int netns_fd, const char *ifname, struct err *err)
{
    char network[CIDR_TEXT_SIZE], pods[CIDR_TEXT_SIZE];
    const char *family = w->network.cidr[i].ip.family == AF_INET6 ? "ip6" : "ip";
    cidr_format(&w->network.cidr[i], network);
    cidr_format(&w->pods.cidr[i], pods);
    _cleanup_free_ char *text = xasprintf("table %s " EGRESS " {}\ndelete table %s " EGRESS "\n"
                                          "table %s " EGRESS " {\n"
                                          " chain leave {\n"
                                          "  type nat hook postrouting priority srcnat + 10;\n"
                                          "  %s daddr { %s, %s } return\n"
                                          "  %s saddr { %s, %s } oifname %s \"%s\" masquerade\n"
                                          " }\n}\n",
                                          family, family, family, family, network, pods, family, network, pods,
                                          netns_fd < 0 ? "!=" : "==", ifname);
    return nft_run(netns_fd, text, err);
}

static int masquerade(const struct wiring *w, int netns_fd, const char *ifname, struct err *err)
{
    for (int i = 0; i < w->network.n; i++)
        if (masquerade_family(w, i, netns_fd, ifname, err) < 0)
            return -1;
    return 0;
}

static bool has_ipv6(const struct wiring *w)
{
    return cidrs_of(&w->network, AF_INET6);
}

/* An address of each network on the interface. */
static int add_addresses(const struct wiring *w, struct rtnl *r, const char *ifname, const char *ips_text,
                         struct err *err)
{
    struct ips ips;
    if (!ips_parse(ips_text, &ips) || ips.n != w->network.n)
        return err_set(err, EINVAL, "addresses %s", ips_text);
    for (int i = 0; i < ips.n; i++)
        if (rtnl_add_addr(r, ifname, &ips.ip[i], w->network.cidr[i].prefix, err) < 0)
            return -1;
    return 0;
}

static int add_default_routes(const struct wiring *w, struct rtnl *r, struct err *err)
{
    for (int i = 0; i < w->host_ips.n; i++) {
        const struct cidr all = {.ip.family = w->host_ips.ip[i].family};
        if (rtnl_add_route(r, &all, &w->host_ips.ip[i], NULL, err) < 0)
            return -1;
    }
    return 0;
}

static int node_up(const struct wiring *w, size_t i, int *ret_fd, struct err *err)
{
    const struct lan_node *n = &w->lan->nodes[i];
    char path[128], veth[IF_NAMESIZE];
    netns_path(n->name, path);
    veth_name(i, veth);
    _cleanup_close_ int fd = netns_create(path, err);
    if (fd < 0)
        return -1;
    struct rtnl *node = rtnl_open(fd, err);
    int result = !node || (has_ipv6(w) && sysctl_ipv6_at_once(fd, err) < 0) ||
                         (!rtnl_index(w->host, veth) && rtnl_add_veth(w->host, veth, "eth0", fd, 0, err) < 0) ||
                         rtnl_set_master(w->host, veth, BRIDGE, err) < 0 || rtnl_set_up(w->host, veth, err) < 0 ||
                         rtnl_set_up(node, "lo", err) < 0 || add_addresses(w, node, "eth0", n->ip, err) < 0 ||
                         rtnl_set_up(node, "eth0", err) < 0 || add_default_routes(w, node, err) < 0 ||
                         masquerade(w, fd, "eth0", err) < 0
                     ? -1
                     : 0;
    rtnl_close(node);
    if (result < 0)
        return err_wrap(err, "network of node %s", n->name);
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
static const struct forwarding {
    int family;
    const char *sysctl, *marker;
} forwardings[] = {
    {AF_INET, "ipv4/ip_forward", "ip_forward-was-off"},
    {AF_INET6, "ipv6/conf/all/forwarding", "ipv6-forwarding-was-off"},
};

static int forward_on_host(const struct wiring *w, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(forwardings); i++) {
        const struct forwarding *f = &forwardings[i];
        if (!cidrs_of(&w->network, f->family))
            continue;
        _cleanup_free_ char *path = xasprintf("/proc/sys/net/%s", f->sysctl);
        _cleanup_free_ char *now = file_read(path, 16, NULL, err);
        if (!now)
            return -1;
        if (now[0] != '0')
            continue;
        if (f->family == AF_INET6)
            sysctl_keep_routers();
        if (set_marker(w->lan, f->marker, err) < 0 || sysctl_set(-1, f->sysctl, "1", err) < 0)
            return -1;
    }
    return 0;
}

static void restore_forwarding(const struct lan *lan)
{
    struct err ignored;
    for (size_t i = 0; i < ARRAY_LEN(forwardings); i++)
        if (take_marker(lan, forwardings[i].marker))
            (void)sysctl_set(-1, forwardings[i].sysctl, "0", &ignored);
}

static int host_up(const struct wiring *w, struct err *err)
{
    const struct lan *lan = w->lan;
    if (prepare_netns_dir(lan, err) < 0 || refuse_overlap(w, err) < 0 || rtnl_add_bridge(w->host, BRIDGE, err) < 0 ||
        (has_ipv6(w) && sysctl_set(-1, "ipv6/conf/" BRIDGE "/accept_dad", "0", err) < 0) ||
        add_addresses(w, w->host, BRIDGE, lan->host_ip, err) < 0 || rtnl_set_up(w->host, BRIDGE, err) < 0 ||
        forward_on_host(w, err) < 0)
        return -1;
    return masquerade(w, -1, BRIDGE, err);
}

/* The host reaches Services by way of the first node. */
static int route_services(const struct wiring *w, const struct lan *lan, struct err *err)
{
    struct cidrs services;
    struct ips gateways;
    if (!cidrs_parse(lan->service_cidr, &services) || !ips_parse(lan->nodes[0].ip, &gateways))
        return err_set(err, EINVAL, "route %s via %s", lan->service_cidr, lan->nodes[0].ip);
    for (int i = 0; i < services.n; i++) {
        const struct ip *gateway = ips_of(&gateways, services.cidr[i].ip.family);
        if (gateway && rtnl_add_route(w->host, &services.cidr[i], gateway, NULL, err) < 0)
            return -1;
    }
    return 0;
}

int lan_up(const struct lan *lan, int *ret_fds, struct err *err)
{
    struct wiring w = {0};
    if (read_lan(&w, lan, err) < 0 || !(w.host = rtnl_open(-1, err)))
        return -1;
    int result = host_up(&w, err);
    for (size_t i = 0; result == 0 && i < lan->n_nodes; i++)
        result = node_up(&w, i, &ret_fds[i], err);
    if (result == 0)
        result = route_services(&w, lan, err);
    rtnl_close(w.host);
    return result;
}

int lan_set_link(size_t i, bool up, struct err *err)
{
    char veth[IF_NAMESIZE];
    struct rtnl *host = rtnl_open(-1, err);
    veth_name(i, veth);
    int result = !host ? -1 : up ? rtnl_set_up(host, veth, err) : rtnl_set_down(host, veth, err);
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
    (void)nft_run(-1, "table ip " EGRESS " {}\ndelete table ip " EGRESS "\n", &ignored);
    (void)nft_run(-1, "table ip6 " EGRESS " {}\ndelete table ip6 " EGRESS "\n", &ignored);
    restore_forwarding(lan);
    restore_netns_dir(lan);
}
