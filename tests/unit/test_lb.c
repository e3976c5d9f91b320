/* lb: addresses from the pool, who announces them, and the controller against the fake API. */
#include "base/buf.h"
#include "bench.h"
#include "lb/choose.h"
#include "lb/lb.h"
#include "t.h"

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    T_TRUE(ip_parse(text, &ip));
    return ip;
}

static struct lb_pool *pool_of(const char *text)
{
    struct err err;
    struct lb_pool *p = lb_pool_new(text, &err);
    if (!p)
        T_FAIL("%s: %s", text, err.msg);
    return p;
}

TEST(ranges_are_read_as_people_write_them)
{
    static const struct {
        const char *text;
        size_t size;
        const char *first, *beyond;
    } good[] = {
        {"172.28.128.200-172.28.128.250", 51, "172.28.128.200", "172.28.128.251"},
        {"10.0.0.7", 1, "10.0.0.7", "10.0.0.8"},
        {"10.0.0.0/30", 4, "10.0.0.0", "10.0.0.4"},
        {"10.0.0.9-10.0.0.10,10.0.0.1", 3, "10.0.0.1", "10.0.0.2"},
        {"255.255.255.254-255.255.255.255", 2, "255.255.255.254", "255.255.255.253"},
        {"fd00::200-fd00::250", 81, "fd00::200", "fd00::251"},
        {"fd00::fffe-fd00::1:1", 4, "fd00::fffe", "fd00::1:2"},
        {"fd00::/112", 65536, "fd00::", "fd00::1:0"},
    };
    static const char *const bad[] = {"",
                                      "x",
                                      "10.0.0.2-10.0.0.1",
                                      "10.0.0.1-",
                                      "0.0.0.0/0",
                                      "10.0.0.1-fd00::1",
                                      "fd00::/64",
                                      "fd00::2-fd00::1",
                                      "fd00::1-fd01::1",
                                      "10.0.0.1,",
                                      "10.0.0.1,10.0.0.0-10.0.0.4",
                                      "10.0.0.0/15",
                                      "10.0.0.0/33"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct lb_pool *p = pool_of(good[i].text);
        struct ip ip, beyond = ip_of(good[i].beyond);
        char text[IP_TEXT_SIZE];
        int family = strchr(good[i].text, ':') ? AF_INET6 : AF_INET;
        T_INT(lb_pool_size(p, family), good[i].size);
        T_INT(lb_pool_size(p, family == AF_INET ? AF_INET6 : AF_INET), 0);
        T_TRUE(lb_pool_next(p, family, "a/a", NULL, &ip));
        T_STR(ip_format(&ip, text), good[i].first);
        T_TRUE(!lb_pool_has(p, &beyond));
        lb_pool_free(p);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err;
        T_TRUE(!lb_pool_new(bad[i], &err));
    }
}

