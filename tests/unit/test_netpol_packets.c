/* netpol: real rules and real packets, in network namespaces of the test's own, over IPv4 and IPv6. Needs root. One
 * node with three pods on podnet's links (client and a in namespace x, b in y) and a host outside on its LAN. Policies
 * come from an API in memory, through the feed and the writer that nodes have. */
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

#include "base/ip.h"
#include "base/netns.h"
#include "doc.h"
#include "fake_client.h"
#include "netpol/netpol.h"
#include "podnet/podnet.h"

#define RUN_TMP "/run/c8s-test-netpol"
#define CLIENT_4 "10.244.0.2"
#define A_4 "10.244.0.3"
#define A_6 "fd00:10:244::3"
#define B_4 "10.244.0.4"
#define B_6 "fd00:10:244::4"
#define NODE_4 "172.28.128.10"
#define OUTSIDE_4 "172.28.128.1"
#define DNS_4 "10.96.0.10"
#define VIP "10.96.0.9" /* of a Service with endpoint a, port 80 to 8080 */
#define PORT 8080
#define OTHER_PORT 8081

enum { CLIENT, A, B, OUTSIDE, NODE, N_PLACES };
static int places[N_PLACES] = {-1, -1, -1, -1, -1};
static const char *const pods[] = {"client", "a", "b"}; /* names and uids */
static pid_t servers[4];
static size_t n_servers;
static uv_loop_t loop;
static struct fake *fake;
static struct netpol_feed *feed;
static struct netpol *netpol;
static int n_guarded;

static void on_guarded(void *arg)
{
    (void)arg;
    n_guarded++;
}

static const struct netpol_config config = {.netns_fd = -1,
                                            .node_name = "n1",
                                            .cluster_cidr = "10.244.0.0/16,fd00:10:244::/56",
                                            .dns_ips = DNS_4,
                                            .guarded = on_guarded};

/* --- servers and clients --- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address address(const char *ip, uint16_t port)
{
    union address a = {.any.sa_family = strchr(ip, ':') ? AF_INET6 : AF_INET};
    if (a.any.sa_family == AF_INET6)
        a.v6.sin6_port = htons(port);
    else
        a.v4.sin_port = htons(port);
    inet_pton(a.any.sa_family, ip, a.any.sa_family == AF_INET6 ? (void *)&a.v6.sin6_addr : &a.v4.sin_addr);
    return a;
}

static int server_socket(int type, const char *ip, uint16_t port)
{
    const union address addr = address(ip, port);
    int one = 1, zero = 0, fd = socket(addr.any.sa_family, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)); /* both families on one socket */
    if (bind(fd, &addr.any, sizeof(addr)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
        perror("server");
        _exit(1);
    }
    return fd;
}

static void answer(int fd)
{
    union address peer;
    socklen_t len = sizeof(peer);
    int type = 0, conn;
    char in[16];
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof(type)});
    if (type == SOCK_STREAM) {
        if ((conn = accept(fd, NULL, NULL)) >= 0 && fork() == 0) { /* echoes as long as the other likes */
            ssize_t n;
            while ((n = read(conn, in, sizeof(in))) > 0 && write(conn, in, (size_t)n) == n)
                ;
            _exit(0);
        }
        close(conn);
    } else if (recvfrom(fd, in, sizeof(in), 0, &peer.any, &len) > 0) {
        sendto(fd, "!", 1, 0, &peer.any, len);
    }
}

static void serve(int place)
{
    struct pollfd fds[4];
    size_t n = 0;
    if (setns(places[place], CLONE_NEWNET) < 0)
        _exit(1);
    signal(SIGCHLD, SIG_IGN);
    fds[n++].fd = server_socket(SOCK_STREAM, "::", PORT);
    fds[n++].fd = server_socket(SOCK_DGRAM, "::", PORT);
    fds[n++].fd = server_socket(SOCK_STREAM, "::", OTHER_PORT);
    if (place == NODE)
        fds[n++].fd = server_socket(SOCK_DGRAM, DNS_4, 53);
    for (size_t i = 0; i < n; i++)
        fds[i].events = POLLIN;
    kill(getpid(), SIGSTOP); /* ready: the parent waits for it */
    for (;;) {
        poll(fds, n, -1);
        for (size_t i = 0; i < n; i++)
            if (fds[i].revents)
                answer(fds[i].fd);
    }
}

static void start_server(int place)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(place);
    }
    waitpid(pid, &status, WUNTRACED);
    if (!WIFSTOPPED(status))
        T_FAIL("no server in place %d", place);
    kill(pid, SIGCONT);
    servers[n_servers++] = pid;
}

