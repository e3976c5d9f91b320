/* proxy: its rules under the hands of others, and over a restart. test_proxy_repair6.c is the same over IPv6. */
#include "packets.h"

static void on_too_late(uv_timer_t *t)
{
    (void)t;
    T_FAIL("nobody repairs the rules");
    exit(1);
}

/* Until the guard has heard of it and all is repaired. */
static void wait_for_repair(void)
{
    static uv_timer_t limit;
    uv_timer_init(&loop, &limit);
    uv_timer_start(&limit, on_too_late, 10000, 0);
    while (proxy_settled(proxy))
        uv_run(&loop, UV_RUN_ONCE);
    settle();
    uv_close((uv_handle_t *)&limit, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

TEST(rules_changed_by_others_come_back_by_themselves)
{
    service(CLUSTER);
    endpoints("b");
    T_INT(system("nft flush ruleset"), 0);
    wait_for_repair();
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "b<" CLIENT);
    T_INT(system("nft flush map " NFT_TABLE " svc"), 0);
    wait_for_repair();
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "b<" CLIENT);
}

TEST(tables_of_others_are_left_alone_and_mean_nothing)
{
    service(CLUSTER);
    endpoints("b");
    T_INT(system("nft 'add table ip other; add chain ip other c; add rule ip other c accept; add table inet c8s'"), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    T_TRUE(proxy_settled(proxy));
    T_INT(system("nft flush table " NFT_TABLE), 0); /* makes it write everything again */
    wait_for_repair();
    T_INT(system("nft list chain ip other c | grep -q accept && nft list table inet c8s >/dev/null"), 0);
    T_INT(system("nft delete table ip other && nft delete table inet c8s"), 0);
}

TEST(rules_outlive_a_restart)
{
    service(CLUSTER);
    endpoints("b");
    stop();
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "b<" CLIENT);
    start(&config);
    endpoints("a");
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "a<" CLIENT);
    T_STR(ask(NODE, SOCK_STREAM, VIP, 80), "a<" GATEWAY);
}

TEST(clients_keep_their_endpoint_over_a_restart)
{
    service(NODEPORT(",'sessionAffinity':'ClientIP'"));
    endpoints("ab");
    char first = *ask(POD_CLIENT, SOCK_STREAM, VIP, 80);
    for (int i = 0; i < 4; i++) {
        stop();
        start(&config);
        T_INT(*ask(POD_CLIENT, SOCK_STREAM, VIP, 80), first);
    }
    T_INT(system("nft flush chain " NFT_TABLE " follow"), 0); /* others' hands are no reason either */
    wait_for_repair();
    for (int i = 0; i < TRIES; i++)
        T_INT(*ask(POD_CLIENT, SOCK_STREAM, VIP, 80), first);
    stop();
    endpoints(first == 'a' ? "b" : "a");
    start(&config);
    T_TRUE(*ask(POD_CLIENT, SOCK_STREAM, VIP, 80) != first); /* who went meanwhile is forgotten */
}

TEST(what_nft_lists_can_be_loaded)
{
    service(CLUSTER);
    endpoints("ab");
    T_INT(system("nft list table " NFT_TABLE " | unshare --net nft -f -"), 0);
}

int main(void)
{
    enter_place();
    RUN(rules_changed_by_others_come_back_by_themselves);
    RUN(tables_of_others_are_left_alone_and_mean_nothing);
    RUN(rules_outlive_a_restart);
    RUN(what_nft_lists_can_be_loaded);
    RUN(clients_keep_their_endpoint_over_a_restart);
    leave_place();
    return DONE();
}
