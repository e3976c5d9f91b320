/* proxy: who gets the packets that a policy, a hint, a source range or an affinity says something about.
 * test_proxy_policies6.c is the same over IPv6. */
#include "packets.h"

TEST(external_traffic_policy_local)
{
    service(NODEPORT(",'externalTrafficPolicy':'Local','externalIPs':['" EXT_IP "']"));
    endpoints("aB");
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), "a<" OUTSIDE_IP); /* only here, and the source is kept */
    T_STR(TCP(OUTSIDE, EXT_IP, 80), "a<" OUTSIDE_IP);
    T_STR(TCP(POD_CLIENT, NODE_IP, 30080), BOTH(CLIENT)); /* pods and node see the whole Service */
    T_STR(TCP(NODE, NODE_IP, 30080), BOTH(GATEWAY));
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT));
    endpoints("AB");
    T_STR(ask_briefly(OUTSIDE, SOCK_STREAM, NODE_IP, 30080), "silence");
    T_STR(TCP(POD_CLIENT, EXT_IP, 80), BOTH(CLIENT));
    endpoints("");
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 30080), "refused");
}

/* KEP-1669: each policy by itself. */
TEST(the_last_endpoints_serve_while_they_terminate)
{
    service(NODEPORT(",'externalTrafficPolicy':'Local'"));
    endpoints("a-b");
    T_STR(TCP(POD_CLIENT, VIP, 80), "b<" CLIENT);
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), "b<" OUTSIDE_IP);
    endpoints("a-B"); /* the ready one is elsewhere: policy Local has only the one that ends */
    T_STR(TCP(POD_CLIENT, VIP, 80), "b<" CLIENT);
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), "a<" OUTSIDE_IP);
    endpoints("a-b-");
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT));
    endpoints("a!b-");
    T_STR(TCP(POD_CLIENT, VIP, 80), "b<" CLIENT);
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), "b<" OUTSIDE_IP);
    endpoints("a!");
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "refused");
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 30080), "refused");
}

TEST(internal_traffic_policy_local)
{
    service(NODEPORT(",'internalTrafficPolicy':'Local'"));
    endpoints("aB");
    T_STR(TCP(POD_CLIENT, VIP, 80), "a<" CLIENT);
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY));
    endpoints("B");
    T_STR(ask_briefly(POD_CLIENT, SOCK_STREAM, VIP, 80), "silence");
    endpoints("");
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "refused");
}

static void slice_with_zones(const char *zone_of_a, const char *zone_of_b)
{
    _cleanup_free_ char *text = xasprintf(
        "{'metadata':{'labels':{'kubernetes.io/service-name':'web'}},'addressType':'" ADDRESS_TYPE "','endpoints':["
        "{'addresses':['%s'],'nodeName':'n2','hints':{'forZones':[{'name':'%s'}]}},"
        "{'addresses':['%s'],'nodeName':'n2','hints':{'forZones':[{'name':'%s'}]}}],"
        "'ports':[{'port':%u,'protocol':'TCP'}]}",
        pod_ips[POD_A], zone_of_a, pod_ips[POD_B], zone_of_b, SERVER_PORT);
    _cleanup_json_ json_t *j = t_doc(text);
    model_set_slice(model, "d", "web-1", j);
    settle();
}

static void node_in(const char *zone)
{
    _cleanup_free_ char *text = xasprintf("{'metadata':{'labels':{'topology.kubernetes.io/zone':'%s'}}}", zone);
    _cleanup_json_ json_t *j = t_doc(text);
    model_set_node(model, "n1", j);
    settle();
}

TEST(hints_keep_traffic_near)
{
    service(CLUSTER);
    slice_with_zones("x", "y");
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT)); /* this node is in no zone */
    node_in("x");
    T_STR(TCP(POD_CLIENT, VIP, 80), "a<" CLIENT);
    node_in("y");
    T_STR(TCP(POD_CLIENT, VIP, 80), "b<" CLIENT);
    slice_with_zones("x", "x");
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT)); /* nothing near: anywhere */
    model_set_node(model, "n1", NULL);
}

TEST(load_balancer_source_ranges)
{
    service(LB(""));
    endpoints("ab");
    T_STR(TCP(OUTSIDE, LB_IP, 80), BOTH(GATEWAY));
    service(LB(",'loadBalancerSourceRanges':[" POD_SOURCES "]"));
    settle();
    T_STR(ask_briefly(OUTSIDE, SOCK_STREAM, LB_IP, 80), "silence");
    T_STR(TCP(POD_CLIENT, LB_IP, 80), BOTH(GATEWAY));
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT));
    service(LB(",'loadBalancerSourceRanges':['" OUTSIDE_IP "/" BITS "']"));
    settle();
    T_STR(TCP(OUTSIDE, LB_IP, 80), BOTH(GATEWAY));
    T_STR(ask_briefly(POD_CLIENT, SOCK_STREAM, LB_IP, 80), "silence");
    service("{'spec':{'type':'LoadBalancer','clusterIP':'" VIP "','ports':[{'port':80,'nodePort':30080}],"
            "'loadBalancerSourceRanges':[" POD_SOURCES "]},'status':{'loadBalancer':{'ingress':[{'ip':'" LB_IP
            "'}]}}}");
    settle();
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY)); /* NodePorts are not filtered, for better or worse */
}

