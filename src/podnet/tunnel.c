/* See tunnel.h. Messages: rtnetlink(7), linux/if_link.h, linux/neighbour.h, linux/fib_rules.h. */
#include "podnet/tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/str.h"
#include "podnet/rtnl_impl.h"
#include "podnet/sysctl.h"

#define TUNNEL_ID 200    /* flannel has 1: both may be on a machine */
#define ROUTE_PROTO 200  /* who made a route; those of others are left alone */
#define POD_TABLE 8472   /* routes for packets from our pods alone … */
#define POD_PRIORITY 200 /* … asked before the main table */

/* --- the device --- */

int tunnel_pod_mtu(int netns_fd, const char *ifname, enum ways_mode mode, int family)
{
    struct err ignored;
    struct rtnl_link link;
    struct rtnl *r = rtnl_open(netns_fd, &ignored);
    int mtu = r && rtnl_link(r, ifname, &link) ? link.mtu : 0;
    rtnl_close(r);
    return mtu && mode != WAYS_DIRECT ? mtu - ways_overhead(family) : mtu;
}

static int add_device(struct rtnl *r, const struct ip *local, const unsigned char mac[MAC_LEN], int mtu,
                      struct err *err)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(m, IFLA_IFNAME, TUNNEL_IFNAME);
    mnl_attr_put_u32(m, IFLA_MTU, (uint32_t)mtu);
    mnl_attr_put(m, IFLA_ADDRESS, MAC_LEN, mac);
    struct nlattr *info = mnl_attr_nest_start(m, IFLA_LINKINFO);
    mnl_attr_put_str(m, IFLA_INFO_KIND, "vxlan");
    struct nlattr *data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
    mnl_attr_put_u32(m, IFLA_VXLAN_ID, TUNNEL_ID);
    mnl_attr_put_u16(m, IFLA_VXLAN_PORT, htons(TUNNEL_PORT));
    mnl_attr_put_u8(m, IFLA_VXLAN_LEARNING, 0);
    rtnl_put_ip(m, local->family == AF_INET6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, local);
    mnl_attr_nest_end(m, data);
    mnl_attr_nest_end(m, info);
    return rtnl_change(r, m, EEXIST, err, "create interface", TUNNEL_IFNAME);
}

static int set_mtu(struct rtnl *r, int index, int mtu, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));
    info->ifi_index = index;
    mnl_attr_put_u32(m, IFLA_MTU, (uint32_t)mtu);
    return rtnl_change(r, m, 0, err, "set MTU of", TUNNEL_IFNAME);
}

static int checksums_by_cpu(int netns_fd, struct err *err)
{
    struct ethtool_value off = {.cmd = ETHTOOL_STXCSUM};
    struct ifreq request = {.ifr_name = TUNNEL_IFNAME, .ifr_data = (char *)&off};
    NETNS_SCOPE(netns_fd);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0
               ? err_set(err, errno, "switch off checksum offload of " TUNNEL_IFNAME)
               : 0;
}

static struct nlmsghdr *rule_message(void *buffer, int type, int flags, const struct cidr *from)
{
    struct nlmsghdr *m = rtnl_message(buffer, type, flags);
    struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(m, sizeof(*rule));
    rule->family = (uint8_t)from->ip.family;
    rule->src_len = (uint8_t)from->prefix;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(m, FRA_TABLE, POD_TABLE); /* too large a number for the head */
    mnl_attr_put_u32(m, FRA_PRIORITY, POD_PRIORITY);
    return m;
}

/* What our pods send to a node asks POD_TABLE first. */
static int add_rule(struct rtnl *r, const struct cidr *from, struct err *err)
{
    char buffer[MESSAGE_SIZE], text[CIDR_TEXT_SIZE];
    struct nlmsghdr *m = rule_message(buffer, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, from);
    rtnl_put_ip(m, FRA_SRC, &from->ip);
    return rtnl_change(r, m, EEXIST, err, "set rule for", cidr_format(from, text));
}

static void remove_rules(struct rtnl *r, int family)
{
    char buffer[MESSAGE_SIZE];
    struct cidr any = {.ip.family = family};
    struct err ignored;
    while (rtnl_change(r, rule_message(buffer, RTM_DELRULE, 0, &any), 0, &ignored, "remove", "rule") == 0)
        ;
}

/* One of another address is of another life of this machine. */
static int make_device(struct rtnl *r, const char *ifname, const struct ip *local, struct err *err)
{
    struct rtnl_link link, tunnel;
    unsigned char mac[MAC_LEN];
    ways_mac(local, mac);
    if (!rtnl_link(r, ifname, &link))
        return rtnl_no_link(err, ifname);
    int mtu = link.mtu - ways_overhead(local->family);
    bool there = rtnl_link(r, TUNNEL_IFNAME, &tunnel);
    if (there && memcmp(tunnel.mac, mac, MAC_LEN) != 0) {
        if (rtnl_del_link(r, TUNNEL_IFNAME, err) < 0)
            return -1;
        there = false;
    }
    if (!there)
        return add_device(r, local, mac, mtu, err);
    return tunnel.mtu == mtu ? 0 : set_mtu(r, tunnel.index, mtu, err);
}