static int open_client(int place, int type, const char *ip, uint16_t port)
{
    const union address addr = address(ip, port);
    NETNS_SCOPE(places[place]);
    int fd = socket(addr.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connect(fd, &addr.any, sizeof(addr)) < 0 && errno != EINPROGRESS)
        T_FAIL("connect to %s: %s", ip, strerror(errno));
    return fd;
}

/* Sends something as soon as that is possible, and waits for the answer. */
static bool talk(int fd, int patience_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    char in[16];
    if (poll(&p, 1, patience_ms) != 1 || (p.revents & (POLLERR | POLLHUP)) || send(fd, "?", 1, MSG_NOSIGNAL) != 1)
        return false;
    p.events = POLLIN;
    return poll(&p, 1, patience_ms) == 1 && recv(fd, in, sizeof(in), 0) > 0;
}

#define PATIENCE_MS 10000
#define SILENCE_MS 150 /* long enough for most answers that should not come; who waits for one waits longer */

static void check(const char *where, int line, int place, int type, const char *ip, uint16_t port, bool want)
{
    int fd = open_client(place, type, ip, port);
    if (talk(fd, want ? PATIENCE_MS : SILENCE_MS) != want)
        T_FAIL("%s:%d: %s port %u %s", where, line, ip, port, want ? "does not answer" : "answers");
    close(fd);
}
#define TCP(place, ip, want) check(__FILE__, __LINE__, place, SOCK_STREAM, ip, PORT, want)
#define TCP_OTHER(place, ip, want) check(__FILE__, __LINE__, place, SOCK_STREAM, ip, OTHER_PORT, want)
#define UDP(place, ip, want) check(__FILE__, __LINE__, place, SOCK_DGRAM, ip, PORT, want)

/* --- the API --- */

static void put(const struct kind *k, const char *text)
{
    _cleanup_json_ json_t *doc = t_doc(text);
    _cleanup_free_ char *json = jprint(doc);
    fake_set(fake, k, json);
}

static void settle(void)
{
    while (!fake_idle(fake) || !netpol_settled(netpol))
        uv_run(&loop, UV_RUN_ONCE);
}

static void policy(const char *ns, const char *name, const char *spec)
{
    _cleanup_free_ char *text = xasprintf("{'metadata':{'name':'%s','namespace':'%s'},'spec':%s}", name, ns, spec);
    put(&kind_networkpolicy, text);
    settle();
}

static void no_policy(const char *ns, const char *name)
{
    fake_delete(fake, &kind_networkpolicy, ns, name);
    settle();
}

static void put_pod(int place, const char *labels)
{
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'name':'%s','namespace':'%s','uid':'%s','labels':{%s}},'spec':{'nodeName':'n1',"
                  "'containers':[{'ports':[{'name':'main','containerPort':8080},{'name':'main-udp','containerPort':"
                  "8080,'protocol':'UDP'}]}]},'status':{'phase':'Running','podIPs':[{'ip':'10.244.0.%d'},{'ip':"
                  "'fd00:10:244::%d'}]}}",
                  pods[place], place == B ? "y" : "x", pods[place], labels, 2 + place, 2 + place);
    put(&kind_pod, text);
    settle();
}

static bool has_table(void)
{
    return system("nft list table inet c8s-policy >/dev/null 2>&1") == 0;
}

#define NOTHING "{'podSelector':{},'policyTypes':['Ingress','Egress']}"
#define CLOSED "{'podSelector':{},'policyTypes':['Ingress']}"

/* --- tests --- */

TEST(without_policies_everything_passes_and_there_is_no_table)
{
    T_TRUE(!has_table());
    TCP(CLIENT, A_4, true);
    TCP(CLIENT, B_6, true);
    UDP(B, A_4, true);
    TCP(OUTSIDE, A_4, true);
    TCP(NODE, A_4, true);
    TCP(A, NODE_4, true);
}

TEST(ingress_is_denied_by_default)
{
    policy("x", "p", CLOSED);
    TCP(B, A_4, false);
    TCP(B, A_6, false);
    UDP(B, A_4, false);
    TCP(CLIENT, A_4, false); /* on one node as between two */
    TCP(OUTSIDE, A_4, false);
    TCP(NODE, A_4, true); /* probes */
    TCP(NODE, A_6, true);
    TCP(A, B_4, true); /* and its answer */
    UDP(A, B_6, true);
    TCP(A, NODE_4, true);
    no_policy("x", "p");
    TCP(B, A_4, true);
    T_TRUE(!has_table());
}

