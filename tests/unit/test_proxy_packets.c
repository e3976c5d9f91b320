/* proxy: real rules and real packets, in network namespaces of the test's own. Needs root. One node with three pods on
 * podnet's links and a host outside on its LAN; the servers a and b answer with their name, the client's address and
 * their port. One address family; test_proxy_packets6.c is the same over IPv6. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/netns.h"
#include "base/str.h"
#include "json/json.h"
#include "podnet/podnet.h"
#include "proxy/proxy.h"
#include "doc.h"

#define RUN_TMP "/run/c8s-test-proxy"
#ifdef OVER_IPV6
#define FAMILY AF_INET6
#define LAN "fd00:172::"
#define POD "fd00:10:244::"
#define SERVICE "fd00:10:96::"
#define BITS "128"
#define LAN_PREFIX "64"
#define PODS "fd00:10:244::/56"
#define PODS_HERE "fd00:10:244::/64"
#define SERVICES "fd00:10:96::/112"
#define LOCALHOST "::1"
#define ELSEWHERE "fd00:192::1"
#define NFT_TABLE "ip6 c8s"
#define ADDRESS_TYPE "IPv6"
#define POD_SOURCES "'fd00:10::/32','fd00:10:1::/48'"
#else
#define FAMILY AF_INET
#define LAN "172.28.128."
#define POD "10.244.0."
#define SERVICE "10.96.0."
#define BITS "32"
#define LAN_PREFIX "24"
#define PODS "10.244.0.0/16"
#define PODS_HERE "10.244.0.0/24"
#define SERVICES "10.96.0.0/12"
#define LOCALHOST "127.0.0.1"
#define ELSEWHERE "192.0.2.1"
#define NFT_TABLE "ip c8s"
#define ADDRESS_TYPE "IPv4"
#define POD_SOURCES "'10.0.0.0/8','10.1.0.0/16'"
#endif
#define NODE_IP LAN "10"
#define SECOND_IP LAN "11"
#define OUTSIDE_IP LAN "1"
#define GATEWAY POD "1"
#define DNS_IP SERVICE "10"
#define SERVER_PORT 8080
#define MANY_PORT 8100 /* and the 39 after it */
#define N_MANY 40

enum { POD_CLIENT, POD_A, POD_B, OUTSIDE, NODE, N_PLACES };
static int places[N_PLACES] = {-1, -1, -1, -1, -1};
static char pod_ips[3][IP_TEXT_SIZE];
static pid_t servers[8];
static size_t n_servers;
static uv_loop_t loop;
static struct model *model;
static struct proxy *proxy;
static int patience_ms = 5000;

static const struct proxy_config config = {.netns_fd = -1,
                                           .node_name = "n1",
                                           .node_ip = NODE_IP,
                                           .cluster_cidr = PODS,
                                           .service_cidr = SERVICES,
                                           .dns_ip = DNS_IP};

/* --- addresses --- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ip NULL: all of the machine's. */
static union address address(const char *ip, uint16_t port)
{
    union address a = {.any.sa_family = FAMILY};
    if (FAMILY == AF_INET6)
        a.v6.sin6_port = htons(port);
    else
        a.v4.sin_port = htons(port);
    if (ip)
        inet_pton(FAMILY, ip, FAMILY == AF_INET6 ? (void *)&a.v6.sin6_addr : &a.v4.sin_addr);
    return a;
}

static const char *ip_of(const union address *a, char out[IP_TEXT_SIZE])
{
    return inet_ntop(FAMILY, FAMILY == AF_INET6 ? (const void *)&a->v6.sin6_addr : &a->v4.sin_addr, out, IP_TEXT_SIZE);
}

/* --- servers --- */

static int server_socket(int type, const char *ip, uint16_t port)
{
    const union address addr = address(ip, port);
    int one = 1, fd = socket(FAMILY, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, &addr.any, sizeof(addr)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
        perror("server");
        _exit(1);
    }
    return fd;
}

