/* For tests of the proxy with real packets, in network namespaces of their own (needs root): one node with three pods
 * on podnet's links and a host outside on its LAN; the servers a and b answer with their name, the client's address and
 * their port. One address family: with OVER_IPV6 defined it is that one. */
#pragma once
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
static inline union address address(const char *ip, uint16_t port)
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

static inline const char *ip_of(const union address *a, char out[IP_TEXT_SIZE])
{
    return inet_ntop(FAMILY, FAMILY == AF_INET6 ? (const void *)&a->v6.sin6_addr : &a->v4.sin_addr, out, IP_TEXT_SIZE);
}

/* --- servers --- */

static inline int server_socket(int type, const char *ip, uint16_t port)
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

static inline void answer(int fd, const char *name)
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

static inline void serve(int place, const char *name, bool dns)
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

static inline void start_server(int place, const char *name, bool dns)
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
static inline int client_socket(int place, int type, const char *ip, uint16_t port)
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

static inline const char *outcome(int error)
{
    return error == ECONNREFUSED ? "refused" : strerror(error);
}

/* The answer, "refused", or "silence". */
static inline const char *talk(int fd, int type)
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

static inline const char *ask(int place, int type, const char *ip, uint16_t port)
{
    int fd = client_socket(place, type, ip, port);
    if (fd < 0)
        return outcome(errno);
    const char *text = talk(fd, type);
    close(fd);
    return text;
}

static inline const char *ask_briefly(int place, int type, const char *ip, uint16_t port)
{
    patience_ms = 250;
    const char *text = ask(place, type, ip, port);
    patience_ms = 5000;
    return text;
}

static inline int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* All the different answers to `times` questions, sorted; valid until the next call. Silence ends it. */
static inline const char *census(int place, int type, const char *ip, uint16_t port, int times)
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

static inline void settle(void)
{
    while (proxy && !proxy_settled(proxy))
        uv_run(&loop, UV_RUN_ONCE);
}

static inline void service(const char *spec)
{
    _cleanup_json_ json_t *j = spec ? t_doc(spec) : NULL;
    model_set_service(model, "d", "web", j);
}

/* Letters: a and b are ready endpoints on this node, A and B the same servers said to be on another node. Behind one, -
 * makes it terminate, ! fail its readiness as well. */
static inline void endpoints_on(const char *letters, const char *protocol, uint16_t port)
{
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "{'metadata':{'labels':{'kubernetes.io/service-name':'web'}},'addressType':'" ADDRESS_TYPE
                 "','endpoints':[");
    for (const char *c = letters; *c; c++) {
        bool ends = c[1] == '-' || c[1] == '!', fails = c[1] == '!';
        buf_addf(&b, "%s{'addresses':['%s'],'nodeName':'%s','conditions':{'ready':%s,'serving':%s,'terminating':%s}}",
                 c == letters ? "" : ",", pod_ips[(*c | 0x20) == 'a' ? POD_A : POD_B], *c & 0x20 ? "n1" : "n2",
                 ends ? "false" : "true", fails ? "false" : "true", ends ? "true" : "false");
        c += ends;
    }
    buf_addf(&b, "],'ports':[{'port':%u,'protocol':'%s'}]}", port, protocol);
    _cleanup_json_ json_t *j = t_doc(buf_str(&b));
    model_set_slice(model, "d", "web-1", j);
    buf_done(&b);
    settle();
}

static inline void endpoints(const char *letters)
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

static inline void stop(void)
{
    proxy_free(TAKE(proxy));
    while (uv_run(&loop, UV_RUN_NOWAIT))
        ;
}

static inline void start(const struct proxy_config *with)
{
    struct err err;
    proxy = proxy_new(&loop, model, with, &err);
    if (!proxy) {
        fprintf(stderr, "proxy: %s\n", err.msg);
        exit(1);
    }
    settle();
}

static inline void restart(const struct proxy_config *with)
{
    stop();
    start(with);
}

/* --- the place --- */

static inline int namespace_at(const char *name)
{
    char path[128];
    struct err err;
    snprintf(path, sizeof(path), RUN_TMP "/%s", name);
    int fd = netns_create(path, &err);
    if (fd < 0)
        T_FAIL("%s", err.msg);
    return fd;
}

static inline void sh(const char *command)
{
    if (system(command) != 0)
        T_FAIL("failed: %s", command);
}

static inline void build_place(void)
{
    static const char *const pods[] = {"client", "a", "b"};
    struct err err = {0};
    struct podnet *net = podnet_new(-1, PODS_HERE, 0, &err);
    sh("ip link set lo up && ip addr add " DNS_IP "/" BITS " dev lo");
    for (int i = POD_CLIENT; net && i <= POD_B; i++) {
        places[i] = namespace_at(pods[i]);
        if (podnet_add(net, pods[i], places[i], pod_ips[i], sizeof(pod_ips[i]), &err) < 0 ||
            podnet_let_localhost_in(-1, pods[i], &err) < 0)
            T_FAIL("podnet: %s", err.msg);
    }
    T_STR(pod_ips[POD_CLIENT], CLIENT);
    T_STR(pod_ips[POD_B], POD "4");
    podnet_free(net);
    places[OUTSIDE] = namespace_at("outside");
    places[NODE] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    sh("ip link add eth0 type veth peer name lan0 && ip link set lan0 netns " RUN_TMP "/outside && "
       "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad && ip link set eth0 up && ip addr add " NODE_IP "/" LAN_PREFIX
       " dev eth0 && ip route add default via " OUTSIDE_IP);
    sh("nsenter --net=" RUN_TMP "/outside sh -c 'echo 0 | tee /proc/sys/net/ipv6/conf/*/accept_dad >/dev/null'");
    sh("nsenter --net=" RUN_TMP "/outside sh -c 'ip link set lan0 up && ip addr add " OUTSIDE_IP "/" LAN_PREFIX
       " dev lan0 && ip route add default via " NODE_IP " && ip route add " LB_IP "/" BITS " via " NODE_IP "'");
    start_server(POD_A, "a", false);
    start_server(POD_B, "b", false);
    start_server(NODE, "dns", true);
}

static inline void leave_place(void)
{
    proxy_free(proxy);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    model_free(model);
    for (size_t i = 0; i < n_servers; i++) {
        kill(servers[i], SIGKILL);
        waitpid(servers[i], NULL, 0);
    }
    for (int i = 0; i < N_PLACES; i++)
        if (places[i] >= 0)
            close(places[i]);
}

/* Exits when there is nothing to test with. */
static inline void enter_place(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
        mkdir(RUN_TMP, 0700) < 0) {
        perror("tests of packets need root and namespaces of their own");
        exit(1);
    }
    build_place();
    uv_loop_init(&loop);
    model = model_new();
    start(&config);
}