TEST(egress_is_denied_by_default)
{
    policy("x", "p", "{'podSelector':{},'policyTypes':['Egress']}");
    TCP(A, B_4, false);
    UDP(A, B_6, false);
    TCP(A, OUTSIDE_4, false);
    TCP(A, NODE_4, false);
    TCP(NODE, A_4, true); /* the answer passes */
    TCP(B, A_4, true);
    UDP(B, A_6, true); /* by now the neighbours had to be asked for */
    no_policy("x", "p");
}

TEST(selectors_follow_labels)
{
    policy("x", "p",
           "{'podSelector':{'matchLabels':{'app':'web'}},'ingress':[{'from':[{'podSelector':{'matchLabels':{'role':"
           "'client'}}}]}]}");
    put_pod(A, "'app':'web'");
    TCP(CLIENT, A_4, false);
    TCP(B, A_4, false);
    put_pod(CLIENT, "'role':'client'");
    TCP(CLIENT, A_4, true);
    TCP(CLIENT, A_6, true);
    TCP(B, A_4, false);
    put_pod(B, "'role':'client'"); /* of another namespace */
    TCP(B, A_4, false);
    policy("x", "p",
           "{'podSelector':{'matchLabels':{'app':'web'}},'ingress':[{'from':[{'namespaceSelector':{'matchLabels':{"
           "'team':'y'}},'podSelector':{'matchLabels':{'role':'client'}}}]}]}");
    TCP(CLIENT, A_4, false);
    TCP(B, A_4, true);
    put(&kind_namespace, "{'metadata':{'name':'y','labels':{'team':'z'}}}");
    settle();
    TCP(B, A_4, false);
    put(&kind_namespace, "{'metadata':{'name':'y','labels':{'team':'y'}}}");
    settle();
    TCP(B, A_6, true);
    put_pod(A, "");
    TCP(CLIENT, A_4, true);
    no_policy("x", "p");
}

TEST(ports_and_protocols)
{
    policy("x", "p", "{'podSelector':{},'ingress':[{'ports':[{'port':8080}]}]}");
    TCP(B, A_4, true);
    TCP(B, A_6, true);
    UDP(B, A_4, false);
    TCP_OTHER(B, A_4, false);
    policy("x", "p", "{'podSelector':{},'ingress':[{'ports':[{'port':'main-udp','protocol':'UDP'}]}]}");
    UDP(B, A_4, true);
    TCP(B, A_4, false);
    policy("x", "p", "{'podSelector':{},'ingress':[{'ports':[{'port':8081,'endPort':9000},{'protocol':'UDP'}]}]}");
    TCP_OTHER(B, A_6, true);
    UDP(B, A_6, true);
    TCP(B, A_4, false);
    policy("x", "p",
           "{'podSelector':{},'policyTypes':['Egress'],'egress':[{'ports':[{'port':'main'}],'to':[{"
           "'namespaceSelector':{}}]}]}");
    TCP(A, B_4, true);
    TCP(A, B_6, true);
    TCP_OTHER(A, B_4, false);
    UDP(A, B_4, false);
    no_policy("x", "p");
}

TEST(ranges_of_addresses)
{
    policy("x", "p",
           "{'podSelector':{},'policyTypes':['Egress'],'egress':[{'to':[{'ipBlock':{'cidr':'0.0.0.0/0','except':["
           "'10.244.0.0/16']}},{'ipBlock':{'cidr':'fd00:10:244::4/128'}}]}]}");
    TCP(A, OUTSIDE_4, true);
    TCP(A, NODE_4, true);
    TCP(A, B_4, false);
    TCP(A, B_6, true);
    policy("x", "p", "{'podSelector':{},'ingress':[{'from':[{'ipBlock':{'cidr':'172.28.128.0/24'}}]}]}");
    TCP(OUTSIDE, A_4, true);
    TCP(B, A_4, false);
    no_policy("x", "p");
}

TEST(services_are_judged_by_their_endpoints)
{
    policy("x", "p",
           "{'podSelector':{},'policyTypes':['Egress'],'egress':[{'ports':[{'port':8080}],'to':[{"
           "'podSelector':{}}]}]}");
    check(__FILE__, __LINE__, CLIENT, SOCK_STREAM, VIP, 80, true);
    policy("x", "p", "{'podSelector':{},'policyTypes':['Egress'],'egress':[{'ports':[{'port':80}]}]}");
    check(__FILE__, __LINE__, CLIENT, SOCK_STREAM, VIP, 80, false);
    policy("x", "p", NOTHING);
    check(__FILE__, __LINE__, A, SOCK_STREAM, VIP, 80, true); /* a pod reaches itself */
    check(__FILE__, __LINE__, NODE, SOCK_STREAM, VIP, 80, true);
    check(__FILE__, __LINE__, OUTSIDE, SOCK_STREAM, VIP, 80, false);
    no_policy("x", "p");
}