static void answer(int fd, const char *name)
{
    union address peer, own;
    socklen_t len = sizeof(peer), own_len = sizeof(own);
    char text[64], ip[IP_TEXT_SIZE], in[16];
    int type = 0, conn = -1;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(type)});
    getsockname(fd, &own.any, &own_len);
    if (type == SOCK_STREAM)
        conn = accept(fd, &peer.any, &len);
    else if (recvfrom(fd, in, sizeof(in), 0, &peer.any, &len) < 0)
        return;
    uint16_t port = ntohs(FAMILY == AF_INET6 ? own.v6.sin6_port : own.v4.sin_port);
    int n = snprintf(text, sizeof(text), "%s<%s", name, ip_of(&peer, ip));
    if (port != SERVER_PORT)
        n = snprintf(text, sizeof(text), "%u", port);
    if (conn >= 0) {
        if (write(conn, text, (size_t)n) != n)
            perror("answer");
        close(conn);
    } else {
        sendto(fd, text, (size_t)n, 0, &peer.any, len);
    }
}

static void serve(int place, const char *name, bool dns)
{
    struct pollfd fds[N_MANY + 2];
    size_t n = 0;
    if (setns(places[place], CLONE_NEWNET) < 0)
        _exit(1);
    if (dns) {
        fds[n++].fd = server_socket(SOCK_DGRAM, DNS_IP, 53);
    } else {
        fds[n++].fd = server_socket(SOCK_STREAM, NULL, SERVER_PORT);
        fds[n++].fd = server_socket(SOCK_DGRAM, NULL, SERVER_PORT);
        for (uint16_t i = 0; i < N_MANY; i++)
            fds[n++].fd = server_socket(SOCK_STREAM, NULL, MANY_PORT + i);
    }
    for (size_t i = 0; i < n; i++)
        fds[i].events = POLLIN;
    kill(getpid(), SIGSTOP); /* ready: the parent waits for it */
    for (;;) {
        poll(fds, n, -1);
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents)
                answer(fds[i].fd, name);
    }
}

static void start_server(int place, const char *name, bool dns)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(place, name, dns);
    }
    waitpid(pid, &status, WUNTRACED);
    if (!WIFSTOPPED(status))
        T_FAIL("server %s did not start", name);
    kill(pid, SIGCONT);
    servers[n_servers++] = pid;
}

/* --- clients --- */

/* Each with a port of its own: one that comes again would meet what connection tracking keeps (120 s) of an earlier
 * question that nobody answered, and go the way of that one. */
static int client_socket(int place, int type, const char *ip, uint16_t port)
{
    static uint16_t own_port = 32768;
    const union address addr = address(ip, port), own = address(NULL, own_port++);
    NETNS_SCOPE(places[place]);
    int fd = socket(FAMILY, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, &own.any, sizeof(own)) < 0 || (connect(fd, &addr.any, sizeof(addr)) < 0 && errno != EINPROGRESS)) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static const char *outcome(int error)
{
    return error == ECONNREFUSED ? "refused" : strerror(error);
}

/* The answer, "refused", or "silence". */
static const char *talk(int fd, int type)
{
    static char text[64];
    struct pollfd p = {.fd = fd, .events = type == SOCK_STREAM ? POLLIN | POLLRDHUP : POLLIN};
    if (type == SOCK_DGRAM && send(fd, "?", 1, 0) < 0)
        return outcome(errno);
    if (poll(&p, 1, patience_ms) == 0)
        return "silence";
    int error = 0;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)});
    ssize_t n = error ? -1 : recv(fd, text, sizeof(text) - 1, 0);
    if (n < 0)
        return outcome(error ? error : errno);
    text[n] = '\0';
    return text;
}

static const char *ask(int place, int type, const char *ip, uint16_t port)
{
    int fd = client_socket(place, type, ip, port);
    if (fd < 0)
        return outcome(errno);
    const char *text = talk(fd, type);
    close(fd);
    return text;
}

