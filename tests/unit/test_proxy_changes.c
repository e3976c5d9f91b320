/* proxy: after any sequence of changes of Services, slices and nodes, applied one transaction after the other, the
 * tables of both families hold what writing everything anew would: by the rules that made the changes, element by
 * element, and by others that know only how it ended, but for the order of slots and the numbers of affinities. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "proxy/ruleset.h"
#include "doc.h"

#define STEPS 3000
#define N_SERVICES 6
#define N_SLICES 3 /* of each Service and family */

static unsigned random_state = 7;
static int below(int n)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)(random_state >> 8) % n;
}

static bool once_in(int n)
{
    return !below(n);
}

/* --- a node of two families --- */

enum { V4, V6, N_FAMILIES };
static const struct {
    int family;
    const char *table, *type, *node, *second, *pods, *services;
} families[N_FAMILIES] = {
    {AF_INET, "ip c8s", "IPv4", "172.28.128.10", "172.28.128.11", "10.244.0.0/16", "10.96.0.0/12"},
    {AF_INET6, "ip6 c8s", "IPv6", "fd00:172::10", "fd00:172::11", "fd00:10:244::/56", "fd00:10:96::/112"},
};

struct table {
    struct site site;
    struct ip port_ips[2];
    struct model_reader *reader;
    struct ruleset *rules;
    struct map kernel; /* "set key" -> value */
};

struct world {
    struct model *model;
    struct table tables[N_FAMILIES];
    struct map pods; /* name -> document */
    bool disputes;   /* Services want the same addresses: who was first has them */
};

static void nothing(void *arg)
{
    (void)arg;
}

static void world_make(struct world *w, bool disputes)
{
    *w = (struct world){.model = model_new(), .disputes = disputes};
    for (int f = 0; f < N_FAMILIES; f++) {
        struct table *t = &w->tables[f];
        t->site = (struct site){.family = families[f].family, .node_name = "n1", .node_zone = "", .n_port_ips = 1};
        T_TRUE(ip_parse(families[f].node, &t->port_ips[0]) && ip_parse(families[f].second, &t->port_ips[1]));
        T_TRUE(cidr_parse(families[f].pods, &t->site.pods) && cidr_parse(families[f].services, &t->site.services));
        t->site.node_ip = t->port_ips[0];
        t->site.port_ips = t->port_ips;
        t->rules = ruleset_new(&t->site);
        t->reader = model_reader_new(w->model, nothing, NULL);
    }
}

static void free_doc(void *doc)
{
    json_decref(doc);
}

static void world_done(struct world *w)
{
    for (int f = 0; f < N_FAMILIES; f++) {
        model_reader_free(w->tables[f].reader);
        ruleset_free(w->tables[f].rules);
        map_done(&w->tables[f].site.avoid);
        map_done_with(&w->tables[f].kernel, free);
    }
    map_done_with(&w->pods, free_doc);
    model_free(w->model);
}

/* --- the kernel, as far as elements go: deleting what is not there and adding what is are failures --- */

static void apply_element(struct map *kernel, bool add, const char *set, const char *element)
{
    const char *value = strstr(element, " comment ");
    if (!value)
        value = strstr(element, " : ");
    size_t len = value ? (size_t)(value - element) : strlen(element);
    _cleanup_free_ char *key = xasprintf("%s %.*s", set, (int)len, element);
    if (!add) {
        char *old = map_del(kernel, key);
        if (!old)
            T_FAIL("deleted but not there: %s", key);
        free(old);
    } else if (map_get(kernel, key)) {
        T_FAIL("added but there: %s", key);
    } else {
        map_put(kernel, key, xstrdup(str_or(value, "")));
    }
}

/* What follows "add element ip c8s ", or delete; NULL: another command. */
static char *element_command(const char *line, const char *verb, const char *table)
{
    _cleanup_free_ char *start = xasprintf("%s element %s ", verb, table);
    const char *rest = str_after(line, start);
    return rest ? xstrdup(rest) : NULL;
}

