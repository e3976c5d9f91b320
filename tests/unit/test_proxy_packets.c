/* proxy: what packets meet on every way to a Service, and protocols. test_proxy_packets6.c is the same over IPv6. */
#include "packets.h"

TEST(cluster_ip_reaches_every_endpoint_from_everywhere)
{
    service(CLUSTER);
    endpoints("ab");
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT)); /* the source is kept between pods */
    T_STR(TCP(NODE, VIP, 80), BOTH(GATEWAY));
    T_STR(TCP(OUTSIDE, VIP, 80), BOTH(GATEWAY));
}

TEST(a_pod_reaches_itself)
{
    service(CLUSTER);
    endpoints("ab");
    T_STR(TCP(POD_A, VIP, 80), "a<" GATEWAY " b<" POD "3");
    endpoints("a");
    T_STR(TCP(POD_A, VIP, 80), "a<" GATEWAY);
}

TEST(no_endpoints_means_refused)
{
    service(CLUSTER);
    endpoints("");
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "refused");
    T_STR(ask(NODE, SOCK_STREAM, VIP, 80), "refused");
    T_STR(ask(OUTSIDE, SOCK_STREAM, VIP, 80), "refused");
    service(LB(",'externalIPs':['" EXT_IP "']"));
    settle();
    for (const char *const *ip = (const char *const[]){LB_IP, EXT_IP, NULL}; *ip; ip++)
        for (int place = POD_CLIENT; place < N_PLACES; place++)
            T_STR(ask(place, SOCK_STREAM, *ip, 80), "refused");
    service(CLUSTER);
    endpoints("b");
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 80), "b<" CLIENT);
}

TEST(unknown_ports_are_refused_unknown_addresses_dropped)
{
    service(CLUSTER);
    endpoints("ab");
    T_STR(ask(POD_CLIENT, SOCK_STREAM, VIP, 81), "refused");
    T_STR(ask(NODE, SOCK_STREAM, VIP, 81), "refused");
    T_STR(ask(POD_CLIENT, SOCK_DGRAM, VIP, 80), "refused");
    T_STR(ask_briefly(POD_CLIENT, SOCK_STREAM, SERVICE "77", 80), "silence");
    service(NULL);
    settle();
    T_STR(ask_briefly(POD_CLIENT, SOCK_STREAM, VIP, 80), "silence");
    /* Nothing of ours: as without a proxy. */
    T_STR(ask(POD_CLIENT, SOCK_STREAM, POD "3", SERVER_PORT), "a<" CLIENT);
    T_STR(ask(NODE, SOCK_STREAM, POD "3", SERVER_PORT), "a<" GATEWAY); /* the link's address */
}

TEST(udp_and_its_flows_follow_the_endpoints)
{
    service(CLUSTER_UDP);
    endpoints_on("ab", "UDP", SERVER_PORT);
    T_STR(UDP(POD_CLIENT, VIP, 80), BOTH(CLIENT));
    endpoints_on("a", "UDP", SERVER_PORT);
    int fd = client_socket(POD_CLIENT, SOCK_DGRAM, VIP, 80); /* one flow all the way */
    T_STR(talk(fd, SOCK_DGRAM), "a<" CLIENT);
    endpoints_on("b", "UDP", SERVER_PORT);
    T_STR(talk(fd, SOCK_DGRAM), "b<" CLIENT);
    endpoints_on("", "UDP", SERVER_PORT);
    T_STR(talk(fd, SOCK_DGRAM), "refused");
    endpoints_on("a", "UDP", SERVER_PORT);
    T_STR(talk(fd, SOCK_DGRAM), "a<" CLIENT);
    endpoints_on("ab", "UDP", SERVER_PORT); /* a flow that is fine is left alone */
    for (int i = 0; i < TRIES; i++)
        T_STR(talk(fd, SOCK_DGRAM), "a<" CLIENT);
    close(fd);
}

/* --- SCTP, by hand: the kernel under test may have no SCTP sockets, but it has to translate SCTP all the same --- */

#define SCTP_PORT 9899
struct sctp_init {
    uint16_t from, to;
    uint32_t tag, checksum;
    uint8_t type, flags; /* 1: INIT, 2: INIT ACK */
    uint16_t length;
    uint32_t initiate_tag, window;
    uint16_t streams_out, streams_in;
    uint32_t sequence;
};

