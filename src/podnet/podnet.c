/* See podnet.h. The kernel's routes are the only record of who has which address: a restarted agent reads them back. */
#include "podnet/podnet.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ip.h"
#include "base/map.h"
#include "base/netns.h"
#include "base/str.h"
#include "podnet/rtnl.h"
#include "podnet/sysctl.h"

#define VETH_PREFIX "pod"
#define POD_IFNAME "eth0"

#define IPV6_HOST_BITS_MAX 12 /* of a /64 only so many addresses are used: each costs the name of its owner */

struct podnet {
    int netns_fd;      /* of the node; borrowed */
    struct rtnl *rtnl; /* there */
    struct cidrs ranges;
    int mtu;       /* 0: the kernel's */
    uint32_t size; /* addresses in the smallest range */
    uint32_t next; /* where the search for a free one goes on: an address just given back rests longest */
    uint32_t used;
    char (*owner)[IF_NAMESIZE]; /* by offset in the ranges; "" is free */
};

static struct ips addresses(const struct podnet *p, uint32_t offset)
{
    struct ips ips = {.n = p->ranges.n};
    for (int i = 0; i < ips.n; i++)
        ips.ip[i] = cidr_nth(&p->ranges.cidr[i], offset);
    return ips;
}

static struct cidr single(const struct ip *ip)
{
    return (struct cidr){.ip = *ip, .prefix = ip_bits(ip->family)};
}

void podnet_link_name(const char *key, char name[IF_NAMESIZE])
{
    snprintf(name, IF_NAMESIZE, VETH_PREFIX "%08x", (unsigned)hash_bytes(key, strlen(key)));
}

static void remember_route(void *arg, const struct cidr *dst, const char *ifname)
{
    struct podnet *p = arg;
    uint32_t offset;
    if (dst->prefix != ip_bits(dst->ip.family) || !cidr_index(&p->ranges.cidr[0], &dst->ip, &offset) ||
        offset >= p->size || !str_after(ifname, VETH_PREFIX))
        return;
    snprintf(p->owner[offset], IF_NAMESIZE, "%s", ifname);
    p->used++;
}

static int read_ranges(struct podnet *p, const char *text, struct err *err)
{
    int bits = 32;
    if (!cidrs_parse(text, &p->ranges))
        return err_set(err, 0, "pod range %s: not one range, or two of different families", text);
    for (int i = 0; i < p->ranges.n; i++) {
        const struct cidr *c = &p->ranges.cidr[i];
        int host_bits = ip_bits(c->ip.family) - c->prefix;
        if (host_bits < 2 || (c->ip.family == AF_INET && host_bits > 16))
            return err_set(err, 0, "pod range %s: not between /16 and /30, or of IPv6 up to /126", text);
        if (c->ip.family == AF_INET6 && host_bits > IPV6_HOST_BITS_MAX)
            host_bits = IPV6_HOST_BITS_MAX;
        bits = host_bits < bits ? host_bits : bits;
    }
    p->size = 1u << bits;
    return 0;
}

static int prepare_node(struct podnet *p, int netns_fd, struct err *err)
{
    if (sysctl_set(netns_fd, "ipv4/ip_forward", "1", err) < 0)
        return -1;
    if (!cidrs_of(&p->ranges, AF_INET6))
        return 0;
    if (netns_fd < 0) /* a namespace of ours has no router */
        sysctl_keep_routers();
    return sysctl_set(netns_fd, "ipv6/conf/all/forwarding", "1", err);
}

struct podnet *podnet_new(int netns_fd, const char *ranges, int mtu, struct err *err)
{
    struct podnet *p = NEW(struct podnet);
    p->netns_fd = netns_fd;
    p->mtu = mtu;
    if (read_ranges(p, ranges, err) == 0) {
        p->next = 2; /* .0 is the network, .1 the gateway */
        p->owner = xcalloc(p->size, sizeof(*p->owner));
        p->rtnl = rtnl_open(netns_fd, err);
    }
    if (!p->rtnl || prepare_node(p, netns_fd, err) < 0 || rtnl_each_route(p->rtnl, remember_route, p, err) < 0) {
        podnet_free(p);
        return NULL;
    }
    return p;
}

void podnet_free(struct podnet *p)
{
    if (!p)
        return;
    rtnl_close(p->rtnl);
    free(p->owner);
    free(p);
}

/* Offset of the interface's address; 0 when it has none. */
static uint32_t find_owner(const struct podnet *p, const char *name)
{
    for (uint32_t i = 2; i < p->size - 1; i++)
        if (streq(p->owner[i], name))
            return i;
    return 0;
}

static uint32_t find_free(struct podnet *p)
{
    for (uint32_t tried = 0; tried < p->size; tried++) {
        uint32_t i = p->next++;
        if (p->next >= p->size - 1) /* the last one is the broadcast address */
            p->next = 2;
        if (!p->owner[i][0])
            return i;
    }
    return 0;
}