TEST(a_pool_lies_inside_a_network)
{
    struct cidrs lan;
    T_TRUE(cidrs_parse("10.0.0.0/24,fd00::/64", &lan));
    static const struct {
        const char *text;
        bool inside;
    } cases[] = {{"10.0.0.1-10.0.0.254", true},     {"10.0.0.0-10.0.0.3", false},
                 {"10.0.0.9,10.0.0.255", false},    {"10.0.1.1", false},
                 {"9.0.0.1,10.0.0.1", false},       {"10.0.0.1,fd00::200-fd00::250", true},
                 {"10.0.0.1,fd00:0:0:1::1", false}, {"fd00::", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct lb_pool *p = pool_of(cases[i].text);
        T_INT(lb_pool_inside(p, &lan), cases[i].inside);
        lb_pool_free(p);
    }
}

/* Any sequence of wishes, takings and releases agrees with a plain array of owners. */
TEST(an_address_has_one_holder)
{
    srand(5);
    struct lb_pool *p = pool_of("10.0.0.1-10.0.0.8,10.0.0.20-10.0.0.23");
    int holder[24] = {0};
    for (int step = 0; step < 20000; step++) {
        char owner[16], text[IP_TEXT_SIZE];
        int o = 1 + rand() % 16, n = rand() % 24;
        bool in_pool = (n >= 1 && n <= 8) || n >= 20;
        snprintf(owner, sizeof(owner), "ns/%d", o);
        snprintf(text, sizeof(text), "10.0.0.%d", n);
        struct ip ip = ip_of(text), got;
        size_t held = 0, want = 0;
        switch (rand() % 3) {
        case 0:
            T_INT(lb_pool_take(p, &ip, owner, NULL), in_pool && (!holder[n] || holder[n] == o));
            if (in_pool && !holder[n])
                holder[n] = o;
            break;
        case 1:
            if (!lb_pool_next(p, AF_INET, owner, NULL, &got)) {
                for (int i = 0; i < 24; i++)
                    T_TRUE(((i < 1 || i > 8) && i < 20) || (holder[i] && holder[i] != o));
                break;
            }
            T_TRUE(!holder[got.bytes[3]] || holder[got.bytes[3]] == o);
            holder[got.bytes[3]] = o;
            break;
        default:
            for (int i = 0; i < 24; i++) {
                if (holder[i] != o || i == n)
                    continue;
                holder[i] = 0;
                want++;
            }
            held = lb_pool_release(p, owner, &(const struct ips){.ip = {ip}, .n = 1}, NULL);
            T_INT(held, want);
        }
        const char *says = lb_pool_holder(p, &ip);
        T_INT(says ? atoi(says + 3) : 0, holder[n]);
    }
    lb_pool_free(p);
}

TEST(addresses_spread_and_only_those_of_a_lost_node_move)
{
    static const char *const nodes[] = {"k8s-master", "k8s-node1", "k8s-node2"};
    static const char *const two[] = {"k8s-node2", "k8s-master"};
    int count[3] = {0};
    for (int i = 200; i <= 250; i++) {
        char text[IP_TEXT_SIZE];
        snprintf(text, sizeof(text), "172.28.128.%d", i);
        struct ip ip = ip_of(text);
        const char *at = lb_choose(&ip, nodes, 3), *then = lb_choose(&ip, two, 2);
        for (int n = 0; n < 3; n++)
            count[n] += streq(at, nodes[n]);
        T_TRUE(streq(at, "k8s-node1") || streq(at, then));
        T_STR(lb_choose(&ip, nodes + 1, 1), "k8s-node1");
        T_TRUE(!lb_choose(&ip, nodes, 0));
    }
    for (int n = 0; n < 3; n++)
        T_TRUE(count[n] >= 10);
}

/* --- the controller --- */

struct cluster {
    struct bench *bench;
    struct lb_pool *pool;
};

static struct cluster cluster_new(const char *pool, unsigned seed)
{
    return (struct cluster){bench_new(seed), pool_of(pool)};
}

static void run(struct cluster *c)
{
    bench_run(c->bench);
}

static void begin(struct cluster *c)
{
    controllers_add_with(c->bench->cs, &lb_controller, c->pool);
    controllers_start(c->bench->cs);
    run(c);
}

static void cluster_free(struct cluster *c)
{
    bench_free(c->bench);
    lb_pool_free(c->pool);
}

/* ip NULL: without an address yet. */
static void service(struct cluster *c, const char *name, const char *spec, const char *ip)
{
    _cleanup_free_ char *ingress =
        ip ? xasprintf("{\"ingress\":[{\"ip\":\"%s\",\"ipMode\":\"VIP\"}]}", ip) : xstrdup("{}");
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\"},\"spec\":%s,\"status\":{\"loadBalancer\":%s}}",
                  name, spec, ingress);
    fake_set(c->bench->fake, &kind_service, text);
}

#define BALANCED "{\"type\":\"LoadBalancer\"}"

/* "" when it has none. */
static char *address(struct cluster *c, const char *name)
{
    _cleanup_json_ json_t *doc = fake_json(c->bench->fake, &kind_service, "a", name);
    return xstrdup(jstr_or(json_array_get(jget(doc, "status.loadBalancer.ingress"), 0), "ip", ""));
}