static uint32_t crc32c(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint32_t crc = UINT32_MAX;
    while (len--) {
        crc ^= *at++;
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static int sctp_socket(int place)
{
    NETNS_SCOPE(places[place]);
    int fd = socket(FAMILY, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_SCTP);
    T_TRUE(fd >= 0);
    return fd;
}

static void sctp_send(int fd, const char *to, struct sctp_init m)
{
    const union address addr = address(to, 0);
    m.length = htons(20);
    m.initiate_tag = htonl(7);
    m.window = htonl(65536);
    m.streams_out = m.streams_in = htons(1);
    m.checksum = 0;
    m.checksum = htole32(crc32c(&m, sizeof(m)));
    T_INT(sendto(fd, &m, sizeof(m), 0, &addr.any, sizeof(addr)), sizeof(m));
}

/* "10.244.0.2:1234>9899", or "silence". The kernel hands IPv4's header over as well. */
static const char *sctp_receive(int fd)
{
    static char text[64];
    uint8_t in[200];
    char ip[IP_TEXT_SIZE];
    union address from;
    struct sctp_init m;
    size_t header = FAMILY == AF_INET6 ? 0 : 20;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, patience_ms) == 0)
        return "silence";
    T_TRUE(recvfrom(fd, in, sizeof(in), 0, &from.any, &(socklen_t){sizeof(from)}) >= (ssize_t)(header + sizeof(m)));
    memcpy(&m, in + header, sizeof(m));
    snprintf(text, sizeof(text), "%s:%u>%u", ip_of(&from, ip), ntohs(m.from), ntohs(m.to));
    return text;
}

TEST(sctp_is_translated_both_ways)
{
    service("{'spec':{'clusterIP':'" VIP "','ports':[{'port':80,'protocol':'SCTP'}]}}");
    endpoints_on("a", "SCTP", SCTP_PORT);
    _cleanup_close_ int client = sctp_socket(POD_CLIENT), pod = sctp_socket(POD_A);
    sctp_send(client, VIP, (struct sctp_init){.type = 1, .from = htons(1234), .to = htons(80)});
    T_STR(sctp_receive(pod), CLIENT ":1234>9899");
    sctp_send(pod, CLIENT, (struct sctp_init){.type = 2, .from = htons(SCTP_PORT), .to = htons(1234), .tag = htonl(7)});
    T_STR(sctp_receive(client), VIP ":80>1234");
}

TEST(node_ports)
{
    service(NODEPORT(""));
    endpoints("ab");
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY));
    T_STR(TCP(NODE, NODE_IP, 30080), BOTH(GATEWAY));
    T_STR(TCP(POD_CLIENT, NODE_IP, 30080), BOTH(GATEWAY));
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 30081), "refused"); /* the node's own stack */
    endpoints("");
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 30080), "refused");
}

TEST(node_ports_are_answered_where_they_are_wanted)
{
    struct proxy_config elsewhere = config;
    struct ip second[2] = {0};
    T_TRUE(ip_parse(SECOND_IP, &second[0]));
    T_INT(system("ip addr add " SECOND_IP "/" LAN_PREFIX " dev eth0"), 0);
    service(NODEPORT(""));
    endpoints("ab");
    T_STR(ask(OUTSIDE, SOCK_STREAM, SECOND_IP, 30080), "refused"); /* only the primary address */
    T_STR(ask(NODE, SOCK_STREAM, LOCALHOST, 30080), "refused");
    elsewhere.port_ips = second;
    elsewhere.n_port_ips = 1;
    restart(&elsewhere);
    T_STR(TCP(OUTSIDE, SECOND_IP, 30080), BOTH(GATEWAY));
    T_STR(ask(OUTSIDE, SOCK_STREAM, NODE_IP, 30080), "refused");
    T_TRUE(ip_parse(NODE_IP, &second[1]));
    proxy_set_port_ips(proxy, second, 2); /* addresses come and go */
    settle();
    T_STR(TCP(OUTSIDE, SECOND_IP, 30080), BOTH(GATEWAY));
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY));
    proxy_set_port_ips(proxy, &second[1], 1);
    settle();
    T_STR(ask(OUTSIDE, SOCK_STREAM, SECOND_IP, 30080), "refused");
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY));
    proxy_set_port_ips(proxy, NULL, 0);
    settle();
    T_STR(ask(OUTSIDE, SOCK_STREAM, SECOND_IP, 30080), "refused");
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT));
    T_INT(system("ip addr del " SECOND_IP "/" LAN_PREFIX " dev eth0"), 0);
    restart(&config);
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY));
}

