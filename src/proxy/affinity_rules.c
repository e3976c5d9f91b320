/* See affinity_rules.h. nft has no word for a key of which one part is looked up in another map, and 1.0.6 aborts on
 * `update` with keys as long as IPv6's. When it lists the rules it does have words:
 *
 *   follow       meta l4proto PROTOCOL dnat to ip saddr . ip daddr . meta l4proto . th dport map @affine map @affinity
 *   remember_N   update @affinity { ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst map @affine
 *                    timeout Ns : ip daddr . th dport }
 *
 * Registers are of four bytes, sixteen in all: client, number of the ServicePort (the key), then the front the number
 * is found by, then the endpoint. IPv6's `remember` takes all of them. */
#include "proxy/affinity_rules.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "proxy/render.h"

enum source { NETWORK, TRANSPORT, META, CT_ORIGINAL };

/* What is loaded, one behind the other; each begins a register. */
struct load {
    enum source source;
    uint32_t what; /* offset in the header, or key */
    uint32_t len;
};

/* Of one family. */
struct loads {
    struct load client, front_now[3], front_original[3], endpoint[2];
};
static const struct loads loads_v4 = {
    .client = {NETWORK, 12, 4},
    .front_now = {{NETWORK, 16, 4}, {META, NFT_META_L4PROTO, 1}, {TRANSPORT, 2, 2}},
    .front_original = {{CT_ORIGINAL, NFT_CT_DST_IP, 4},
                       {META, NFT_META_L4PROTO, 1},
                       {CT_ORIGINAL, NFT_CT_PROTO_DST, 2}},
    .endpoint = {{NETWORK, 16, 4}, {TRANSPORT, 2, 2}},
};
static const struct loads loads_v6 = {
    .client = {NETWORK, 8, 16},
    .front_now = {{NETWORK, 24, 16}, {META, NFT_META_L4PROTO, 1}, {TRANSPORT, 2, 2}},
    .front_original = {{CT_ORIGINAL, NFT_CT_DST_IP6, 16},
                       {META, NFT_META_L4PROTO, 1},
                       {CT_ORIGINAL, NFT_CT_PROTO_DST, 2}},
    .endpoint = {{NETWORK, 24, 16}, {TRANSPORT, 2, 2}},
};

static uint32_t registers(uint32_t len)
{
    return (len + 3) / 4;
}

static void put_u32(struct nlmsghdr *nlh, uint16_t attr, uint32_t value)
{
    mnl_attr_put_u32(nlh, attr, htonl(value));
}

/* --- expressions --- */

struct expression {
    struct nlattr *element, *data;
};

static struct expression expression_start(struct nlmsghdr *nlh, const char *name)
{
    struct expression e = {.element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM)};
    mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
    e.data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
    return e;
}

static void expression_end(struct nlmsghdr *nlh, struct expression e)
{
    mnl_attr_nest_end(nlh, e.data);
    mnl_attr_nest_end(nlh, e.element);
}

static void put_payload(struct nlmsghdr *nlh, const struct load *l, uint32_t reg)
{
    struct expression e = expression_start(nlh, "payload");
    put_u32(nlh, NFTA_PAYLOAD_DREG, reg);
    put_u32(nlh, NFTA_PAYLOAD_BASE, l->source == NETWORK ? NFT_PAYLOAD_NETWORK_HEADER : NFT_PAYLOAD_TRANSPORT_HEADER);
    put_u32(nlh, NFTA_PAYLOAD_OFFSET, l->what);
    put_u32(nlh, NFTA_PAYLOAD_LEN, l->len);
    expression_end(nlh, e);
}

static void put_meta(struct nlmsghdr *nlh, const struct load *l, uint32_t reg)
{
    struct expression e = expression_start(nlh, "meta");
    put_u32(nlh, NFTA_META_KEY, l->what);
    put_u32(nlh, NFTA_META_DREG, reg);
    expression_end(nlh, e);
}