static const char *ask_briefly(int place, int type, const char *ip, uint16_t port)
{
    patience_ms = 250;
    const char *text = ask(place, type, ip, port);
    patience_ms = 5000;
    return text;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* All the different answers to `times` questions, sorted; valid until the next call. Silence ends it. */
static const char *census(int place, int type, const char *ip, uint16_t port, int times)
{
    static struct buf b;
    static char seen[N_MANY + 2][64];
    size_t n = 0;
    buf_clear(&b);
    for (int i = 0, silent = 0; i < times && !silent; i++) {
        const char *text = ask(place, type, ip, port);
        silent = streq(text, "silence");
        size_t k = 0;
        while (k < n && !streq(seen[k], text))
            k++;
        if (k == n && n < N_MANY + 1)
            strcpy(seen[n++], text);
    }
    qsort(seen, n, sizeof(seen[0]), compare_texts);
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s%s", i ? " " : "", seen[i]);
    return buf_str(&b);
}

#define TRIES 40 /* one of two endpoints is missed by chance once in 10^12 */
#define TCP(place, ip, port) census(place, SOCK_STREAM, ip, port, TRIES)
#define UDP(place, ip, port) census(place, SOCK_DGRAM, ip, port, TRIES)

/* --- the model's side --- */

static void settle(void)
{
    while (!proxy_settled(proxy))
        uv_run(&loop, UV_RUN_ONCE);
}

static void service(const char *spec)
{
    _cleanup_json_ json_t *j = spec ? t_doc(spec) : NULL;
    model_set_service(model, "d", "web", j);
}

/* Letters: a and b are ready endpoints on this node, A and B the same servers said to be on another node. */
static void endpoints_on(const char *letters, const char *protocol, uint16_t port)
{
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "{'metadata':{'labels':{'kubernetes.io/service-name':'web'}},'addressType':'" ADDRESS_TYPE
                 "','endpoints':[");
    for (const char *c = letters; *c; c++)
        buf_addf(&b, "%s{'addresses':['%s'],'nodeName':'%s'}", c == letters ? "" : ",",
                 pod_ips[(*c | 0x20) == 'a' ? POD_A : POD_B], *c & 0x20 ? "n1" : "n2");
    buf_addf(&b, "],'ports':[{'port':%u,'protocol':'%s'}]}", port, protocol);
    _cleanup_json_ json_t *j = t_doc(buf_str(&b));
    model_set_slice(model, "d", "web-1", j);
    buf_done(&b);
    settle();
}

static void endpoints(const char *letters)
{
    endpoints_on(letters, "TCP", SERVER_PORT);
}

#define VIP SERVICE "9"
#define LB_IP LAN "200"
#define EXT_IP ELSEWHERE
#define CLUSTER "{'spec':{'clusterIP':'" VIP "','ports':[{'port':80}]}}"
#define CLUSTER_UDP "{'spec':{'clusterIP':'" VIP "','ports':[{'port':80,'protocol':'UDP'}]}}"
#define NODEPORT(more)                                                                                                 \
    "{'spec':{'type':'NodePort','clusterIP':'" VIP "','ports':[{'port':80,'nodePort':30080}]" more "}}"
#define LB(more)                                                                                                       \
    "{'spec':{'type':'LoadBalancer','clusterIP':'" VIP "','ports':[{'port':80}]" more "},'status':{'loadBalancer':"    \
    "{'ingress':[{'ip':'" LB_IP "'}]}}}"

/* The pods as the servers see and name them: client .2, a .3, b .4. */
#define BOTH(from) "a<" from " b<" from
#define CLIENT POD "2"

/* --- tests --- */

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

static void stop(void)
{
    proxy_free(proxy);
    while (uv_run(&loop, UV_RUN_NOWAIT))
        ;
}

static void start(const struct proxy_config *with)
{
    struct err err;
    proxy = proxy_new(&loop, model, with, &err);
    settle();
}

static void restart(const struct proxy_config *with)
{
    stop();
    start(with);
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
    elsewhere.n_port_ips = 0;
    restart(&elsewhere);
    T_STR(ask(OUTSIDE, SOCK_STREAM, SECOND_IP, 30080), "refused");
    T_STR(TCP(POD_CLIENT, VIP, 80), BOTH(CLIENT));
    T_INT(system("ip addr del " SECOND_IP "/" LAN_PREFIX " dev eth0"), 0);
    restart(&config);
    T_STR(TCP(OUTSIDE, NODE_IP, 30080), BOTH(GATEWAY));
}

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