static void expect(struct cluster *c, const char *name, const char *ip)
{
    _cleanup_free_ char *has = address(c, name);
    T_STR(has, ip);
}

static size_t events(struct cluster *c, const char *reason, const char *part)
{
    size_t n = 0;
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(c->bench->fake, &kind_event, &cursor));) {
        _cleanup_json_ json_t *ev = object_json(o);
        n += streq(jstr(ev, "reason"), reason) && strstr(jstr(ev, "message"), part);
    }
    return n;
}

TEST(services_get_what_they_had_then_what_is_free)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct cluster c = cluster_new("10.0.0.1-10.0.0.4", seed);
        service(&c, "new", BALANCED, NULL);
        service(&c, "old", BALANCED, "10.0.0.1");
        service(&c, "twin", BALANCED, "10.0.0.1"); /* written by hand */
        service(&c, "wish", "{\"type\":\"LoadBalancer\",\"loadBalancerIP\":\"10.0.0.4\"}", NULL);
        service(&c, "stray", BALANCED, "10.9.9.9"); /* from another pool */
        service(&c, "other", "{\"type\":\"LoadBalancer\",\"loadBalancerClass\":\"x/y\"}", "10.0.0.2");
        service(&c, "plain", "{\"type\":\"ClusterIP\"}", NULL);
        begin(&c);
        _cleanup_free_ char *old = address(&c, "old"), *twin = address(&c, "twin");
        T_TRUE(streq(old, "10.0.0.1") != streq(twin, "10.0.0.1"));
        expect(&c, "other", "10.0.0.2");
        expect(&c, "plain", "");
        /* Five want one of four: one waits, and says why. */
        static const char *const ours[] = {"new", "old", "twin", "wish", "stray"};
        size_t waiting = 0;
        for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
            _cleanup_free_ char *a = address(&c, ours[i]);
            waiting += !*a;
            for (size_t j = 0; j < i; j++) {
                _cleanup_free_ char *b = address(&c, ours[j]);
                T_TRUE(!*a || !streq(a, b));
            }
        }
        T_INT(waiting, 1);
        T_TRUE(events(&c, "SyncLoadBalancerFailed", "failed to ensure load balancer") >= 1);
        cluster_free(&c);
    }
}

TEST(an_address_given_back_goes_to_who_waits)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct cluster c = cluster_new("10.0.0.1", seed);
        begin(&c);
        service(&c, "first", BALANCED, NULL);
        run(&c);
        expect(&c, "first", "10.0.0.1");
        T_INT(events(&c, "EnsuringLoadBalancer", "Ensuring load balancer"), 1);
        T_INT(events(&c, "EnsuredLoadBalancer", "Ensured load balancer"), 1);
        service(&c, "second", BALANCED, NULL);
        run(&c);
        expect(&c, "second", "");
        T_INT(events(&c, "SyncLoadBalancerFailed", "all 1 addresses of the pool are in use"), 1);
        fake_edit(c.bench->fake, &kind_service, "a", "first", "{\"spec\":{\"type\":\"NodePort\"}}");
        run(&c);
        expect(&c, "first", "");
        expect(&c, "second", "10.0.0.1");
        fake_delete(c.bench->fake, &kind_service, "a", "second");
        fake_edit(c.bench->fake, &kind_service, "a", "first", "{\"spec\":{\"type\":\"LoadBalancer\"}}");
        run(&c);
        expect(&c, "first", "10.0.0.1");
        cluster_free(&c);
    }
}

static void expect_finalizers(struct cluster *c, const char *name, const char *want)
{
    _cleanup_json_ json_t *doc = fake_json(c->bench->fake, &kind_service, "a", name);
    const json_t *list = jget(doc, "metadata.finalizers");
    _cleanup_free_ char *has = list ? jprint_sorted(list) : xstrdup("");
    T_STR(has, want);
}

#define CLEANUP "\"service.kubernetes.io/load-balancer-cleanup\""