static void put_set_mark(struct nlmsghdr *nlh, uint32_t reg)
{
    struct expression e = expression_start(nlh, "meta");
    put_u32(nlh, NFTA_META_KEY, NFT_META_MARK);
    put_u32(nlh, NFTA_META_SREG, reg);
    expression_end(nlh, e);
}

static void put_ct(struct nlmsghdr *nlh, const struct load *l, uint32_t reg)
{
    struct expression e = expression_start(nlh, "ct");
    put_u32(nlh, NFTA_CT_KEY, l->what);
    put_u32(nlh, NFTA_CT_DREG, reg);
    mnl_attr_put_u8(nlh, NFTA_CT_DIRECTION, IP_CT_DIR_ORIGINAL);
    expression_end(nlh, e);
}

/* Returns the register behind the last. */
static uint32_t put_loads(struct nlmsghdr *nlh, const struct load *loads, size_t n, uint32_t reg)
{
    static void (*const put[])(struct nlmsghdr *, const struct load *, uint32_t) = {
        [NETWORK] = put_payload, [TRANSPORT] = put_payload, [META] = put_meta, [CT_ORIGINAL] = put_ct};
    for (size_t i = 0; i < n; i++) {
        put[loads[i].source](nlh, &loads[i], reg);
        reg += registers(loads[i].len);
    }
    return reg;
}

static void put_lookup(struct nlmsghdr *nlh, const char *map, uint32_t key, uint32_t data)
{
    struct expression e = expression_start(nlh, "lookup");
    mnl_attr_put_strz(nlh, NFTA_LOOKUP_SET, map);
    put_u32(nlh, NFTA_LOOKUP_SREG, key);
    put_u32(nlh, NFTA_LOOKUP_DREG, data);
    expression_end(nlh, e);
}

/* Goes on for that protocol alone. Nothing here needs to know it, but nft, when it reads what it has listed, does. */
static void put_protocol(struct nlmsghdr *nlh, uint8_t protocol)
{
    static const struct load l4proto = {META, NFT_META_L4PROTO, 1};
    put_meta(nlh, &l4proto, NFT_REG32_00);
    struct expression e = expression_start(nlh, "cmp");
    put_u32(nlh, NFTA_CMP_SREG, NFT_REG32_00);
    put_u32(nlh, NFTA_CMP_OP, NFT_CMP_EQ);
    struct nlattr *data = mnl_attr_nest_start(nlh, NFTA_CMP_DATA);
    mnl_attr_put(nlh, NFTA_DATA_VALUE, sizeof(protocol), &protocol);
    mnl_attr_nest_end(nlh, data);
    expression_end(nlh, e);
}

