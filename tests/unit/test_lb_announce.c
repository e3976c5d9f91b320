/* lb: which node has the address on its interface, and that the neighbours hear of it. Real interfaces, in network
 * namespaces of the test's own. Needs root. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/netns.h"
#include "fake_client.h"
#include "lb/choose.h"
#include "lb/heartbeat.h"
#include "lb/lb.h"
#include "podnet/lan.h"
#include "podnet/rtnl.h"
#include "t.h"

#define RUN_TMP "/run/c8s-test-lb"
#define N_NODES 3
static const struct lan_node nodes[N_NODES] = {
    {"n0", "172.28.128.10,fd00::10"}, {"n1", "172.28.128.11,fd00::11"}, {"n2", "172.28.128.12,fd00::12"}};
static const char *const node_ips[N_NODES] = {"172.28.128.10", "172.28.128.11", "172.28.128.12"};
static const char *const names[N_NODES] = {"n0", "n1", "n2"};
static int node_fds[N_NODES];
static uv_loop_t loop;
static struct fake *fake;
static struct model *model;
static struct informer *node_informer;
static struct lb_pool *pool;
static struct lb *lbs[N_NODES];

/* ip "": the others do not know where to send heartbeats to. */
static void set_node_at(const char *name, bool ready, const char *ip)
{
    _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"name\":\"%s\"},\"status\":{\"conditions\":[{\"type\":"
                                          "\"Ready\",\"status\":\"%s\"}],\"addresses\":[{\"type\":\"InternalIP\","
                                          "\"address\":\"%s\"}]}}",
                                          name, ready ? "True" : "Unknown", ip);
    fake_set(fake, &kind_node, text);
}

static void set_node(const char *name, bool ready)
{
    set_node_at(name, ready, "");
}

/* ip NULL: no address (yet). */
static void set_service(const char *name, const char *ip, const char *policy)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s, s:s, s:s, s:[{s:i}]}}", "spec", "type", "LoadBalancer", "clusterIP", "10.96.0.7",
                  "externalTrafficPolicy", policy, "ports", "port", 80);
    if (ip)
        jset(doc, "status.loadBalancer.ingress", json_pack("[{s:s}]", "ip", ip));
    model_set_service(model, "a", name, doc);
}

static void set_endpoint(const char *service, const char *node)
{
    _cleanup_json_ json_t *doc = node
                                     ? json_pack("{s:{s:{s:s}}, s:s, s:[{s:i}], s:[{s:[s], s:s, s:{s:b, s:b}}]}",
                                                 "metadata", "labels", "kubernetes.io/service-name", service,
                                                 "addressType", "IPv4", "ports", "port", 8080, "endpoints", "addresses",
                                                 "10.244.0.2", "nodeName", node, "conditions", "ready", 1, "serving", 1)
                                     : NULL;
    model_set_slice(model, "a", service, doc);
}

static void settle(void)
{
    for (int quiet = 0; quiet < 20;) {
        int more = uv_run(&loop, UV_RUN_NOWAIT);
        quiet = fake_idle(fake) && more >= 0 ? quiet + 1 : 0;
    }
}

struct search {
    struct ip ip;
    bool found;
};
static void note(void *arg, const struct ip *ip, int prefix, const char *ifname)
{
    struct search *s = arg;
    s->found |= ip_equal(ip, &s->ip) && prefix == ip_bits(ip->family) && streq(ifname, "eth0");
}

static bool has(int i, const char *text)
{
    struct err err;
    struct search s = {0};
    struct rtnl *r = rtnl_open(node_fds[i], &err);
    ip_parse(text, &s.ip);
    T_INT(rtnl_each_addr(r, note, &s, &err), 0);
    rtnl_close(r);
    return s.found;
}

/* "n1"; "" when nobody has it, "several" when more than one do. */
static const char *holder(const char *text)
{
    const char *at = "";
    for (int i = 0; i < N_NODES; i++)
        if (has(i, text))
            at = *at ? "several" : names[i];
    return at;
}

static int n_lost[N_NODES]; /* nodes that each hears nothing from */

static void on_lost(void *arg, const char *node, bool lost)
{
    (void)node;
    *(int *)arg += lost ? 1 : -1;
}