TEST(what_was_given_is_taken_back_before_the_service_goes)
{
    struct cluster c = cluster_new("10.0.0.1", 3);
    begin(&c);
    service(&c, "first", BALANCED, NULL);
    fake_edit(c.bench->fake, &kind_service, "a", "first", "{\"metadata\":{\"finalizers\":[\"x/y\"]}}");
    run(&c);
    expect_finalizers(&c, "first", "[\"x/y\"," CLEANUP "]");
    fake_edit(c.bench->fake, &kind_service, "a", "first", "{\"spec\":{\"type\":\"ClusterIP\"}}");
    run(&c);
    expect_finalizers(&c, "first", "[\"x/y\"]");
    T_INT(events(&c, "DeletedLoadBalancer", "Deleted load balancer"), 1);
    fake_edit(c.bench->fake, &kind_service, "a", "first", "{\"spec\":{\"type\":\"LoadBalancer\"}}");
    service(&c, "other", "{\"type\":\"LoadBalancer\",\"loadBalancerClass\":\"x/y\"}", NULL);
    service(&c, "second", BALANCED, NULL);
    run(&c);
    expect_finalizers(&c, "first", "[\"x/y\"," CLEANUP "]");
    expect_finalizers(&c, "other", "");
    expect(&c, "second", "");
    fake_edit(c.bench->fake, &kind_service, "a", "first",
              "{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}");
    run(&c);
    expect_finalizers(&c, "first", "[\"x/y\"]"); /* whoever that is may take its time */
    expect(&c, "second", "10.0.0.1");
    cluster_free(&c);
}

TEST(wishes_are_heard)
{
    struct cluster c = cluster_new("10.0.0.1-10.0.0.3", 3);
    begin(&c);
    service(&c, "one", BALANCED, NULL);
    run(&c);
    expect(&c, "one", "10.0.0.1");
    fake_edit(c.bench->fake, &kind_service, "a", "one", "{\"spec\":{\"loadBalancerIP\":\"10.0.0.3\"}}");
    run(&c);
    expect(&c, "one", "10.0.0.3");
    service(&c, "two", "{\"type\":\"LoadBalancer\",\"loadBalancerIP\":\"10.0.0.3\"}", NULL);
    run(&c);
    expect(&c, "two", "");
    T_INT(events(&c, "SyncLoadBalancerFailed", "spec.loadBalancerIP 10.0.0.3 is in use by Service a/one"), 1);
    fake_edit(c.bench->fake, &kind_service, "a", "two", "{\"spec\":{\"loadBalancerIP\":\"10.7.7.7\"}}");
    run(&c);
    expect(&c, "two", "");
    T_INT(events(&c, "SyncLoadBalancerFailed", "spec.loadBalancerIP 10.7.7.7 is not in the pool"), 1);
    fake_edit(c.bench->fake, &kind_service, "a", "two", "{\"spec\":{\"loadBalancerIP\":\"10.0.0.1\"}}");
    run(&c);
    expect(&c, "two", "10.0.0.1");
    cluster_free(&c);
}

/* A Service that shares under a key, with one port. */
static void sharer(struct cluster *c, const char *name, const char *key, const char *protocol, int port,
                   const char *local_app)
{
    _cleanup_free_ char *policy =
        local_app ? xasprintf(",\"externalTrafficPolicy\":\"Local\",\"selector\":{\"app\":\"%s\"}", local_app)
                  : xstrdup("");
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"annotations\":{\"metallb.io/"
                  "allow-shared-ip\":\"%s\"}},\"spec\":{\"type\":\"LoadBalancer\",\"ports\":[{\"protocol\":\"%s\","
                  "\"port\":%d}]%s}}",
                  name, key, protocol, port, policy);
    fake_set(c->bench->fake, &kind_service, text);
    run(c);
}

