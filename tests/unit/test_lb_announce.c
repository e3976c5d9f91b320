/* lb: which node has the address on its interface, and that the neighbours hear of it. Real interfaces, in network
 * namespaces of the test's own. Needs root. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/netns.h"
#include "fake_client.h"
#include "lb/choose.h"
#include "lb/lb.h"
#include "podnet/lan.h"
#include "podnet/rtnl.h"
#include "t.h"

#define RUN_TMP "/run/c8s-test-lb"
#define N_NODES 3
static const struct lan_node nodes[N_NODES] = {
    {"n0", "172.28.128.10"}, {"n1", "172.28.128.11"}, {"n2", "172.28.128.12"}};
static const char *const names[N_NODES] = {"n0", "n1", "n2"};
static int node_fds[N_NODES];
static uv_loop_t loop;
static struct fake *fake;
static struct model *model;
static struct informer *node_informer;
static struct lb_pool *pool;
static struct lb *lbs[N_NODES];

static void set_node(const char *name, bool ready)
{
    _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"name\":\"%s\"},\"status\":{\"conditions\":[{\"type\":"
                                          "\"Ready\",\"status\":\"%s\"}]}}",
                                          name, ready ? "True" : "Unknown");
    fake_set(fake, &kind_node, text);
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

/* "n1"; "" when nobody has it, "several" when more than one do. */
static const char *holder(const char *text)
{
    const char *at = "";
    for (int i = 0; i < N_NODES; i++) {
        struct err err;
        struct search s = {0};
        struct rtnl *r = rtnl_open(node_fds[i], &err);
        ip_parse(text, &s.ip);
        T_INT(rtnl_each_addr(r, note, &s, &err), 0);
        rtnl_close(r);
        if (s.found)
            at = *at ? "several" : names[i];
    }
    return at;
}

static void start(int i)
{
    struct err err;
    const struct lb_config config = {node_fds[i], names[i], "eth0", pool};
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
    const struct lan lan = {"172.28.128.0/24", "172.28.128.1", "10.244.0.0/16", "10.96.0.0/12",
                            RUN_TMP,           nodes,          N_NODES};
    if (lan_up(&lan, node_fds, err) < 0 || !(pool = lb_pool_new("172.28.128.200-172.28.128.250", err)))
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
    RUN(local_follows_the_endpoints);
    RUN(a_new_life_goes_on_where_the_old_one_ended);
    take_down();
    return DONE();
}