TEST(cluster_dns_is_meant_by_its_labels)
{
    policy("x", "p", NOTHING);
    check(__FILE__, __LINE__, A, SOCK_DGRAM, DNS_4, 53, false);
    policy("x", "dns",
           "{'podSelector':{},'policyTypes':['Egress'],'egress':[{'to':[{'namespaceSelector':{'matchLabels':{"
           "'kubernetes.io/metadata.name':'kube-system'}},'podSelector':{'matchLabels':{'k8s-app':'kube-dns'}}}],"
           "'ports':[{'port':53,'protocol':'UDP'},{'port':53}]}]}");
    check(__FILE__, __LINE__, A, SOCK_DGRAM, DNS_4, 53, true);
    check(__FILE__, __LINE__, A, SOCK_STREAM, DNS_4, PORT, false);
    no_policy("x", "dns");
    check(__FILE__, __LINE__, A, SOCK_DGRAM, DNS_4, 53, false);
    no_policy("x", "p");
}

TEST(nobody_escapes_by_another_address)
{
    policy("x", "p", NOTHING);
    T_INT(system("nsenter --net=" RUN_TMP "/a ip addr add 10.244.0.77/32 dev lo"), 0);
    const union address own = address("10.244.0.77", 0), to = address(NODE_4, PORT);
    int fd;
    {
        NETNS_SCOPE(places[A]);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    T_INT(bind(fd, &own.any, sizeof(own)), 0);
    T_INT(system("ip route add 10.244.0.77/32 via " A_4 " dev $(ip -o route get " A_4 " | grep -o 'pod[0-9a-f]*')"), 0);
    T_TRUE(connect(fd, &to.any, sizeof(to)) < 0 && errno == EINPROGRESS);
    T_TRUE(!talk(fd, SILENCE_MS));
    no_policy("x", "p");
    T_TRUE(talk(fd, PATIENCE_MS));
    close(fd);
    T_INT(system("nsenter --net=" RUN_TMP "/a ip addr del 10.244.0.77/32 dev lo"), 0);
}

TEST(connections_go_on_when_policies_change)
{
    int fd = open_client(B, SOCK_STREAM, A_4, PORT);
    T_TRUE(talk(fd, PATIENCE_MS));
    policy("x", "p", NOTHING);
    T_TRUE(talk(fd, PATIENCE_MS));
    TCP(B, A_4, false);
    close(fd);
    no_policy("x", "p");
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
    static uv_timer_t limit; /* keeps the loop alive, too */
    uv_timer_init(&loop, &limit);
    uv_timer_start(&limit, on_too_late, 20000, 0);
    while (!has_table())
        uv_run(&loop, UV_RUN_ONCE);
    settle();
    uv_close((uv_handle_t *)&limit, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

TEST(rules_changed_by_others_come_back_by_themselves)
{
    policy("x", "p", CLOSED);
    T_INT(system("nft add table ip other && nft delete table inet c8s-policy"), 0);
    wait_for_repair();
    TCP(B, A_4, false);
    T_INT(system("nft list table ip other >/dev/null && nft delete table ip other"), 0);
    T_INT(system("nft flush ruleset"), 0);
    wait_for_repair();
    TCP(B, A_4, false);
    no_policy("x", "p");
}

static void start(void)
{
    struct err err;
    feed = netpol_feed_new(&fake->client);
    netpol = netpol_new(feed, &config, &loop, &err);
    if (!netpol) {
        fprintf(stderr, "test_netpol_packets: %s\n", err.msg);
        exit(1);
    }
    settle();
}

static void stop(void)
{
    netpol_free(netpol);
    netpol_feed_free(feed);
}

TEST(rules_outlive_a_restart)
{
    policy("x", "p", CLOSED);
    stop();
    TCP(B, A_4, false);
    start();
    TCP(B, A_4, false);
    policy("x", "p", "{'podSelector':{},'ingress':[{}]}");
    TCP(B, A_4, true);
    stop();
    fake_delete(fake, &kind_networkpolicy, "x", "p");
    start();
    T_TRUE(!has_table()); /* of a policy that went meanwhile */
}

TEST(a_pod_is_guarded_once_its_rules_are_there)
{
    T_TRUE(netpol_guards(netpol, "new")); /* no policies: nothing to wait for */
    fake_set(fake, &kind_networkpolicy,
             "{\"metadata\":{\"name\":\"p\",\"namespace\":\"x\"},\"spec\":{\"podSelector\":{}}}");
    settle();
    T_TRUE(netpol_guards(netpol, "a"));
    T_TRUE(!netpol_guards(netpol, "new")); /* nothing is known of it */
    n_guarded = 0;
    put(&kind_pod, "{'metadata':{'name':'new','namespace':'x','uid':'new'},'spec':{'nodeName':'n1'}}");
    while (!n_guarded)
        uv_run(&loop, UV_RUN_ONCE);
    while (!netpol_guards(netpol, "new"))
        uv_run(&loop, UV_RUN_ONCE);
    T_INT(system("nft list map inet c8s-policy ingress | grep -q x/new"), 0); /* without an address, without a link */
    fake_delete(fake, &kind_pod, "x", "new");
    settle();
    no_policy("x", "p");
}

/* --- the place --- */

static int namespace_at(const char *name)
{
    _cleanup_free_ char *path = xasprintf(RUN_TMP "/%s", name);
    struct err err;
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
    struct err err = {0};
    char ips[IPS_TEXT_SIZE];
    struct podnet *net = podnet_new(-1, "10.244.0.0/24,fd00:10:244::/64", 0, &err);
    sh("ip link set lo up && ip addr add " DNS_4 "/32 dev lo");
    for (int i = CLIENT; net && i <= B; i++) {
        places[i] = namespace_at(pods[i]);
        if (podnet_add(net, pods[i], places[i], ips, sizeof(ips), &err) < 0)
            T_FAIL("podnet: %s", err.msg);
    }
    T_STR(ips, B_4 "," B_6);
    podnet_free(net);
    places[OUTSIDE] = namespace_at("outside");
    places[NODE] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    sh("ip link add eth0 type veth peer name lan0 && ip link set lan0 netns " RUN_TMP "/outside && "
       "ip link set eth0 up && ip addr add " NODE_4 "/24 dev eth0 && ip route add default via " OUTSIDE_4);
    sh("nsenter --net=" RUN_TMP "/outside sh -c 'ip link set lan0 up && ip addr add " OUTSIDE_4
       "/24 dev lan0 && ip route add default via " NODE_4 "'");
    /* What the Service proxy would do, in short. */
    sh("nft -f - <<.\n"
       "table ip services {\n"
       " chain pre { type nat hook prerouting priority -100; ip daddr " VIP " tcp dport 80 dnat to " A_4 ":8080; }\n"
       " chain out { type nat hook output priority -100; ip daddr " VIP " tcp dport 80 dnat to " A_4 ":8080; }\n"
       " chain post { type nat hook postrouting priority 100; ct status dnat ip saddr " A_4 " masquerade; }\n"
       " chain raw { type filter hook prerouting priority -300; ip daddr " DNS_4 " notrack; }\n"
       " chain raw_out { type filter hook output priority -300; ip saddr " DNS_4 " notrack; }\n"
       "}\n.\n");
    for (int i = A; i < N_PLACES; i++)
        start_server(i);
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

static void fill_api(void)
{
    static const char *const namespaces[] = {"x", "y", "kube-system"};
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        _cleanup_free_ char *text =
            xasprintf("{'metadata':{'name':'%s','labels':{'kubernetes.io/metadata.name':'%s','team':'%s'}}}",
                      namespaces[i], namespaces[i], namespaces[i]);
        put(&kind_namespace, text);
    }
    for (int i = CLIENT; i <= B; i++)
        put_pod(i, "");
}

int main(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
        mkdir(RUN_TMP, 0700) < 0) {
        perror("test_netpol_packets needs root and namespaces of its own");
        return 1;
    }
    build_place();
    uv_loop_init(&loop);
    fake = fake_new(&loop, 1);
    start();
    fill_api();
    RUN(without_policies_everything_passes_and_there_is_no_table);
    RUN(ingress_is_denied_by_default);
    RUN(egress_is_denied_by_default);
    RUN(selectors_follow_labels);
    RUN(ports_and_protocols);
    RUN(ranges_of_addresses);
    RUN(services_are_judged_by_their_endpoints);
    RUN(cluster_dns_is_meant_by_its_labels);
    RUN(nobody_escapes_by_another_address);
    RUN(connections_go_on_when_policies_change);
    RUN(rules_changed_by_others_come_back_by_themselves);
    RUN(rules_outlive_a_restart);
    RUN(a_pod_is_guarded_once_its_rules_are_there);
    stop();
    client_free(&fake->client);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    leave_place();
    return DONE();
}