TEST(who_agrees_to_shares_an_address)
{
    struct cluster c = cluster_new("10.0.0.1-10.0.0.4", 4);
    begin(&c);
    sharer(&c, "tcp", "dns", "TCP", 53, NULL);
    sharer(&c, "udp", "dns", "UDP", 53, NULL);
    sharer(&c, "web", "dns", "TCP", 80, NULL);
    for (const char *const *name = (const char *const[]){"tcp", "udp", "web", NULL}; *name; name++)
        expect(&c, *name, "10.0.0.1");
    sharer(&c, "same-port", "dns", "TCP", 80, NULL);
    expect(&c, "same-port", "10.0.0.2");
    sharer(&c, "other-key", "x", "TCP", 81, NULL);
    expect(&c, "other-key", "10.0.0.3");
    sharer(&c, "local", "dns", "TCP", 82, "p"); /* has to enter elsewhere than the others */
    expect(&c, "local", "10.0.0.4");
    sharer(&c, "local-other", "dns", "TCP", 83, "q");
    expect(&c, "local-other", "");
    sharer(&c, "local-same", "dns", "TCP", 83, "p");
    expect(&c, "local-same", "10.0.0.4");
    /* One that gets into another's way later goes, the other stays. */
    sharer(&c, "web", "dns", "TCP", 53, NULL);
    expect(&c, "tcp", "10.0.0.1");
    expect(&c, "web", "10.0.0.2");
    fake_delete(c.bench->fake, &kind_service, "a", "tcp");
    run(&c);
    expect(&c, "udp", "10.0.0.1");
    cluster_free(&c);
}

TEST(an_address_is_asked_for_by_annotation)
{
    struct cluster c = cluster_new("10.0.0.1-10.0.0.3", 4);
    begin(&c);
    service(&c, "one", BALANCED, NULL);
    fake_edit(c.bench->fake, &kind_service, "a", "one",
              "{\"metadata\":{\"annotations\":{\"metallb.universe.tf/loadBalancerIPs\":\"10.0.0.2\"}}}");
    run(&c);
    expect(&c, "one", "10.0.0.2");
    fake_edit(c.bench->fake, &kind_service, "a", "one",
              "{\"metadata\":{\"annotations\":{\"metallb.io/loadBalancerIPs\":\"10.7.7.7\"}}}");
    run(&c);
    expect(&c, "one", "");
    T_INT(events(&c, "SyncLoadBalancerFailed", "metallb.io/loadBalancerIPs 10.7.7.7 is not in the pool"), 1);
    cluster_free(&c);
}

static char *addresses(struct cluster *c, const char *name)
{
    struct buf b = BUF_INIT(1000);
    size_t i;
    json_t *ingress;
    _cleanup_json_ json_t *doc = fake_json(c->bench->fake, &kind_service, "a", name);
    json_array_foreach(jget(doc, "status.loadBalancer.ingress"), i, ingress)
        buf_addf(&b, "%s ", jstr(ingress, "ip"));
    return buf_take(&b);
}

static void expect_all(struct cluster *c, const char *name, const char *want)
{
    _cleanup_free_ char *got = addresses(c, name);
    T_STR(str_or(got, ""), want);
}

#define FAMILIES(list, more) "{\"type\":\"LoadBalancer\",\"ipFamilies\":[" list "]" more "}"
#define V4 "\"IPv4\""
#define V6 "\"IPv6\""

TEST(a_service_has_an_address_of_each_family)
{
    struct cluster c = cluster_new("10.0.0.1-10.0.0.4,fd00::200-fd00::201", 5);
    begin(&c);
    service(&c, "four", FAMILIES(V4, ""), NULL);
    run(&c);
    service(&c, "six-first", FAMILIES(V6 "," V4, ""), NULL);
    run(&c);
    service(&c, "both", FAMILIES(V4 "," V6, ",\"loadBalancerIP\":\"fd00::201\""), NULL);
    run(&c);
    expect_all(&c, "four", "10.0.0.1 ");
    expect_all(&c, "six-first", "fd00::200 10.0.0.2 ");
    expect_all(&c, "both", "10.0.0.3 fd00::201 ");
    service(&c, "late", FAMILIES(V4 "," V6, ""), NULL);
    run(&c);
    expect_all(&c, "late", ""); /* one of each or none: half a Service would look whole */
    T_INT(events(&c, "SyncLoadBalancerFailed", "all 2 IPv6 addresses of the pool are in use"), 1);
    fake_edit(c.bench->fake, &kind_service, "a", "six-first", "{\"spec\":{\"ipFamilies\":[\"IPv4\"]}}");
    run(&c);
    expect_all(&c, "six-first", "10.0.0.2 ");
    expect_all(&c, "late", "10.0.0.4 fd00::200 ");
    cluster_free(&c);
}

