/* See conntrack.h: ctnetlink over libmnl. The kernel lists the flows, we pick, it deletes. */
#include "proxy/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "base/alloc.h"

/* One end-to-end direction of a flow. */
struct tuple {
    struct ip src, dst;
    uint8_t protocol;
    uint16_t src_port, dst_port;
};

struct doomed {
    struct tuple original;
    uint16_t zone;
};

struct search {
    int family;
    const struct recheck_list *fronts;
    struct doomed *list;
    size_t n;
};

struct attrs {
    const struct nlattr *by_type[CTA_MAX + 1];
};

static int keep_attr(const struct nlattr *attr, void *data)
{
    struct attrs *a = data;
    if (mnl_attr_get_type(attr) <= CTA_MAX)
        a->by_type[mnl_attr_get_type(attr)] = attr;
    return MNL_CB_OK;
}

static void read_ip(const struct nlattr *attr, struct ip *ret)
{
    size_t len = mnl_attr_get_payload_len(attr);
    ret->family = len == 4 ? AF_INET : len == 16 ? AF_INET6 : 0;
    if (ret->family)
        memcpy(ret->bytes, mnl_attr_get_payload(attr), len);
}

static void read_tuple(const struct nlattr *nest, struct tuple *t)
{
    struct attrs outer = {0}, ip = {0}, proto = {0};
    if (!nest)
        return;
    mnl_attr_parse_nested(nest, keep_attr, &outer);
    if (outer.by_type[CTA_TUPLE_IP])
        mnl_attr_parse_nested(outer.by_type[CTA_TUPLE_IP], keep_attr, &ip);
    if (outer.by_type[CTA_TUPLE_PROTO])
        mnl_attr_parse_nested(outer.by_type[CTA_TUPLE_PROTO], keep_attr, &proto);
    for (int type = CTA_IP_V4_SRC; type <= CTA_IP_V6_DST; type++)
        if (ip.by_type[type])
            read_ip(ip.by_type[type], type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC ? &t->src : &t->dst);
    if (proto.by_type[CTA_PROTO_NUM])
        t->protocol = mnl_attr_get_u8(proto.by_type[CTA_PROTO_NUM]);
    if (proto.by_type[CTA_PROTO_SRC_PORT])
        t->src_port = ntohs(mnl_attr_get_u16(proto.by_type[CTA_PROTO_SRC_PORT]));
    if (proto.by_type[CTA_PROTO_DST_PORT])
        t->dst_port = ntohs(mnl_attr_get_u16(proto.by_type[CTA_PROTO_DST_PORT]));
}

static bool is_unanswered(const struct nlattr *status)
{
    return status && !(ntohl(mnl_attr_get_u32(status)) & IPS_SEEN_REPLY);
}

static int look_at_flow(const struct nlmsghdr *nlh, void *data)
{
    struct search *s = data;
    struct attrs a = {0};
    struct tuple original = {0}, reply = {0};
    mnl_attr_parse(nlh, sizeof(struct nfgenmsg), keep_attr, &a);
    read_tuple(a.by_type[CTA_TUPLE_ORIG], &original);
    read_tuple(a.by_type[CTA_TUPLE_REPLY], &reply);
    bool udp = original.protocol == IPPROTO_UDP, tcp = original.protocol == IPPROTO_TCP;
    if ((!udp && !(tcp && is_unanswered(a.by_type[CTA_STATUS]))) ||
        !recheck_stale(s->fronts,
                       &(struct recheck_key){
                           .ip = original.dst, .protocol = udp ? PROTO_UDP : PROTO_TCP, .port = original.dst_port},
                       &(struct target){reply.src, reply.src_port}))
        return MNL_CB_OK;
    s->list = xrealloc(s->list, (s->n + 1) * sizeof(*s->list));
    s->list[s->n].original = original;
    s->list[s->n++].zone = a.by_type[CTA_ZONE] ? mnl_attr_get_u16(a.by_type[CTA_ZONE]) : 0;
    return MNL_CB_OK;
}

static struct nlmsghdr *put_header(char *buf, int family, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = 1;
    struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
    nfg->nfgen_family = (uint8_t)family;
    nfg->version = NFNETLINK_V0;
    return nlh;
}

static void put_ip(struct nlmsghdr *nlh, uint16_t type, const struct ip *ip)
{
    mnl_attr_put(nlh, type, ip->family == AF_INET ? 4 : 16, ip->bytes);
}

static void put_flow(struct nlmsghdr *nlh, const struct doomed *d)
{
    const struct tuple *t = &d->original;
    bool v4 = t->src.family == AF_INET;
    struct nlattr *tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG), *ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
    put_ip(nlh, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, &t->src);
    put_ip(nlh, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, &t->dst);
    mnl_attr_nest_end(nlh, ip);
    struct nlattr *proto = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t->protocol);
    mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(t->src_port));
    mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(t->dst_port));
    mnl_attr_nest_end(nlh, proto);
    mnl_attr_nest_end(nlh, tuple);
    if (d->zone)
        mnl_attr_put_u16(nlh, CTA_ZONE, d->zone);
}

/* Sends and reads answers until the end of the list or the acknowledgement. */
static int talk(struct mnl_socket *nl, const struct nlmsghdr *nlh, mnl_cb_t look, void *arg)
{
    char answer[16384];
    int r = MNL_CB_OK;
    if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
        return -errno;
    while (r > MNL_CB_STOP) {
        ssize_t n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
        if (n < 0)
            return -errno;
        r = mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(nl), look, arg);
    }
    return r < 0 ? -errno : 0;
}

static int clear(struct mnl_socket *nl, struct search *s)
{
    char request[1024];
    int r = talk(nl, put_header(request, s->family, IPCTNL_MSG_CT_GET, NLM_F_DUMP), look_at_flow, s);
    for (size_t i = 0; i < s->n && r == 0; i++) {
        struct nlmsghdr *nlh = put_header(request, s->family, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);
        put_flow(nlh, &s->list[i]);
        r = talk(nl, nlh, NULL, NULL);
        if (r == -ENOENT) /* it ended by itself */
            r = 0;
    }
    return r;
}

int conntrack_clear(int family, const struct recheck_list *l, struct err *err)
{
    struct search s = {.family = family, .fronts = l};
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!nl)
        return err_set(err, errno, "conntrack: open netlink");
    int result = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : clear(nl, &s);
    mnl_socket_close(nl);
    free(s.list);
    return result < 0 ? err_set(err, -result, "conntrack: clear flows") : 0;
}
