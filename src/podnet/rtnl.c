/* See rtnl.h. Messages: rtnetlink(7). */
#include "podnet/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/str.h"
#include "podnet/rtnl_impl.h"

struct rtnl {
    struct mnl_socket *socket;
    uint32_t seq;
    int netns_fd; /* borrowed; names are looked up there */
};

struct rtnl *rtnl_open(int netns_fd, struct err *err)
{
    NETNS_SCOPE(netns_fd);
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        err_set(err, errno, "open netlink socket");
        if (socket)
            mnl_socket_close(socket);
        return NULL;
    }
    struct rtnl *r = NEW(struct rtnl);
    r->socket = socket;
    r->netns_fd = netns_fd;
    return r;
}

void rtnl_close(struct rtnl *r)
{
    if (!r)
        return;
    mnl_socket_close(r->socket);
    free(r);
}

struct nlmsghdr *rtnl_message(void *buffer, int type, int flags)
{
    struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
    m->nlmsg_type = (uint16_t)type;
    m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return m;
}

int rtnl_talk(struct rtnl *r, struct nlmsghdr *m, mnl_cb_t cb, void *arg)
{
    char reply[32768];
    unsigned port = mnl_socket_get_portid(r->socket);
    m->nlmsg_seq = ++r->seq;
    if (mnl_socket_sendto(r->socket, m, m->nlmsg_len) < 0)
        return errno;
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(r->socket, reply, sizeof(reply));
        if (n < 0)
            return errno;
        int more = mnl_cb_run(reply, (size_t)n, m->nlmsg_seq, port, cb, arg);
        if (more < 0)
            return errno;
        if (more == MNL_CB_STOP)
            return 0;
    }
}

int rtnl_change(struct rtnl *r, struct nlmsghdr *m, int fine, struct err *err, const char *what, const char *name)
{
    int failed = rtnl_talk(r, m, NULL, NULL);
    return failed && failed != fine ? err_set(err, failed, "%s %s", what, name) : 0;
}

static int keep_link(const struct nlmsghdr *m, void *arg)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(m);
    struct rtnl_link *link = arg;
    struct nlattr *a;
    link->index = info->ifi_index;
    mnl_attr_for_each(a, m, sizeof(*info)) {
        if (mnl_attr_get_type(a) == IFLA_MTU)
            link->mtu = (int)mnl_attr_get_u32(a);
        else if (mnl_attr_get_type(a) == IFLA_ADDRESS && mnl_attr_get_payload_len(a) == sizeof(link->mac))
            memcpy(link->mac, mnl_attr_get_payload(a), sizeof(link->mac));
    }
    return MNL_CB_OK;
}

bool rtnl_link(struct rtnl *r, const char *ifname, struct rtnl_link *ret)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, RTM_GETLINK, 0);
    *ret = (struct rtnl_link){0};
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, ifname);
    return rtnl_talk(r, m, keep_link, ret) == 0;
}

int rtnl_index(struct rtnl *r, const char *ifname)
{
    struct rtnl_link link;
    return rtnl_link(r, ifname, &link) ? link.index : 0;
}

int rtnl_no_link(struct err *err, const char *name)
{
    return err_set(err, ENODEV, "interface %s", name);
}

static void put_mtu(struct nlmsghdr *m, int mtu)
{
    if (mtu)
        mnl_attr_put_u32(m, IFLA_MTU, (uint32_t)mtu);
}

int rtnl_add_veth(struct rtnl *r, const char *name, const char *peer, int peer_fd, int mtu, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    put_mtu(m, mtu);
    struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
    mnl_attr_put_str(m, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
    struct nlattr *other = mnl_attr_nest_start(m, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, peer);
    put_mtu(m, mtu);
    mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)peer_fd);
    mnl_attr_nest_end(m, other);
    mnl_attr_nest_end(m, data);
    mnl_attr_nest_end(m, info);
    return rtnl_change(r, m, 0, err, "create veth", name);
}

int rtnl_add_bridge(struct rtnl *r, const char *name, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
    mnl_attr_put_str(m, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(m, info);
    return rtnl_change(r, m, EEXIST, err, "create bridge", name);
}

int rtnl_del_link(struct rtnl *r, const char *name, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, RTM_DELLINK, 0);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    return rtnl_change(r, m, ENODEV, err, "delete interface", name);
}