static void start(int i)
{
    struct err err;
    const struct lb_config config = {.netns_fd = node_fds[i],
                                     .node_name = names[i],
                                     .ifname = "eth0",
                                     .pool = pool,
                                     .node_ip = node_ips[i],
                                     .lost = on_lost,
                                     .lost_arg = &n_lost[i]};
    lbs[i] = lb_new(&loop, model, node_informer, &config, &err);
    if (!lbs[i])
        T_FAIL("%s", err.msg);
}

static const char *chosen(const char *text, const char *const *from, size_t n)
{
    struct ip ip;
    ip_parse(text, &ip);
    return lb_choose(&ip, from, n);
}

TEST(one_node_has_each_address)
{
    for (int i = 0; i < N_NODES; i++)
        set_node(names[i], true);
    set_service("one", "172.28.128.200", "Cluster");
    set_service("two", "172.28.128.201", "Cluster");
    set_service("foreign", "172.28.128.99", "Cluster");
    set_service("pending", NULL, "Cluster");
    settle();
    T_STR(holder("172.28.128.200"), chosen("172.28.128.200", names, N_NODES));
    T_STR(holder("172.28.128.201"), chosen("172.28.128.201", names, N_NODES));
    T_STR(holder("172.28.128.99"), "");
    set_service("two", NULL, "Cluster");
    set_service("foreign", NULL, "Cluster");
    settle();
    T_STR(holder("172.28.128.201"), "");
}

static int arp_socket(void)
{
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETHERTYPE_ARP));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static bool hears_gratuitous(int fd, const char *text)
{
    struct ether_arp arp;
    struct in_addr ip;
    inet_pton(AF_INET, text, &ip);
    while (recv(fd, &arp, sizeof(arp), 0) == (ssize_t)sizeof(arp))
        if (memcmp(arp.arp_spa, &ip, sizeof(ip)) == 0 && memcmp(arp.arp_tpa, &ip, sizeof(ip)) == 0)
            return true;
    return false;
}

TEST(a_node_that_is_lost_is_relieved)
{
    const char *first = holder("172.28.128.200");
    const char *others[N_NODES];
    size_t n = 0;
    for (int i = 0; i < N_NODES; i++)
        if (!streq(names[i], first))
            others[n++] = names[i];
    int arp = arp_socket();
    set_node(first, false);
    settle();
    T_STR(holder("172.28.128.200"), chosen("172.28.128.200", others, n));
    T_TRUE(hears_gratuitous(arp, "172.28.128.200"));
    close(arp);
    set_node(first, true);
    settle();
    T_STR(holder("172.28.128.200"), first);
}