TEST(session_affinity)
{
    service(NODEPORT(",'sessionAffinity':'ClientIP'"));
    endpoints("ab");
    bool a_first = streq(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "a<" CLIENT);
    T_STR(TCP(POD_CLIENT, VIP, 80), a_first ? "a<" CLIENT : "b<" CLIENT);
    endpoints(a_first ? "b" : "a"); /* what is gone is forgotten, at once */
    T_STR(TCP(POD_CLIENT, VIP, 80), a_first ? "b<" CLIENT : "a<" CLIENT);
    endpoints("ab"); /* and a newcomer changes nothing for those who have theirs */
    T_STR(TCP(POD_CLIENT, VIP, 80), a_first ? "b<" CLIENT : "a<" CLIENT);
    T_TRUE(strlen(TCP(OUTSIDE, NODE_IP, 30080)) == strlen("a<" GATEWAY));
    T_TRUE(strlen(TCP(POD_A, VIP, 80)) <= strlen("a<" GATEWAY)); /* also when it is itself */
    service(NODEPORT(""));
    settle();
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT)); /* over with the Service's affinity */
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY));
}

#define AFFINITY(seconds)                                                                                              \
    NODEPORT(",'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':" seconds "}}")

TEST(session_affinity_ends_with_its_time)
{
    service(AFFINITY("3600"));
    endpoints("ab");
    ask(POD_CLIENT, SOCK_STREAM, VIP, 80);
    T_INT(system("nft list map " NFT_TABLE " affinity | grep -q 'timeout 1h expires'"), 0);
    service(AFFINITY("1"));
    settle();
    ask(POD_CLIENT, SOCK_STREAM, VIP, 80); /* each connection starts the time anew, as long as it is now */
    T_INT(system("i=0; while nft list map " NFT_TABLE " affinity | grep -q expires; do "
                 "i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done"),
          0);
    T_INT(system("nft list chain " NFT_TABLE " remember_1 | grep -q 'update @affinity'"), 0); /* people can read it */
    T_INT(system("nft list table " NFT_TABLE " >/dev/null && nft -j list table " NFT_TABLE " >/dev/null 2>&1"), 0);
}

/* Upstream's key is client and ServicePort, whatever address was used. */
TEST(session_affinity_is_one_for_all_ways)
{
    static const char all[] = "{'spec':{'type':'LoadBalancer','clusterIP':'" VIP "','externalIPs':['" EXT_IP "'],"
                              "'ports':[{'port':80,'nodePort':30080}],'sessionAffinity':'ClientIP'%s},'status':{"
                              "'loadBalancer':{'ingress':[{'ip':'" LB_IP "'}]}}}";
    static const struct {
        const char *ip;
        uint16_t port;
    } ways[] = {{VIP, 80}, {LB_IP, 80}, {EXT_IP, 80}, {NODE_IP, 30080}};
    static const int clients[] = {POD_CLIENT, OUTSIDE, NODE};
    _cleanup_free_ char *cluster = xasprintf(all, ""), *local = xasprintf(all, ",'externalTrafficPolicy':'Local'");
    service(cluster);
    endpoints("ab");
    for (size_t c = 0; c < ARRAY_LEN(clients); c++) {
        char first = *ask(clients[c], SOCK_STREAM, ways[c].ip, ways[c].port);
        for (int i = 0; i < TRIES; i++)
            T_INT(*ask(clients[c], SOCK_STREAM, ways[i % 4].ip, ways[i % 4].port), first);
    }
    service(local);
    endpoints("aB"); /* who has the one elsewhere is not led there by the ways of policy Local */
    while (*ask(OUTSIDE, SOCK_STREAM, VIP, 80) != 'b') {
        service(NULL);
        settle();
        service(local);
        settle();
    }
    for (int i = 0; i < 12; i++)
        T_STR(ask(OUTSIDE, SOCK_STREAM, ways[1 + i % 3].ip, ways[1 + i % 3].port), "a<" OUTSIDE_IP);
    T_STR(ask(OUTSIDE, SOCK_STREAM, VIP, 80), "b<" GATEWAY);
}

int main(void)
{
    enter_place();
    RUN(external_traffic_policy_local);
    RUN(the_last_endpoints_serve_while_they_terminate);
    RUN(internal_traffic_policy_local);
    RUN(hints_keep_traffic_near);
    RUN(load_balancer_source_ranges);
    RUN(session_affinity);
    RUN(session_affinity_ends_with_its_time);
    RUN(session_affinity_is_one_for_all_ways);
    leave_place();
    return DONE();
}
