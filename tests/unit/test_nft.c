/* nft: whose turn it is, and which notifications are about a table. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "nft/guard.h"
#include "nft/turn.h"
#include "t.h"

static int granted[3];

static void on_granted(void *arg)
{
    ++*(int *)arg;
}

TEST(who_comes_first_writes_first)
{
    struct turn turn;
    struct turn_ticket t[3];
    turn_init(&turn);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        turn_join(&t[i], &turn, on_granted, &granted[i]);
    T_TRUE(turn_take(&t[0]));
    T_TRUE(!turn_take(&t[1]));
    T_TRUE(!turn_take(&t[2]));
    T_TRUE(!turn_take(&t[1])); /* keeps its place */
    T_INT(granted[1], 0);
    turn_end(&t[0]);
    T_INT(granted[1], 1);
    T_INT(granted[2], 0);
    turn_end(&t[2]); /* leaves the queue: nobody is told */
    T_TRUE(turn_take(&t[1]));
    turn_end(&t[1]);
    turn_end(&t[1]);
    T_INT(granted[0], 0);
    T_INT(granted[2], 0);
    T_TRUE(turn_take(&t[2]));
    turn_end(&t[2]);
}

static struct nlmsghdr *notification(char *buf, uint16_t type, uint8_t family, const char *table)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
    nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
    struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
    nfg->nfgen_family = family;
    if (table)
        mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
    return nlh;
}

TEST(a_guard_hears_of_its_table_alone)
{
    char buf[1024] __attribute__((aligned(8)));
    T_TRUE(guard_concerns(notification(buf, NFT_MSG_DELTABLE, AF_INET, "c8s"), AF_INET, "c8s"));
    T_TRUE(guard_concerns(notification(buf, NFT_MSG_NEWRULE, AF_INET, "c8s"), AF_INET, "c8s"));
    T_TRUE(!guard_concerns(notification(buf, NFT_MSG_DELTABLE, AF_INET6, "c8s"), AF_INET, "c8s"));
    T_TRUE(!guard_concerns(notification(buf, NFT_MSG_DELTABLE, AF_INET, "c8s-policy"), AF_INET, "c8s"));
    T_TRUE(!guard_concerns(notification(buf, NFT_MSG_NEWGEN, AF_INET, "c8s"), AF_INET, "c8s"));
    T_TRUE(!guard_concerns(notification(buf, NFT_MSG_NEWRULE, AF_INET, NULL), AF_INET, "c8s"));
}

int main(void)
{
    RUN(who_comes_first_writes_first);
    RUN(a_guard_hears_of_its_table_alone);
    return DONE();
}
