/* See remember.h. The rule is written in the kernel's own instructions because nft 1.0.6 cannot say it for IPv6: it
 * sets aside four registers for the key of `update` however long that is, which IPv4's just fits, and aborts beyond
 * ("dreg < ctx->reg_low"). Key and endpoint are ten and five of the sixteen there are. In words of nft:
 *
 *   update @affinity { ip6 saddr . ct original ip6 daddr . meta l4proto . ct original proto-dst timeout Ns :
 *                      ip6 daddr . th dport } */
#include "proxy/remember.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "proxy/render.h"

enum source { NETWORK, TRANSPORT, META, CT_ORIGINAL };

/* What is loaded, one behind the other; each begins a register of four bytes. */
struct load {
    enum source source;
    uint32_t what; /* offset in the header, or key */
    uint32_t len;
};
#define N_KEY 4
static const struct load loads_v4[] = {
    {NETWORK, 12, 4},
    {CT_ORIGINAL, NFT_CT_DST_IP, 4},
    {META, NFT_META_L4PROTO, 1},
    {CT_ORIGINAL, NFT_CT_PROTO_DST, 2},
    {NETWORK, 16, 4},
    {TRANSPORT, 2, 2},
};
static const struct load loads_v6[] = {
    {NETWORK, 8, 16},
    {CT_ORIGINAL, NFT_CT_DST_IP6, 16},
    {META, NFT_META_L4PROTO, 1},
    {CT_ORIGINAL, NFT_CT_PROTO_DST, 2},
    {NETWORK, 24, 16},
    {TRANSPORT, 2, 2},
};
_Static_assert(ARRAY_LEN(loads_v4) == ARRAY_LEN(loads_v6), "the same parts in both families");

static void put_u32(struct nlmsghdr *nlh, uint16_t attr, uint32_t value)
{
    mnl_attr_put_u32(nlh, attr, htonl(value));
}

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

static void put_ct(struct nlmsghdr *nlh, const struct load *l, uint32_t reg)
{
    struct expression e = expression_start(nlh, "ct");
    put_u32(nlh, NFTA_CT_KEY, l->what);
    put_u32(nlh, NFTA_CT_DREG, reg);
    mnl_attr_put_u8(nlh, NFTA_CT_DIRECTION, IP_CT_DIR_ORIGINAL);
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

static void put_expressions(struct nlmsghdr *nlh, int family, int seconds)
{
    static void (*const put[])(struct nlmsghdr *, const struct load *, uint32_t) = {
        [NETWORK] = put_payload, [TRANSPORT] = put_payload, [META] = put_meta, [CT_ORIGINAL] = put_ct};
    const struct load *loads = family == AF_INET6 ? loads_v6 : loads_v4;
    struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
    uint32_t reg = NFT_REG32_00, data = 0;
    for (size_t i = 0; i < ARRAY_LEN(loads_v4); i++) {
        if (i == N_KEY)
            data = reg;
        put[loads[i].source](nlh, &loads[i], reg);
        reg += (loads[i].len + 3) / 4;
    }
    put_update(nlh, NFT_REG32_00, data, seconds);
    mnl_attr_nest_end(nlh, list);
}

static struct nlmsghdr *put_header(char *at, uint16_t type, uint16_t flags, int family, uint16_t res_id)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = REMEMBER_SEQUENCE;
    struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
    nfg->nfgen_family = (uint8_t)family;
    nfg->version = NFNETLINK_V0;
    nfg->res_id = htons(res_id);
    return nlh;
}

size_t remember_message(int family, int seconds, char out[REMEMBER_MESSAGE_SIZE])
{
    char chain[32];
    snprintf(chain, sizeof(chain), REMEMBER_CHAIN, seconds);
    size_t len = put_header(out, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
    struct nlmsghdr *rule = put_header(out + len, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
                                       NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, family, 0);
    mnl_attr_put_strz(rule, NFTA_RULE_TABLE, TABLE);
    mnl_attr_put_strz(rule, NFTA_RULE_CHAIN, chain);
    put_expressions(rule, family, seconds);
    len += rule->nlmsg_len;
    return len + put_header(out + len, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
}