TEST(a_pool_of_one_family_serves_what_it_can)
{
    struct cluster c = cluster_new("10.0.0.1-10.0.0.4", 6);
    begin(&c);
    service(&c, "both", FAMILIES(V6 "," V4, ""), NULL);
    service(&c, "six", FAMILIES(V6, ""), NULL);
    run(&c);
    expect_all(&c, "both", "10.0.0.1 ");
    expect_all(&c, "six", "");
    T_INT(events(&c, "SyncLoadBalancerFailed", "the pool has no IPv6 addresses"), 1);
    cluster_free(&c);
}

TEST(an_annotation_may_ask_for_both)
{
    struct cluster c = cluster_new("10.0.0.1-10.0.0.4,fd00::1-fd00::9", 7);
    begin(&c);
    service(&c, "one", FAMILIES(V4 "," V6, ""), NULL);
    fake_edit(c.bench->fake, &kind_service, "a", "one",
              "{\"metadata\":{\"annotations\":{\"metallb.io/loadBalancerIPs\":\"10.0.0.3,fd00::7\"}}}");
    run(&c);
    expect_all(&c, "one", "10.0.0.3 fd00::7 ");
    fake_edit(c.bench->fake, &kind_service, "a", "one",
              "{\"metadata\":{\"annotations\":{\"metallb.io/loadBalancerIPs\":\"10.0.0.3,10.0.0.4\"}}}");
    run(&c);
    expect_all(&c, "one", "");
    T_INT(events(&c, "SyncLoadBalancerFailed", "metallb.io/loadBalancerIPs 10.0.0.3,10.0.0.4 is not in the pool"), 1);
    cluster_free(&c);
}

/* --- without a pool --- */

static void set_node(struct cluster *c, const char *name, const char *addresses, bool ready)
{
    _cleanup_free_ char *text = xasprintf("{\"metadata\":{\"name\":\"%s\"},\"status\":{\"addresses\":[%s],"
                                          "\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
                                          name, addresses, ready ? "True" : "Unknown");
    fake_set(c->bench->fake, &kind_node, text);
}

#define INTERNAL(ip) "{\"type\":\"InternalIP\",\"address\":\"" ip "\"}"
#define EXTERNAL(ip) "{\"type\":\"ExternalIP\",\"address\":\"" ip "\"}"

static struct cluster cluster_of_nodes(void)
{
    static const uint16_t taken[] = {6443};
    static struct lb_node_ports reserved = {taken, 1};
    struct cluster c = {bench_new(7), NULL};
    set_node(&c, "n2", INTERNAL("10.0.0.12"), true);
    set_node(&c, "n1", INTERNAL("10.0.0.11") "," EXTERNAL("192.0.2.1"), true);
    set_node(&c, "n3", INTERNAL("10.0.0.13"), false);
    controllers_add_with(c.bench->cs, &lb_nodes_controller, &reserved);
    controllers_start(c.bench->cs);
    run(&c);
    return c;
}

#define ON_PORT(n, more) "{\"type\":\"LoadBalancer\",\"ports\":[{\"port\":" #n ",\"protocol\":\"TCP\"}]" more "}"