/* Every type there is, from every other. */
TEST(types_change_in_every_direction)
{
    static const struct {
        const char *doc, *vip, *node_port, *lb;
    } types[] = {
        {CLUSTER, "a<" CLIENT, "refused", "silence"},
        {NODEPORT(""), "a<" CLIENT, "a<" GATEWAY, "silence"},
        {"{'spec':{'type':'LoadBalancer','clusterIP':'" VIP "','ports':[{'port':80,'nodePort':30080}]},'status':{"
         "'loadBalancer':{'ingress':[{'ip':'" LB_IP "'}]}}}",
         "a<" CLIENT, "a<" GATEWAY, "a<" GATEWAY},
        {"{'spec':{'type':'LoadBalancer','clusterIP':'" VIP "','ports':[{'port':80}]},'status':{'loadBalancer':{"
         "'ingress':[{'ip':'" LB_IP "','ipMode':'Proxy'}]}}}",
         "a<" CLIENT, "refused", "silence"},
        {"{'spec':{'type':'ExternalName','externalName':'x.example'}}", "silence", "refused", "silence"},
        {"{'spec':{'clusterIP':'None','ports':[{'port':80}]}}", "silence", "refused", "silence"},
        {"{'metadata':{'labels':{'service.kubernetes.io/service-proxy-name':'other'}},'spec':{'clusterIP':'" VIP
         "','ports':[{'port':80}]}}",
         "silence", "refused", "silence"},
    };
    service(NULL);
    endpoints("a");
    for (size_t from = 0; from < ARRAY_LEN(types); from++)
        for (size_t to = 0; to < ARRAY_LEN(types); to++) {
            service(types[from].doc);
            settle();
            service(types[to].doc);
            settle();
            if (!streq(ask_briefly(POD_CLIENT, SOCK_STREAM, VIP, 80), types[to].vip) ||
                !streq(ask_briefly(OUTSIDE, SOCK_STREAM, NODE_IP, 30080), types[to].node_port) ||
                !streq(ask_briefly(OUTSIDE, SOCK_STREAM, LB_IP, 80), types[to].lb))
                T_FAIL("from %zu to %zu", from, to);
        }
}

TEST(connections_are_kept_as_long_as_upstream_keeps_them)
{
    static const char *const settings[] = {"close_wait 3600", "established 86400"};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        _cleanup_free_ char *check =
            xasprintf("set -- %s; [ $(cat /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_$1) = $2 ]", settings[i]);
        T_INT(system(check), 0);
    }
}

TEST(more_endpoints_than_exact_chains)
{
    struct buf b = BUF_INIT(0), want = BUF_INIT(0);
    service(CLUSTER);
    model_set_slice(model, "d", "web-1", NULL);
    for (int i = 0; i < N_MANY; i++) {
        char name[24];
        buf_clear(&b);
        buf_addf(&b,
                 "{'metadata':{'labels':{'kubernetes.io/service-name':'web'}},'addressType':'" ADDRESS_TYPE
                 "','endpoints':["
                 "{'addresses':['" POD "%d']}],'ports':[{'port':%d}]}",
                 3 + i % 2, MANY_PORT + i);
        snprintf(name, sizeof(name), "many-%d", i);
        _cleanup_json_ json_t *j = t_doc(buf_str(&b));
        model_set_slice(model, "d", name, j);
        buf_addf(&want, "%s%d", i ? " " : "", MANY_PORT + i);
    }
    settle();
    T_STR(census(POD_CLIENT, SOCK_STREAM, VIP, 80, 1500), buf_str(&want)); /* one is missed once in 10^15 */
    for (int i = 0; i < N_MANY; i++) {
        char name[24];
        snprintf(name, sizeof(name), "many-%d", i);
        model_set_slice(model, "d", name, NULL);
    }
    endpoints("ab");
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT));
    buf_done(&b);
    buf_done(&want);
}

TEST(dns_on_the_node_is_left_alone)
{
    T_STR(ask(POD_CLIENT, SOCK_DGRAM, DNS_IP, 53), "53");
    T_STR(ask(NODE, SOCK_DGRAM, DNS_IP, 53), "53");
}

int main(void)
{
    enter_place();
    RUN(cluster_ip_reaches_every_endpoint_from_everywhere);
    RUN(a_pod_reaches_itself);
    RUN(no_endpoints_means_refused);
    RUN(unknown_ports_are_refused_unknown_addresses_dropped);
    RUN(udp_and_its_flows_follow_the_endpoints);
    RUN(sctp_is_translated_both_ways);
    RUN(node_ports);
    RUN(node_ports_are_answered_where_they_are_wanted);
    RUN(types_change_in_every_direction);
    RUN(connections_are_kept_as_long_as_upstream_keeps_them);
    RUN(more_endpoints_than_exact_chains);
    RUN(dns_on_the_node_is_left_alone);
    leave_place();
    return DONE();
}
