/* See podnet.h. The kernel's routes are the only record of who has which address: a restarted agent reads them back. */
#include "podnet/podnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

#define VETH_PREFIX "pod"
#define POD_IFNAME "eth0"

struct podnet {
    struct rtnl *rtnl; /* in the node's namespace */
    uint32_t network;  /* host order */
    uint32_t size;     /* addresses in the range */
    uint32_t next;     /* where the search for a free one goes on: an address just given back rests longest */
    uint32_t used;
    char (*owner)[IF_NAMESIZE]; /* by offset in the range; "" is free */
};

static struct in_addr address(const struct podnet *p, uint32_t offset)
{
    return (struct in_addr){htonl(p->network + offset)};
}

static void veth_name(const char *key, char name[IF_NAMESIZE])
{
    snprintf(name, IF_NAMESIZE, VETH_PREFIX "%08x", (unsigned)hash_bytes(key, strlen(key)));
}

static void remember_route(void *arg, struct in_addr dst, int prefix, const char *ifname)
{
    struct podnet *p = arg;
    uint32_t offset = ntohl(dst.s_addr) - p->network;
    if (prefix != 32 || offset >= p->size || !str_after(ifname, VETH_PREFIX))
        return;
    snprintf(p->owner[offset], IF_NAMESIZE, "%s", ifname);
    p->used++;
}

/* Sysctls of the network namespace; the path is resolved for the caller's namespace. */
static int set_sysctl(int netns_fd, const char *path, const char *value, struct err *err)
{
    NETNS_SCOPE(netns_fd);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        return err_set(err, errno, "write %s", path);
    return 0;
}

struct podnet *podnet_new(int netns_fd, const char *cidr, struct err *err)
{
    struct cidr range;
    if (!cidr_parse(cidr, &range) || range.ip.family != AF_INET || range.prefix < 16 || range.prefix > 30) {
        err_set(err, 0, "pod range %s: not an IPv4 range between /16 and /30", cidr);
        return NULL;
    }
    struct podnet *p = NEW(struct podnet);
    p->network = ntohl(range.ip.v4.s_addr);
    p->size = 1u << (32 - range.prefix);
    p->next = 2; /* .0 is the network, .1 the gateway */
    p->owner = xcalloc(p->size, sizeof(*p->owner));
    p->rtnl = rtnl_open(netns_fd, err);
    if (!p->rtnl || set_sysctl(netns_fd, "/proc/sys/net/ipv4/ip_forward", "1", err) < 0 ||
        rtnl_each_route(p->rtnl, remember_route, p, err) < 0) {
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

static int wire_node_end(struct podnet *p, const char *name, struct in_addr ip, struct err *err)
{
    return rtnl_add_addr(p->rtnl, name, address(p, 1), 32, err) < 0 || rtnl_set_up(p->rtnl, name, err) < 0 ||
                   rtnl_add_route(p->rtnl, ip, 32, (struct in_addr){0}, name, err) < 0
               ? -1
               : 0;
}

/* Pods have IPv4 addresses only: without this, "localhost" would be ::1, where most programs do not listen. */
static int switch_off_ipv6(int pod_fd, struct err *err)
{
    static const char sysctl[] = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
    return access(sysctl, F_OK) < 0 ? 0 : set_sysctl(pod_fd, sysctl, "1", err);
}

static int wire_pod_end(struct podnet *p, int pod_fd, struct in_addr ip, struct err *err)
{
    struct rtnl *pod = rtnl_open(pod_fd, err);
    struct in_addr gateway = address(p, 1), any = {0};
    int result = !pod || switch_off_ipv6(pod_fd, err) < 0 || rtnl_set_up(pod, "lo", err) < 0 ||
                         rtnl_add_addr(pod, POD_IFNAME, ip, 32, err) < 0 || rtnl_set_up(pod, POD_IFNAME, err) < 0 ||
                         rtnl_add_route(pod, gateway, 32, any, POD_IFNAME, err) < 0 ||
                         rtnl_add_route(pod, any, 0, gateway, POD_IFNAME, err) < 0
                     ? -1
                     : 0;
    rtnl_close(pod);
    return result;
}

int podnet_add(struct podnet *p, const char *key, int pod_fd, char *ret_ip, size_t size, struct err *err)
{
    char name[IF_NAMESIZE];
    struct err ignored;
    veth_name(key, name);
    uint32_t offset = find_owner(p, name);
    if (offset && rtnl_index(p->rtnl, name)) {
        struct in_addr known = address(p, offset);
        inet_ntop(AF_INET, &known, ret_ip, (socklen_t)size);
        return 0;
    }
    if (!offset)
        offset = find_free(p);
    if (!offset)
        return err_set(err, 0, "no pod address is free (%u in use)", p->used);
    struct in_addr ip = address(p, offset);
    if (rtnl_add_veth(p->rtnl, name, POD_IFNAME, pod_fd, err) < 0 || wire_node_end(p, name, ip, err) < 0 ||
        wire_pod_end(p, pod_fd, ip, err) < 0) {
        (void)rtnl_del_link(p->rtnl, name, &ignored);
        return err_wrap(err, "connect pod %s", key);
    }
    memcpy(p->owner[offset], name, sizeof(name));
    p->used++;
    inet_ntop(AF_INET, &ip, ret_ip, (socklen_t)size);
    return 0;
}

int podnet_del(struct podnet *p, const char *key, struct err *err)
{
    char name[IF_NAMESIZE];
    veth_name(key, name);
    if (rtnl_del_link(p->rtnl, name, err) < 0) /* its routes go with it */
        return -1;
    uint32_t offset = find_owner(p, name);
    if (offset) {
        p->owner[offset][0] = '\0';
        p->used--;
    }
    return 0;
}

int podnet_route(int netns_fd, const char *cidr, const char *via, struct err *err)
{
    struct cidr range;
    struct in_addr gateway;
    if (!cidr_parse(cidr, &range) || range.ip.family != AF_INET || inet_pton(AF_INET, via, &gateway) != 1)
        return err_set(err, EINVAL, "route %s via %s", cidr, via);
    struct rtnl *r = rtnl_open(netns_fd, err);
    int result = r ? rtnl_add_route(r, range.ip.v4, range.prefix, gateway, NULL, err) : -1;
    rtnl_close(r);
    return result;
}