TEST(without_a_pool_the_nodes_are_the_addresses)
{
    struct cluster c = cluster_of_nodes();
    service(&c, "web", ON_PORT(80, ""), NULL);
    run(&c);
    expect_all(&c, "web", "10.0.0.12 192.0.2.1 ");
    set_node(&c, "n3", INTERNAL("10.0.0.13"), true);
    set_node(&c, "n2", INTERNAL("10.0.0.12"), false);
    run(&c);
    expect_all(&c, "web", "10.0.0.13 192.0.2.1 ");

    service(&c, "second", ON_PORT(80, ""), NULL);
    service(&c, "api", ON_PORT(6443, ""), NULL);
    service(&c, "other", ON_PORT(81, ",\"loadBalancerClass\":\"x/y\""), NULL);
    run(&c);
    expect_all(&c, "second", "");
    expect_all(&c, "api", "");
    expect_all(&c, "other", "");
    T_INT(events(&c, "SyncLoadBalancerFailed", "port 80/TCP of the nodes is in use by Service a/web"), 1);
    T_INT(events(&c, "SyncLoadBalancerFailed", "port 6443/TCP of the nodes is the cluster's own"), 1);
    fake_edit(c.bench->fake, &kind_service, "a", "web", "{\"spec\":{\"ports\":[{\"port\":82}]}}");
    run(&c);
    expect_all(&c, "web", "10.0.0.13 192.0.2.1 ");
    expect_all(&c, "second", "10.0.0.13 192.0.2.1 "); /* the port came back */
    fake_edit(c.bench->fake, &kind_service, "a", "second", "{\"spec\":{\"type\":\"ClusterIP\"}}");
    run(&c);
    expect_all(&c, "second", "");
    bench_free(c.bench);
}

TEST(local_services_have_the_nodes_of_their_endpoints)
{
    struct cluster c = cluster_of_nodes();
    service(&c, "web", ON_PORT(80, ",\"externalTrafficPolicy\":\"Local\""), NULL);
    run(&c);
    expect_all(&c, "web", "");
    fake_set(
        c.bench->fake, &kind_endpointslice,
        "{\"metadata\":{\"namespace\":\"a\",\"name\":\"web-1\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},"
        "\"endpoints\":[{\"addresses\":[\"10.244.0.2\"],\"nodeName\":\"n1\"},{\"addresses\":[\"10.244.0.3\"],"
        "\"nodeName\":\"n2\",\"conditions\":{\"ready\":false}}]}");
    run(&c);
    expect_all(&c, "web", "192.0.2.1 ");
    bench_free(c.bench);
}

TEST(nodes_have_addresses_of_both_families)
{
    struct cluster c = cluster_of_nodes();
    set_node(&c, "n1", INTERNAL("10.0.0.11") "," INTERNAL("fd00::11"), true);
    set_node(&c, "n2", INTERNAL("fd00::12") "," INTERNAL("10.0.0.12"), true);
    service(&c, "web", ON_PORT(80, ",\"ipFamilies\":[\"IPv6\",\"IPv4\"]"), NULL);
    service(&c, "six", ON_PORT(81, ",\"ipFamilies\":[\"IPv6\"]"), NULL);
    run(&c);
    expect_all(&c, "web", "fd00::11 fd00::12 10.0.0.11 10.0.0.12 ");
    expect_all(&c, "six", "fd00::11 fd00::12 ");
    bench_free(c.bench);
}

int main(void)
{
    RUN(ranges_are_read_as_people_write_them);
    RUN(a_pool_lies_inside_a_network);
    RUN(an_address_has_one_holder);
    RUN(addresses_spread_and_only_those_of_a_lost_node_move);
    RUN(services_get_what_they_had_then_what_is_free);
    RUN(an_address_given_back_goes_to_who_waits);
    RUN(what_was_given_is_taken_back_before_the_service_goes);
    RUN(wishes_are_heard);
    RUN(who_agrees_to_shares_an_address);
    RUN(an_address_is_asked_for_by_annotation);
    RUN(a_service_has_an_address_of_each_family);
    RUN(a_pool_of_one_family_serves_what_it_can);
    RUN(an_annotation_may_ask_for_both);
    RUN(without_a_pool_the_nodes_are_the_addresses);
    RUN(local_services_have_the_nodes_of_their_endpoints);
    RUN(nodes_have_addresses_of_both_families);
    return DONE();
}