static int wire_node_end(struct podnet *p, const char *name, const struct ips *ips, struct err *err)
{
    const struct ips gateways = addresses(p, 1);
    if (cidrs_of(&p->ranges, AF_INET6) && sysctl_ipv6_at_once_on(p->netns_fd, name, err) < 0)
        return -1;
    for (int i = 0; i < gateways.n; i++)
        if (rtnl_add_addr(p->rtnl, name, &gateways.ip[i], ip_bits(gateways.ip[i].family), err) < 0)
            return -1;
    if (rtnl_set_up(p->rtnl, name, err) < 0)
        return -1;
    for (int i = 0; i < ips->n; i++) {
        const struct cidr pod = single(&ips->ip[i]);
        if (rtnl_add_route(p->rtnl, &pod, NULL, name, err) < 0)
            return -1;
    }
    return 0;
}

/* Before there is an interface. IPv6 is off in pods that have no address of it: otherwise "localhost" would be ::1,
 * where most programs do not listen. */
static int prepare_pod(const struct podnet *p, int pod_fd, struct err *err)
{
    if (cidrs_of(&p->ranges, AF_INET6))
        return sysctl_ipv6_at_once(pod_fd, err);
    return access("/proc/sys/net/ipv6", F_OK) < 0 ? 0 : sysctl_set(pod_fd, "ipv6/conf/all/disable_ipv6", "1", err);
}

static int wire_pod_family(struct rtnl *pod, const struct ip *ip, const struct ip *gateway, struct err *err)
{
    const struct cidr to_gateway = single(gateway), all = {.ip.family = ip->family};
    return rtnl_add_addr(pod, POD_IFNAME, ip, ip_bits(ip->family), err) < 0 ||
                   rtnl_add_route(pod, &to_gateway, NULL, POD_IFNAME, err) < 0 ||
                   rtnl_add_route(pod, &all, gateway, POD_IFNAME, err) < 0
               ? -1
               : 0;
}

static int wire_pod_end(struct podnet *p, int pod_fd, const struct ips *ips, struct err *err)
{
    const struct ips gateways = addresses(p, 1);
    struct rtnl *pod = rtnl_open(pod_fd, err);
    int result = !pod || rtnl_set_up(pod, "lo", err) < 0 || rtnl_set_up(pod, POD_IFNAME, err) < 0 ? -1 : 0;
    for (int i = 0; i < ips->n && result == 0; i++)
        result = wire_pod_family(pod, &ips->ip[i], &gateways.ip[i], err);
    rtnl_close(pod);
    return result;
}

static void print_addresses(const struct ips *ips, char *out, size_t size)
{
    char text[IPS_TEXT_SIZE];
    snprintf(out, size, "%s", ips_format(ips, text));
}

/* Both ends are there. The node's alone is what a namespace of an earlier life has left, which the kernel takes away
 * some time after its last process and pin are gone. */
static bool is_connected(struct podnet *p, const char *name, int pod_fd)
{
    struct err ignored;
    struct rtnl *pod = rtnl_index(p->rtnl, name) ? rtnl_open(pod_fd, &ignored) : NULL;
    bool connected = pod && rtnl_index(pod, POD_IFNAME);
    rtnl_close(pod);
    return connected;
}

int podnet_add(struct podnet *p, const char *key, int pod_fd, char *ret_ips, size_t size, struct err *err)
{
    char name[IF_NAMESIZE];
    struct err ignored;
    podnet_link_name(key, name);
    uint32_t offset = find_owner(p, name);
    bool connected = offset && is_connected(p, name, pod_fd);
    if (!offset)
        offset = find_free(p);
    if (!offset)
        return err_set(err, 0, "no pod address is free (%u in use)", p->used);
    const struct ips ips = addresses(p, offset);
    print_addresses(&ips, ret_ips, size);
    if (connected)
        return 0;
    if (rtnl_del_link(p->rtnl, name, err) < 0 || prepare_pod(p, pod_fd, err) < 0 ||
        rtnl_add_veth(p->rtnl, name, POD_IFNAME, pod_fd, p->mtu, err) < 0 || wire_node_end(p, name, &ips, err) < 0 ||
        wire_pod_end(p, pod_fd, &ips, err) < 0) {
        (void)rtnl_del_link(p->rtnl, name, &ignored);
        return err_wrap(err, "connect pod %s", key);
    }
    p->used += !p->owner[offset][0];
    memcpy(p->owner[offset], name, sizeof(name));
    return 0;
}

int podnet_let_localhost_in(int netns_fd, const char *key, struct err *err)
{
    char name[IF_NAMESIZE], path[64];
    podnet_link_name(key, name);
    snprintf(path, sizeof(path), "ipv4/conf/%s/route_localnet", name);
    return sysctl_set(netns_fd, path, "1", err);
}

int podnet_del(struct podnet *p, const char *key, struct err *err)
{
    char name[IF_NAMESIZE];
    podnet_link_name(key, name);
    if (rtnl_del_link(p->rtnl, name, err) < 0) /* its routes go with it */
        return -1;
    uint32_t offset = find_owner(p, name);
    if (offset) {
        p->owner[offset][0] = '\0';
        p->used--;
    }
    return 0;
}