static void put_dnat(struct nlmsghdr *nlh, int family, uint32_t address, uint32_t port)
{
    struct expression e = expression_start(nlh, "nat");
    put_u32(nlh, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    put_u32(nlh, NFTA_NAT_FAMILY, (uint32_t)family);
    put_u32(nlh, NFTA_NAT_REG_ADDR_MIN, address);
    put_u32(nlh, NFTA_NAT_REG_PROTO_MIN, port);
    put_u32(nlh, NFTA_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
    expression_end(nlh, e);
}

static void put_update(struct nlmsghdr *nlh, uint32_t key, uint32_t data, int seconds)
{
    struct expression e = expression_start(nlh, "dynset");
    mnl_attr_put_strz(nlh, NFTA_DYNSET_SET_NAME, "affinity");
    put_u32(nlh, NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
    put_u32(nlh, NFTA_DYNSET_SREG_KEY, key);
    put_u32(nlh, NFTA_DYNSET_SREG_DATA, data);
    mnl_attr_put_u64(nlh, NFTA_DYNSET_TIMEOUT, htobe64((uint64_t)seconds * 1000));
    expression_end(nlh, e);
}

/* --- rules --- */

/* Client and number into the first registers, by way of the front, which is loaded behind them. Returns the first
 * register that is free then. A front that is none of a Service with affinity ends the rule. The packet's mark is set
 * to the number and back: an odd way to leave it as it is, but a number that does not come from the packet makes nft
 * abort when it lists the rule. */
static uint32_t put_key(struct nlmsghdr *nlh, const struct load *client, const struct load front[3])
{
    static const struct load mark = {META, NFT_META_MARK, 4};
    uint32_t number = put_loads(nlh, client, 1, NFT_REG32_00), at = number + 1;
    uint32_t saved = put_loads(nlh, front, 3, at);
    put_lookup(nlh, "affine", at, number);
    put_meta(nlh, &mark, saved);
    put_set_mark(nlh, number);
    put_meta(nlh, &mark, number);
    put_set_mark(nlh, saved);
    return at;
}

static void put_follow(struct nlmsghdr *nlh, int family, const struct loads *l, uint8_t protocol)
{
    put_protocol(nlh, protocol);
    uint32_t endpoint = put_key(nlh, &l->client, l->front_now);
    put_lookup(nlh, "affinity", NFT_REG32_00, endpoint);
    put_dnat(nlh, family, endpoint, endpoint + registers(l->endpoint[0].len));
}

static void put_remember(struct nlmsghdr *nlh, const struct loads *l, int seconds)
{
    uint32_t endpoint = put_key(nlh, &l->client, l->front_original);
    put_loads(nlh, l->endpoint, 2, endpoint);
    put_update(nlh, NFT_REG32_00, endpoint, seconds);
}

static struct nlmsghdr *put_header(char *at, uint16_t type, uint16_t flags, int family, uint16_t res_id)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = AFFINITY_SEQUENCE;
    struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
    nfg->nfgen_family = (uint8_t)family;
    nfg->version = NFNETLINK_V0;
    nfg->res_id = htons(res_id);
    return nlh;
}

static const struct loads *loads_of(int family)
{
    return family == AF_INET6 ? &loads_v6 : &loads_v4;
}

/* A rule of which only the expressions are missing. */
static struct nlmsghdr *rule_start(char *at, uint16_t flags, int family, const char *chain, struct nlattr **list)
{
    struct nlmsghdr *rule =
        put_header(at, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | flags, family, 0);
    mnl_attr_put_strz(rule, NFTA_RULE_TABLE, TABLE);
    mnl_attr_put_strz(rule, NFTA_RULE_CHAIN, chain);
    *list = mnl_attr_nest_start(rule, NFTA_RULE_EXPRESSIONS);
    return rule;
}

static size_t rule_end(struct nlmsghdr *rule, struct nlattr *list)
{
    mnl_attr_nest_end(rule, list);
    return rule->nlmsg_len;
}

static size_t put_batch(uint16_t type, char *at)
{
    return put_header(at, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
}

size_t affinity_follow_message(int family, char out[AFFINITY_MESSAGE_SIZE])
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
    size_t len = put_batch(NFNL_MSG_BATCH_BEGIN, out);
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        struct nlattr *list;
        uint16_t flags = i + 1 == ARRAY_LEN(protocols) ? NLM_F_ACK : 0;
        struct nlmsghdr *rule = rule_start(out + len, flags, family, FOLLOW_CHAIN, &list);
        put_follow(rule, family, loads_of(family), protocols[i]);
        len += rule_end(rule, list);
    }
    return len + put_batch(NFNL_MSG_BATCH_END, out + len);
}

size_t affinity_remember_message(int family, int seconds, char out[AFFINITY_MESSAGE_SIZE])
{
    struct nlattr *list;
    char chain[32];
    snprintf(chain, sizeof(chain), REMEMBER_CHAIN, seconds);
    size_t len = put_batch(NFNL_MSG_BATCH_BEGIN, out);
    struct nlmsghdr *rule = rule_start(out + len, NLM_F_ACK, family, chain, &list);
    put_remember(rule, loads_of(family), seconds);
    len += rule_end(rule, list);
    return len + put_batch(NFNL_MSG_BATCH_END, out + len);
}