int tunnel_up(int netns_fd, const char *ifname, const struct ways_node *own, struct err *err)
{
    struct rtnl *r = rtnl_open(netns_fd, err);
    int result = !r || make_device(r, ifname, &own->ips.ip[0], err) < 0 || checksums_by_cpu(netns_fd, err) < 0 ||
                         sysctl_set(netns_fd, "ipv4/conf/" TUNNEL_IFNAME "/rp_filter", "2", err) < 0 ||
                         rtnl_set_up(r, TUNNEL_IFNAME, err) < 0
                     ? -1
                     : 0;
    for (int i = 0; i < own->pods.n && result == 0; i++) {
        const struct ip gateway = cidr_nth(&own->pods.cidr[i], 1); /* what we send ourselves is answered there */
        result = rtnl_add_addr(r, TUNNEL_IFNAME, &gateway, ip_bits(gateway.family), err) < 0 ||
                         add_rule(r, &own->pods.cidr[i], err) < 0
                     ? -1
                     : 0;
    }
    rtnl_close(r);
    return result;
}

/* --- rows: writing --- */

static int put_route(struct rtnl *r, int index, const struct way *w, bool drop, struct err *err)
{
    char buffer[MESSAGE_SIZE], text[CIDR_TEXT_SIZE];
    struct nlmsghdr *m =
        rtnl_message(buffer, drop ? RTM_DELROUTE : RTM_NEWROUTE, drop ? 0 : NLM_F_CREATE | NLM_F_REPLACE);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(m, sizeof(*route));
    route->rtm_family = (uint8_t)w->dst.ip.family;
    route->rtm_dst_len = (uint8_t)w->dst.prefix;
    route->rtm_table = RT_TABLE_UNSPEC;
    route->rtm_protocol = ROUTE_PROTO;
    route->rtm_type = RTN_UNICAST;
    route->rtm_scope = RT_SCOPE_UNIVERSE;
    route->rtm_flags = w->tunnel ? RTNH_F_ONLINK : 0; /* the gateway is on no link but by its neighbour row */
    mnl_attr_put_u32(m, RTA_TABLE, w->type == WAY_POD_ROUTE ? POD_TABLE : RT_TABLE_MAIN);
    rtnl_put_ip(m, RTA_DST, &w->dst.ip);
    rtnl_put_ip(m, RTA_GATEWAY, &w->via);
    if (w->tunnel)
        mnl_attr_put_u32(m, RTA_OIF, (uint32_t)index);
    return rtnl_change(r, m, drop ? ESRCH : EEXIST, err, drop ? "remove route to" : "add route to",
                       cidr_format(&w->dst, text));
}

static int put_neighbour(struct rtnl *r, int index, const struct way *w, bool drop, struct err *err)
{
    char buffer[MESSAGE_SIZE], text[IP_TEXT_SIZE];
    bool forward = w->type == WAY_FORWARD;
    const struct ip *ip = forward ? &w->via : &w->dst.ip;
    struct nlmsghdr *m =
        rtnl_message(buffer, drop ? RTM_DELNEIGH : RTM_NEWNEIGH, drop ? 0 : NLM_F_CREATE | NLM_F_REPLACE);
    struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(m, sizeof(*neighbour));
    neighbour->ndm_family = (uint8_t)(forward ? AF_BRIDGE : ip->family);
    neighbour->ndm_ifindex = index;
    neighbour->ndm_state = NUD_PERMANENT;
    neighbour->ndm_flags = forward ? NTF_SELF : 0;
    rtnl_put_ip(m, NDA_DST, ip);
    mnl_attr_put(m, NDA_LLADDR, MAC_LEN, w->mac);
    return rtnl_change(r, m, drop ? ENOENT : EEXIST, err, drop ? "forget neighbour" : "set neighbour",
                       ip_format(ip, text));
}

struct writer {
    struct rtnl *rtnl;
    int index; /* of the tunnel; 0: there is none */
    struct err *err;
};

static int write_row(void *arg, const struct way *row, bool drop)
{
    const struct writer *w = arg;
    bool is_route = row->type == WAY_ROUTE || row->type == WAY_POD_ROUTE;
    return (is_route ? put_route : put_neighbour)(w->rtnl, w->index, row, drop, w->err);
}

/* --- rows: reading --- */

struct reader {
    struct ways *ways;
    int index;
};