static int icmp6_socket(void)
{
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static bool hears_advertisement(int fd, const char *text)
{
    struct nd_neighbor_advert na;
    struct in6_addr ip;
    inet_pton(AF_INET6, text, &ip);
    while (recv(fd, &na, sizeof(na), 0) > 0)
        if (na.nd_na_type == ND_NEIGHBOR_ADVERT && memcmp(&na.nd_na_target, &ip, sizeof(ip)) == 0 &&
            na.nd_na_flags_reserved == ND_NA_FLAG_OVERRIDE)
            return true;
    return false;
}

TEST(ipv6_addresses_are_announced_too)
{
    static const char *const both[] = {"172.28.128.202", "fd00::202"};
    _cleanup_json_ json_t *doc = json_pack("{s:{s:s, s:[s, s], s:[{s:i}]}, s:{s:{s:[{s:s}, {s:s}]}}}", "spec", "type",
                                           "LoadBalancer", "clusterIPs", "10.96.0.9", "fd00:2::9", "ports", "port", 80,
                                           "status", "loadBalancer", "ingress", "ip", both[0], "ip", both[1]);
    model_set_service(model, "a", "both", doc);
    settle();
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        T_STR(holder(both[i]), chosen(both[i], names, N_NODES));
    const char *first = holder(both[1]);
    int icmp = icmp6_socket();
    set_node(first, false);
    settle();
    T_TRUE(hears_advertisement(icmp, both[1]));
    T_TRUE(*holder(both[1]) && !streq(holder(both[1]), first));
    close(icmp);
    set_node(first, true);
    model_set_service(model, "a", "both", NULL);
    settle();
    T_STR(holder(both[1]), "");
}

TEST(who_is_on_another_segment_announces_nothing_here)
{
    const char *first = chosen("172.28.128.200", names, N_NODES);
    set_node_at(first, true, "172.28.129.10");
    settle();
    T_TRUE(*holder("172.28.128.200") && !streq(holder("172.28.128.200"), first));
    set_service("two", "192.0.2.7", "Cluster"); /* of the pool, but nobody on the segment asks for it */
    settle();
    T_STR(holder("192.0.2.7"), "");
    set_service("two", NULL, "Cluster");
    set_node(first, true);
    settle();
    T_STR(holder("172.28.128.200"), first);
}

TEST(local_follows_the_endpoints)
{
    set_service("one", "172.28.128.200", "Local");
    settle();
    T_STR(holder("172.28.128.200"), "");
    for (int i = 0; i < N_NODES; i++) {
        set_endpoint("one", names[i]);
        settle();
        T_STR(holder("172.28.128.200"), names[i]);
    }
    set_node("n2", false);
    settle();
    T_STR(holder("172.28.128.200"), "");
    set_node("n2", true);
    set_endpoint("one", NULL);
    settle();
    T_STR(holder("172.28.128.200"), "");
}

static void on_limit(uv_timer_t *t)
{
    *(bool *)t->data = true;
}

/* Until one of them alone has the address; false: not within ten seconds. */
static bool wait_for_holder(const char *text, int i)
{
    uv_timer_t limit;
    bool late = false;
    uv_timer_init(&loop, &limit);
    limit.data = &late;
    uv_timer_start(&limit, on_limit, 10000, 0);
    while (!late && !has(i, text))
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&limit, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return !late;
}

static int index_of(const char *name)
{
    int i = 0;
    while (!streq(names[i], name))
        i++;
    return i;
}

/* Until they have heard each other. */
static void let_them_talk(void)
{
    for (int64_t until = clock_mono_ms() + 2 * ALIVE_BEAT_MS; clock_mono_ms() < until;)
        uv_run(&loop, UV_RUN_ONCE);
}

/* The API says Ready all the time. */
TEST(a_silent_node_is_relieved_without_the_api)
{
    const char *others[N_NODES];
    size_t n = 0;
    for (int i = 0; i < N_NODES; i++)
        set_node_at(names[i], true, node_ips[i]);
    set_service("one", "172.28.128.200", "Cluster");
    settle();
    int first = index_of(holder("172.28.128.200"));
    for (int i = 0; i < N_NODES; i++)
        if (i != first)
            others[n++] = names[i];
    int second = index_of(chosen("172.28.128.200", others, n));
    let_them_talk();
    T_STR(holder("172.28.128.200"), names[first]);

    int arp = arp_socket();
    int64_t began = clock_mono_ms();
    lb_pause(lbs[first], true);
    T_TRUE(wait_for_holder("172.28.128.200", second));
    printf("# taken over after %d ms\n", (int)(clock_mono_ms() - began));
    T_TRUE(clock_mono_ms() - began < 3000);
    T_TRUE(hears_gratuitous(arp, "172.28.128.200"));
    close(arp);
    T_INT(n_lost[second], 1);

    lb_pause(lbs[first], false);
    settle();
    T_TRUE(!streq(holder("172.28.128.200"), "several")); /* who is back lets go at once */
    T_TRUE(wait_for_holder("172.28.128.200", first));
    T_INT(n_lost[second], 0);
    settle();
    T_STR(holder("172.28.128.200"), names[first]);
}

/* With externalTrafficPolicy Local nobody could do it in its stead: it need not wait. */
TEST(who_is_back_and_the_only_one_announces_at_once)
{
    set_service("one", "172.28.128.200", "Local");
    set_endpoint("one", "n1");
    settle();
    let_them_talk();
    T_STR(holder("172.28.128.200"), "n1");
    lb_pause(lbs[1], true);
    for (int64_t until = clock_mono_ms() + 5000; !n_lost[0] && clock_mono_ms() < until;)
        uv_run(&loop, UV_RUN_ONCE);
    T_INT(n_lost[0], 1);
    lb_pause(lbs[1], false);
    settle();
    T_STR(holder("172.28.128.200"), "n1"); /* it has not even let go */
    set_service("one", "172.28.128.200", "Cluster");
    set_endpoint("one", NULL);
    for (int64_t until = clock_mono_ms() + 10000; n_lost[0] && clock_mono_ms() < until;)
        uv_run(&loop, UV_RUN_ONCE);
    T_INT(n_lost[0], 0);
}

/* A heartbeat must come from a node, and from the link itself. */
TEST(heartbeats_of_strangers_mean_nothing)
{
    unsigned char bytes[BEAT_SIZE];
    const int routed = 64;
    set_node_at("n0", true, node_ips[0]);
    set_node_at("n1", true, node_ips[1]);
    settle();
    let_them_talk();
    T_INT(n_lost[0], 0);
    lb_pause(lbs[1], true);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(HEARTBEAT_PORT)};
    inet_pton(AF_INET, node_ips[0], &to.sin_addr);
    int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), far;
    {
        NETNS_SCOPE(node_fds[1]);
        far = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    T_INT(setsockopt(far, IPPROTO_IP, IP_TTL, &routed, sizeof(routed)), 0);
    beat_write(&(struct beat){60000, 60000}, bytes);
    int64_t began = clock_mono_ms();
    while (!n_lost[0] && clock_mono_ms() - began < 5000) {
        T_INT(sendto(stranger, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(bytes));
        T_INT(sendto(far, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(bytes));
        uv_run(&loop, UV_RUN_ONCE);
    }
    T_INT(n_lost[0], 1);
    close(stranger);
    close(far);
    lb_pause(lbs[1], false);
}

/* What a program that was killed left on the interfaces is taken over, or taken away. */
TEST(a_new_life_goes_on_where_the_old_one_ended)
{
    set_service("one", "172.28.128.200", "Cluster");
    settle();
    const char *before = holder("172.28.128.200");
    T_TRUE(*before && !streq(before, "several"));
    for (int i = 0; i < N_NODES; i++)
        lb_free(lbs[i]);
    settle();
    T_STR(holder("172.28.128.200"), before); /* Services go on */
    set_service("one", "172.28.128.201", "Cluster");
    informer_free(node_informer);
    node_informer = informer_new(&fake->client, &kind_node, NULL);
    informer_start(node_informer);
    settle();
    for (int i = 0; i < N_NODES; i++)
        start(i);
    settle();
    T_STR(holder("172.28.128.200"), "");
    T_STR(holder("172.28.128.201"), chosen("172.28.128.201", names, N_NODES));
}

static int prepare(struct err *err)
{
    const struct lan lan = {"172.28.128.0/24,fd00::/64",
                            "172.28.128.1,fd00::1",
                            "10.244.0.0/16,fd00:1::/56",
                            "10.96.0.0/12,fd00:2::/112",
                            RUN_TMP,
                            nodes,
                            N_NODES};
    if (lan_up(&lan, node_fds, err) < 0 ||
        !(pool = lb_pool_new("172.28.128.200-172.28.128.250,fd00::200-fd00::250,192.0.2.7", err)))
        return -1;
    uv_loop_init(&loop);
    fake = fake_new(&loop, 1);
    model = model_new();
    node_informer = informer_new(&fake->client, &kind_node, NULL);
    informer_start(node_informer);
    settle();
    for (int i = 0; i < N_NODES; i++)
        start(i);
    return 0;
}

static void take_down(void)
{
    for (int i = 0; i < N_NODES; i++) {
        lb_free(lbs[i]);
        close(node_fds[i]);
    }
    informer_free(node_informer);
    model_free(model);
    client_free(&fake->client);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
    lb_pool_free(pool);
}

int main(void)
{
    struct err err;
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
        mkdir(RUN_TMP, 0700) < 0) {
        perror("test_lb_announce needs root and namespaces of its own");
        return 1;
    }
    if (prepare(&err) < 0) {
        fprintf(stderr, "test_lb_announce: %s\n", err.msg);
        return 1;
    }
    RUN(one_node_has_each_address);
    RUN(a_node_that_is_lost_is_relieved);
    RUN(ipv6_addresses_are_announced_too);
    RUN(who_is_on_another_segment_announces_nothing_here);
    RUN(local_follows_the_endpoints);
    RUN(a_new_life_goes_on_where_the_old_one_ended);
    RUN(a_silent_node_is_relieved_without_the_api);
    RUN(who_is_back_and_the_only_one_announces_at_once);
    RUN(heartbeats_of_strangers_mean_nothing);
    take_down();
    return DONE();
}