static int set_flag_up(struct rtnl *r, const char *name, unsigned value, const char *what, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    int index = rtnl_index(r, name);
    if (!index)
        return rtnl_no_link(err, name);
    struct nlmsghdr *m = rtnl_message(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
    info->ifi_index = index;
    info->ifi_flags = value;
    info->ifi_change = IFF_UP;
    return rtnl_change(r, m, 0, err, what, name);
}

int rtnl_set_up(struct rtnl *r, const char *name, struct err *err)
{
    return set_flag_up(r, name, IFF_UP, "set up interface", err);
}

int rtnl_set_down(struct rtnl *r, const char *name, struct err *err)
{
    return set_flag_up(r, name, 0, "take down interface", err);
}

int rtnl_set_master(struct rtnl *r, const char *name, const char *master, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    int index = rtnl_index(r, name), to = rtnl_index(r, master);
    if (!index || !to)
        return rtnl_no_link(err, index ? master : name);
    struct nlmsghdr *m = rtnl_message(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
    info->ifi_index = index;
    mnl_attr_put_u32(m, IFLA_MASTER, (uint32_t)to);
    return rtnl_change(r, m, 0, err, "attach interface", name);
}

void rtnl_put_ip(struct nlmsghdr *m, uint16_t type, const struct ip *ip)
{
    mnl_attr_put(m, type, (size_t)ip_bits(ip->family) / 8, ip->bytes);
}

/* lifetimes: of IFA_CACHEINFO; NULL: for ever. */
static int change_addr(struct rtnl *r, int type, int flags, const char *ifname, const struct ip *ip, int prefix,
                       const struct ifa_cacheinfo *lifetimes, int fine, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    int index = rtnl_index(r, ifname);
    if (!index)
        return rtnl_no_link(err, ifname);
    struct nlmsghdr *m = rtnl_message(buffer, type, flags);
    struct ifaddrmsg *addr = mnl_nlmsg_put_extra_header(m, sizeof(*addr));
    addr->ifa_family = (uint8_t)ip->family;
    addr->ifa_prefixlen = (uint8_t)prefix;
    addr->ifa_index = (unsigned)index;
    rtnl_put_ip(m, IFA_LOCAL, ip);
    rtnl_put_ip(m, IFA_ADDRESS, ip);
    if (ip->family == AF_INET6) /* a single address: IPv4 makes no route of it either */
        mnl_attr_put_u32(m, IFA_FLAGS, IFA_F_NODAD | (prefix == ip_bits(AF_INET6) ? IFA_F_NOPREFIXROUTE : 0));
    if (lifetimes)
        mnl_attr_put(m, IFA_CACHEINFO, sizeof(*lifetimes), lifetimes);
    return rtnl_change(r, m, fine, err, type == RTM_NEWADDR ? "set address of" : "remove address of", ifname);
}

int rtnl_add_addr(struct rtnl *r, const char *ifname, const struct ip *ip, int prefix, struct err *err)
{
    return change_addr(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifname, ip, prefix, NULL, EEXIST, err);
}

int rtnl_add_guest_addr(struct rtnl *r, const char *ifname, const struct ip *ip, struct err *err)
{
    static const struct ifa_cacheinfo deprecated = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};
    return change_addr(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifname, ip, ip_bits(ip->family),
                       ip->family == AF_INET6 ? &deprecated : NULL, EEXIST, err);
}

int rtnl_del_addr(struct rtnl *r, const char *ifname, const struct ip *ip, int prefix, struct err *err)
{
    return change_addr(r, RTM_DELADDR, 0, ifname, ip, prefix, NULL, EADDRNOTAVAIL, err);
}

int rtnl_add_route(struct rtnl *r, const struct cidr *dst, const struct ip *gateway, const char *ifname,
                   struct err *err)
{
    char buffer[MESSAGE_SIZE], text[CIDR_TEXT_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(m, sizeof(*route));
    route->rtm_family = (uint8_t)dst->ip.family;
    route->rtm_dst_len = (uint8_t)dst->prefix;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_type = RTN_UNICAST;
    route->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (dst->prefix)
        rtnl_put_ip(m, RTA_DST, &dst->ip);
    if (gateway)
        rtnl_put_ip(m, RTA_GATEWAY, gateway);
    if (ifname) {
        int index = rtnl_index(r, ifname);
        if (!index)
            return rtnl_no_link(err, ifname);
        mnl_attr_put_u32(m, RTA_OIF, (uint32_t)index);
    }
    return rtnl_change(r, m, EEXIST, err, "add route to", cidr_format(dst, text));
}

struct each {
    struct rtnl *rtnl;
    rtnl_route_fn *route;
    rtnl_addr_fn *addr;
    rtnl_network_fn *network;
    void *arg;
};

static void name_of(const struct each *each, unsigned index, char name[IF_NAMESIZE])
{
    NETNS_SCOPE(each->rtnl->netns_fd);
    if (!if_indextoname(index, name))
        name[0] = '\0';
}

/* Whoever is there can be a gateway. Not so on WireGuard and the like, which know themselves what goes where. */
static bool asks_neighbours(const struct each *each, const char *ifname)
{
    struct ifreq request = {0};
    NETNS_SCOPE(each->rtnl->netns_fd);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
    return fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 &&
           !(request.ifr_flags & (IFF_NOARP | IFF_POINTOPOINT | IFF_LOOPBACK));
}

static void visit_network(const struct each *each, const struct cidr *c, const char *ifname)
{
    bool is_network = c->prefix > 0 && c->prefix < ip_bits(c->ip.family);
    bool is_everywhere = c->ip.family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&c->ip.v6); /* so it tells nothing */
    if (each->network && is_network && !is_everywhere && asks_neighbours(each, ifname))
        each->network(each->arg, c, ifname);
}

bool rtnl_read_ip(const struct nlattr *a, int family, struct ip *ret)
{
    size_t size = (size_t)ip_bits(family) / 8;
    if (!size || mnl_attr_get_payload_len(a) != size)
        return false;
    ret->family = family;
    memcpy(ret->bytes, mnl_attr_get_payload(a), size);
    return true;
}

static int on_route(const struct nlmsghdr *m, void *arg)
{
    struct each *each = arg;
    const struct rtmsg *route = mnl_nlmsg_get_payload(m);
    struct cidr dst = {.ip.family = route->rtm_family, .prefix = route->rtm_dst_len};
    char name[IF_NAMESIZE] = "";
    bool known = ip_bits(route->rtm_family) && route->rtm_table == RT_TABLE_MAIN;
    bool direct = route->rtm_type == RTN_UNICAST;
    struct nlattr *a;
    mnl_attr_for_each(a, m, sizeof(*route)) {
        if (mnl_attr_get_type(a) == RTA_DST)
            known = known && rtnl_read_ip(a, route->rtm_family, &dst.ip);
        else if (mnl_attr_get_type(a) == RTA_OIF)
            name_of(each, mnl_attr_get_u32(a), name);
        else if (mnl_attr_get_type(a) == RTA_GATEWAY || mnl_attr_get_type(a) == RTA_VIA ||
                 mnl_attr_get_type(a) == RTA_MULTIPATH)
            direct = false;
    }
    if (known && each->route)
        each->route(each->arg, &dst, name);
    if (known && direct)
        visit_network(each, &dst, name);
    return MNL_CB_OK;
}

/* IFA_LOCAL is ours, IFA_ADDRESS the peer's; IPv6 without a peer has IFA_ADDRESS only. */
static int on_addr(const struct nlmsghdr *m, void *arg)
{
    struct each *each = arg;
    const struct ifaddrmsg *addr = mnl_nlmsg_get_payload(m);
    char name[IF_NAMESIZE] = "";
    struct ip ip = {0};
    struct nlattr *a;
    bool local = false;
    name_of(each, addr->ifa_index, name);
    mnl_attr_for_each(a, m, sizeof(*addr)) {
        if (mnl_attr_get_type(a) == IFA_LOCAL)
            local = rtnl_read_ip(a, addr->ifa_family, &ip);
        else if (mnl_attr_get_type(a) == IFA_ADDRESS && !local)
            (void)rtnl_read_ip(a, addr->ifa_family, &ip);
    }
    if (ip.family && each->addr)
        each->addr(each->arg, &ip, addr->ifa_prefixlen, name);
    if (ip.family) {
        const struct cidr network = cidr_around(&ip, addr->ifa_prefixlen);
        visit_network(each, &network, name);
    }
    return MNL_CB_OK;
}

static int dump(struct rtnl *r, int type, mnl_cb_t cb, struct each *each, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, type, NLM_F_DUMP);
    ((struct rtgenmsg *)mnl_nlmsg_put_extra_header(m, sizeof(struct rtmsg)))->rtgen_family = AF_UNSPEC;
    int failed = rtnl_talk(r, m, cb, each);
    return failed ? err_set(err, failed, "read the kernel's %s", type == RTM_GETROUTE ? "routes" : "addresses") : 0;
}

int rtnl_each_route(struct rtnl *r, rtnl_route_fn *fn, void *arg, struct err *err)
{
    return dump(r, RTM_GETROUTE, on_route, &(struct each){.rtnl = r, .route = fn, .arg = arg}, err);
}

int rtnl_each_addr(struct rtnl *r, rtnl_addr_fn *fn, void *arg, struct err *err)
{
    return dump(r, RTM_GETADDR, on_addr, &(struct each){.rtnl = r, .addr = fn, .arg = arg}, err);
}

int rtnl_each_network(struct rtnl *r, rtnl_network_fn *fn, void *arg, struct err *err)
{
    struct each each = {.rtnl = r, .network = fn, .arg = arg};
    return dump(r, RTM_GETADDR, on_addr, &each, err) < 0 ? -1 : dump(r, RTM_GETROUTE, on_route, &each, err);
}