static void apply_line(struct map *kernel, const char *table, const char *line)
{
    char *added = element_command(line, "add", table), *rest = added ? added : element_command(line, "delete", table);
    if (!rest)
        return;
    bool add = added;
    char *brace = strstr(rest, " { "), *end = strstr(rest, " }");
    if (brace && end) {
        *brace = *end = '\0';
        for (char *e = brace + 3, *comma; e; e = comma ? comma + 2 : NULL) {
            if ((comma = strstr(e, ", ")))
                *comma = '\0';
            apply_element(kernel, add, rest, e);
        }
    }
    free(rest);
}

static void apply(struct map *kernel, const char *table, const char *commands)
{
    size_t n;
    _cleanup_free_ char **lines = str_split(commands, '\n', &n);
    for (size_t i = 0; i < n; i++)
        apply_line(kernel, table, lines[i]);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Without what another history may have made otherwise: which slot an endpoint has, which number an affinity. */
static char *without_history(const char *key, const char *value)
{
    const char *slot = strrchr(key, '.');
    if (str_after(key, "ep "))
        return xasprintf("%.*s %s%s", (int)(slot - key), key, atoi(slot + 2) < LOCAL_SLOTS_AT ? "any" : "local", value);
    return xasprintf("%s%s", key, str_after(key, "affine ") ? "" : value);
}

static char *kernel_text(const struct map *kernel, bool with_history)
{
    struct buf b = BUF_INIT(0);
    char **lines = xcalloc(kernel->len + 1, sizeof(*lines));
    size_t n = 0;
    for (struct map_entry *it = NULL; (it = map_next(kernel, it));)
        lines[n++] = with_history ? xasprintf("%s%s", it->key, (char *)it->value) : without_history(it->key, it->value);
    qsort(lines, n, sizeof(*lines), compare_lines);
    for (size_t i = 0; i < n; i++) {
        buf_addf(&b, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    return buf_take(&b);
}

/* --- what may change --- */

static const char *one_of(const char *const *texts, int n)
{
    return texts[below(n)];
}
#define ONE_OF(...) one_of((const char *const[]){__VA_ARGS__}, ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

/* Either such as others want as well, or the one's own. */
static int node_port(const struct world *w, int own)
{
    return 30000 + (w->disputes ? below(4) : own);
}

static void add_ports(struct buf *b, const struct world *w, int service)
{
    static const char *const names[] = {"a", "b", "c"};
    buf_adds(b, "'ports':[");
    for (int i = 0, n = 1 + below(3); i < n; i++)
        buf_addf(b, "%s{'name':'%s','port':%d,'protocol':'%s','nodePort':%d}", i ? "," : "", names[i], 80 + i,
                 ONE_OF("TCP", "TCP", "UDP", "SCTP"), below(3) ? 0 : node_port(w, 10 * service + i));
    buf_adds(b, "],");
}

/* Either all of one Service alone, or such as others want as well. */
static void add_addresses(struct buf *b, const struct world *w, int service)
{
    int own = w->disputes ? below(3) : service;
    const char *ips =
        ONE_OF("['10.96.0.2%d']", "['10.96.0.2%d','fd00:10:96::2%d']", "['10.96.0.2%d','fd00:10:96::2%d']",
               "['fd00:10:96::2%d','10.96.0.2%d']", "['fd00:10:96::2%d']", "['None']");
    buf_adds(b, "'clusterIPs':");
    for (; *ips; ips += ips[0] == '%' ? 2 : 1) {
        if (*ips == '%')
            buf_addf(b, "%d", service);
        else
            buf_addc(b, *ips);
    }
    buf_addc(b, ',');
    if (once_in(2))
        buf_addf(b, "'externalIPs':['192.0.2.%d','fd00:192::%d'],", own, own);
    if (once_in(4))
        buf_adds(b, "'loadBalancerSourceRanges':[' 10.0.0.0/8','10.1.0.0/16','fd00::/16','fd00:1::/32'],");
}

static json_t *random_service(const struct world *w, int service)
{
    struct buf b = BUF_INIT(0);
    buf_addf(&b, "{'metadata':{'labels':{%s}},'spec':{",
             once_in(12) ? "'service.kubernetes.io/service-proxy-name':'other'" : "");
    add_ports(&b, w, service);
    add_addresses(&b, w, service);
    if (once_in(3))
        buf_addf(&b, "'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':%s}},",
                 ONE_OF("10", "60"));
    buf_addf(&b, "'externalTrafficPolicy':'%s',", ONE_OF("Cluster", "Local"));
    buf_addf(&b, "'internalTrafficPolicy':'%s',", ONE_OF("Cluster", "Cluster", "Local"));
    buf_addf(&b, "'type':'%s'},", ONE_OF("ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", "ExternalName"));
    int lb = 100 + (w->disputes ? below(3) : service);
    buf_addf(&b, "'status':{'loadBalancer':{'ingress':[{'ip':'192.0.2.%d','ipMode':'%s'},{'ip':'fd00:192::%d'}]}}}", lb,
             ONE_OF("VIP", "VIP", "Proxy"), lb);
    json_t *doc = t_doc(buf_str(&b));
    buf_done(&b);
    return doc;
}

static void add_endpoint(struct buf *b, int family, int i)
{
    int node = 1 + below(3);
    static const char *const conditions[] = {"'ready':true",
                                             "'ready':true",
                                             "'ready':true",
                                             "'ready':false",
                                             "'ready':false,'serving':true,'terminating':true",
                                             "'ready':false,'serving':false,'terminating':true"};
    buf_addf(b, "%s{'addresses':['%s%d'],'nodeName':'n%d','conditions':{%s}", b->data[b->len - 1] == '[' ? "" : ",",
             family == V4 ? "10.244.0." : "fd00:10:244::", i, node, conditions[below(ARRAY_LEN(conditions))]);
    if (below(3))
        buf_addf(b, ",'zone':'z%d','hints':{'forZones':[{'name':'z%d'}]%s}", node, node,
                 once_in(2) ? ",'forNodes':[{'name':'n1'}]" : "");
    buf_addc(b, '}');
}

static json_t *random_slice(int service, int family)
{
    struct buf b = BUF_INIT(0);
    buf_addf(&b, "{'metadata':{'labels':{'kubernetes.io/service-name':'s%d'}},'addressType':'%s','endpoints':[",
             service, families[family].type);
    for (int i = 1, n = below(24); i < n; i++)
        if (below(2))
            add_endpoint(&b, family, i);
    buf_adds(&b, "],'ports':[");
    for (const char *name = "abc"; *name; name++)
        buf_addf(&b, "%s{'name':'%c','port':%d,'protocol':'%s'}", *name == 'a' ? "" : ",", *name, 8080 + below(2),
                 ONE_OF("TCP", "TCP", "UDP", "SCTP"));
    buf_adds(&b, "]}");
    json_t *doc = t_doc(buf_str(&b));
    buf_done(&b);
    return doc;
}

static void change_node(struct world *w)
{
    _cleanup_free_ char *text =
        xasprintf("{'metadata':{'labels':{'topology.kubernetes.io/zone':'%s'}}}", ONE_OF("z1", "z2", ""));
    _cleanup_json_ json_t *doc = t_doc(text);
    bool avoided = once_in(3);
    int n_port_ips = below(3);
    model_set_node(w->model, "n1", doc);
    for (int f = 0; f < N_FAMILIES; f++) {
        struct table *t = &w->tables[f];
        if (avoided)
            map_put(&t->site.avoid, "n2", w);
        else
            map_del(&t->site.avoid, "n2");
        t->site.n_port_ips = (size_t)n_port_ips;
        model_touch_all(t->reader);
    }
}

/* For its hostPorts. */
static json_t *random_pod(const struct world *w, int i)
{
    _cleanup_free_ char *text = xasprintf(
        "{'metadata':{'namespace':'d','name':'p%d'},'spec':{'containers':[{'ports':[{'containerPort':%d,'hostPort':%d,"
        "'protocol':'%s','hostIP':'%s'}]}]},'status':{'phase':'Running','podIPs':[{'ip':'10.244.0.%d'},{'ip':"
        "'fd00:10:244::%d'}]}}",
        i, 8080 + below(2), node_port(w, 100 + i), ONE_OF("TCP", "UDP", "SCTP"),
        ONE_OF("", "", families[V4].node, families[V6].node), 2 + below(20), 2 + below(20));
    return t_doc(text);
}

static void change_pod(struct world *w, int i)
{
    char name[16];
    snprintf(name, sizeof(name), "p%d", i);
    json_t *doc = below(4) ? random_pod(w, i) : NULL;
    for (int f = 0; f < N_FAMILIES; f++)
        ruleset_set_pod(w->tables[f].rules, "d", name, doc);
    json_decref(map_del(&w->pods, name));
    if (doc)
        map_put(&w->pods, name, doc);
}

static void change_something(struct world *w)
{
    char name[24];
    int service = below(N_SERVICES);
    snprintf(name, sizeof(name), "s%d", service);
    if (once_in(3)) {
        _cleanup_json_ json_t *doc = below(4) ? random_service(w, service) : NULL;
        model_set_service(w->model, "d", name, doc);
    } else if (once_in(20)) {
        change_node(w);
    } else if (once_in(8)) {
        change_pod(w, service);
    } else {
        int family = below(N_FAMILIES);
        _cleanup_json_ json_t *doc = below(6) ? random_slice(service, family) : NULL;
        snprintf(name, sizeof(name), "s%d-%d-%d", service, family, below(N_SLICES));
        model_set_slice(w->model, "d", name, doc);
    }
}

/* --- the property --- */

static void visit(void *arg, const char *ns, const char *name, const struct svc *svc)
{
    ruleset_set(arg, ns, name, svc);
}

static void compare_with(const struct table *t, const char *table, struct ruleset *rules, bool same_history)
{
    struct buf all = BUF_INIT(0);
    struct rechecks r;
    struct map from_nothing = {0};
    ruleset_full(rules, &all, &r);
    apply(&from_nothing, table, buf_str(&all));
    _cleanup_free_ char *got = kernel_text(&t->kernel, same_history), *want = kernel_text(&from_nothing, same_history);
    T_STR(got, want);
    map_done_with(&from_nothing, free);
    rechecks_done(&r);
    buf_done(&all);
}

static void compare_with_strangers(const struct world *w, const struct table *t, const char *table)
{
    struct ruleset *rules = ruleset_new(&t->site);
    void *cursor = NULL;
    for (const struct svc *s; (s = model_next(w->model, &cursor));)
        ruleset_set(rules, s->ns, s->name, s);
    for (struct map_entry *it = NULL; (it = map_next(&w->pods, it));)
        ruleset_set_pod(rules, "d", it->key, it->value);
    compare_with(t, table, rules, false);
    ruleset_free(rules);
}

static void take_changes(struct world *w, int f)
{
    struct table *t = &w->tables[f];
    struct buf b = BUF_INIT(0);
    struct rechecks r;
    t->site.node_zone = model_zone_of(w->model, "n1");
    model_take(t->reader, visit, t->rules);
    ruleset_take(t->rules, &b, &r);
    apply(&t->kernel, families[f].table, buf_str(&b));
    rechecks_done(&r);
    buf_done(&b);
}

static void check(bool disputes)
{
    struct world w;
    size_t largest[N_FAMILIES] = {0};
    world_make(&w, disputes);
    for (int step = 0; step < STEPS && !t_this_failed; step++) {
        change_something(&w);
        if (below(3)) /* several changes in one transaction */
            continue;
        for (int f = 0; f < N_FAMILIES; f++) {
            struct table *t = &w.tables[f];
            take_changes(&w, f);
            largest[f] = t->kernel.len > largest[f] ? t->kernel.len : largest[f];
            if (!disputes)
                compare_with_strangers(&w, t, families[f].table);
            compare_with(t, families[f].table, t->rules, true);
        }
    }
    T_TRUE(largest[V4] > 100 && largest[V6] > 100); /* there was something to compare */
    world_done(&w);
}

TEST(changes_one_by_one_come_to_the_same_as_everything)
{
    check(false);
}

TEST(also_when_services_want_the_same_addresses)
{
    check(true);
}

int main(void)
{
    RUN(changes_one_by_one_come_to_the_same_as_everything);
    RUN(also_when_services_want_the_same_addresses);
    return DONE();
}