/* --- the place --- */

static int namespace_at(const char *name)
{
    char path[128];
    struct err err;
    snprintf(path, sizeof(path), RUN_TMP "/%s", name);
    int fd = netns_create(path, &err);
    if (fd < 0)
        T_FAIL("%s", err.msg);
    return fd;
}

static void sh(const char *command)
{
    if (system(command) != 0)
        T_FAIL("failed: %s", command);
}

static void build_place(void)
{
    static const char *const pods[] = {"client", "a", "b"};
    struct err err = {0};
    struct podnet *net = podnet_new(-1, PODS_HERE, 0, &err);
    sh("ip link set lo up && ip addr add " DNS_IP "/" BITS " dev lo");
    for (int i = POD_CLIENT; net && i <= POD_B; i++) {
        places[i] = namespace_at(pods[i]);
        if (podnet_add(net, pods[i], places[i], pod_ips[i], sizeof(pod_ips[i]), &err) < 0)
            T_FAIL("podnet: %s", err.msg);
    }
    T_STR(pod_ips[POD_CLIENT], CLIENT);
    T_STR(pod_ips[POD_B], POD "4");
    podnet_free(net);
    places[OUTSIDE] = namespace_at("outside");
    places[NODE] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    sh("ip link add eth0 type veth peer name lan0 && ip link set lan0 netns " RUN_TMP "/outside && "
       "ip link set eth0 up && ip addr add " NODE_IP "/" LAN_PREFIX
       " dev eth0 && ip route add default via " OUTSIDE_IP);
    sh("nsenter --net=" RUN_TMP "/outside sh -c 'echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad >/dev/null'");
    sh("nsenter --net=" RUN_TMP "/outside sh -c 'ip link set lan0 up && ip addr add " OUTSIDE_IP "/" LAN_PREFIX
       " dev lan0 && ip route add default via " NODE_IP " && ip route add " LB_IP "/" BITS " via " NODE_IP "'");
    start_server(POD_A, "a", false);
    start_server(POD_B, "b", false);
    start_server(NODE, "dns", true);
}

static void leave_place(void)
{
    for (size_t i = 0; i < n_servers; i++) {
        kill(servers[i], SIGKILL);
        waitpid(servers[i], NULL, 0);
    }
    for (int i = 0; i < N_PLACES; i++)
        if (places[i] >= 0)
            close(places[i]);
}

int main(void)
{
    struct err err;
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
        mkdir(RUN_TMP, 0700) < 0) {
        perror("test_proxy_packets needs root and namespaces of its own");
        return 1;
    }
    build_place();
    uv_loop_init(&loop);
    model = model_new();
    proxy = proxy_new(&loop, model, &config, &err);
    if (!proxy) {
        fprintf(stderr, "test_proxy_packets: %s\n", err.msg);
        return 1;
    }
    RUN(cluster_ip_reaches_every_endpoint_from_everywhere);
    RUN(a_pod_reaches_itself);
    RUN(no_endpoints_means_refused);
    RUN(unknown_ports_are_refused_unknown_addresses_dropped);
    RUN(udp_and_its_flows_follow_the_endpoints);
    RUN(sctp_is_translated_both_ways);
    RUN(node_ports);
    RUN(node_ports_are_answered_where_they_are_wanted);
    RUN(external_traffic_policy_local);
    RUN(internal_traffic_policy_local);
    RUN(hints_keep_traffic_near);
    RUN(types_change_in_every_direction);
    RUN(connections_are_kept_as_long_as_upstream_keeps_them);
    RUN(load_balancer_source_ranges);
    RUN(session_affinity);
    RUN(session_affinity_ends_with_its_time);
    RUN(more_endpoints_than_exact_chains);
    RUN(dns_on_the_node_is_left_alone);
    RUN(rules_changed_by_others_come_back_by_themselves);
    RUN(tables_of_others_are_left_alone_and_mean_nothing);
    RUN(rules_outlive_a_restart);
    proxy_free(proxy);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    model_free(model);
    leave_place();
    return DONE();
}