static int read_route(const struct nlmsghdr *m, void *arg)
{
    const struct reader *reader = arg;
    const struct rtmsg *route = mnl_nlmsg_get_payload(m);
    struct way row = {.dst = {.ip.family = route->rtm_family, .prefix = route->rtm_dst_len}};
    uint32_t table = route->rtm_table;
    struct nlattr *a;
    if (route->rtm_protocol != ROUTE_PROTO || !ip_bits(route->rtm_family))
        return MNL_CB_OK;
    mnl_attr_for_each(a, m, sizeof(*route))
        switch (mnl_attr_get_type(a)) {
        case RTA_TABLE:
            table = mnl_attr_get_u32(a);
            break;
        case RTA_DST:
            (void)rtnl_read_ip(a, route->rtm_family, &row.dst.ip);
            break;
        case RTA_GATEWAY:
            (void)rtnl_read_ip(a, route->rtm_family, &row.via);
            break;
        case RTA_OIF:
            row.tunnel = reader->index && mnl_attr_get_u32(a) == (uint32_t)reader->index;
            break;
        }
    row.type = table == POD_TABLE ? WAY_POD_ROUTE : WAY_ROUTE;
    ways_add(reader->ways, &row);
    return MNL_CB_OK;
}

static int read_neighbour(const struct nlmsghdr *m, void *arg)
{
    static const unsigned char nobody[MAC_LEN];
    const struct reader *reader = arg;
    const struct ndmsg *neighbour = mnl_nlmsg_get_payload(m);
    bool forward = neighbour->ndm_family == AF_BRIDGE;
    struct way row = {.type = forward ? WAY_FORWARD : WAY_NEIGHBOUR, .tunnel = true};
    struct ip ip = {0};
    struct nlattr *a;
    if (!reader->index || neighbour->ndm_ifindex != reader->index || !(neighbour->ndm_state & NUD_PERMANENT))
        return MNL_CB_OK;
    mnl_attr_for_each(a, m, sizeof(*neighbour)) {
        if (mnl_attr_get_type(a) == NDA_DST)
            (void)rtnl_read_ip(a, mnl_attr_get_payload_len(a) == 4 ? AF_INET : AF_INET6, &ip);
        else if (mnl_attr_get_type(a) == NDA_LLADDR && mnl_attr_get_payload_len(a) == MAC_LEN)
            memcpy(row.mac, mnl_attr_get_payload(a), MAC_LEN);
    }
    if (forward)
        row.via = ip;
    else
        row.dst = (struct cidr){.ip = ip, .prefix = ip_bits(ip.family)};
    if (ip.family && memcmp(row.mac, nobody, MAC_LEN) != 0)
        ways_add(reader->ways, &row);
    return MNL_CB_OK;
}

static int dump(struct rtnl *r, int type, int family, mnl_cb_t cb, struct reader *reader, struct err *err)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *m = rtnl_message(buffer, type, NLM_F_DUMP);
    struct ndmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head)); /* as large as rtmsg; both begin alike */
    head->ndm_family = (uint8_t)family;
    int failed = rtnl_talk(r, m, cb, reader);
    return failed ? err_set(err, failed, "read the kernel's %s", type == RTM_GETROUTE ? "routes" : "neighbours") : 0;
}

static int read_rows(struct rtnl *r, int index, struct ways *ret, struct err *err)
{
    struct reader reader = {ret, index};
    *ret = (struct ways){0};
    int result = dump(r, RTM_GETROUTE, AF_UNSPEC, read_route, &reader, err) < 0 ||
                         (index && (dump(r, RTM_GETNEIGH, AF_UNSPEC, read_neighbour, &reader, err) < 0 ||
                                    dump(r, RTM_GETNEIGH, AF_BRIDGE, read_neighbour, &reader, err) < 0))
                     ? -1
                     : 0;
    ways_sort(ret);
    return result;
}

int ways_read(int netns_fd, struct ways *ret, struct err *err)
{
    struct rtnl *r = rtnl_open(netns_fd, err);
    *ret = (struct ways){0};
    int result = r ? read_rows(r, rtnl_index(r, TUNNEL_IFNAME), ret, err) : -1;
    rtnl_close(r);
    return result;
}

int ways_apply(int netns_fd, const struct ways *want, struct err *err)
{
    struct ways have = {0};
    struct rtnl *r = rtnl_open(netns_fd, err);
    if (!r)
        return -1;
    struct writer w = {r, rtnl_index(r, TUNNEL_IFNAME), err};
    int result = read_rows(r, w.index, &have, err) < 0 ? -1 : ways_diff(&have, want, write_row, &w);
    ways_done(&have);
    rtnl_close(r);
    return result;
}

void tunnel_down(int netns_fd)
{
    struct err ignored;
    struct ways have;
    struct rtnl *r = rtnl_open(netns_fd, &ignored);
    if (!r)
        return;
    struct writer w = {r, rtnl_index(r, TUNNEL_IFNAME), &ignored};
    if (read_rows(r, w.index, &have, &ignored) == 0)
        (void)ways_diff(&have, &(struct ways){0}, write_row, &w);
    ways_done(&have);
    (void)rtnl_del_link(r, TUNNEL_IFNAME, &ignored);
    remove_rules(r, AF_INET);
    remove_rules(r, AF_INET6);
    rtnl_close(r);
}
