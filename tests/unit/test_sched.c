/* sched: filters and scores as tables, and the scheduler against the fake API. */
#include <time.h>

#include "base/quantity.h"
#include "bench.h"
#include "sched/filters.h"
#include "sched/sched.h"
#include "sched/scores.h"
#include "t.h"

/* A cluster of nodes and bound pods from JSON texts. */
static void add_node(struct cluster *c, const char *name, const char *spec, const char *labels, const char *allocatable,
                     bool ready)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\",\"labels\":%s},\"spec\":%s,\"status\":{\"allocatable\":%s,"
                  "\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}]}}",
                  name, labels, spec, allocatable, ready ? "True" : "False");
    _cleanup_json_ json_t *doc = json_loads(text, 0, NULL);
    if (!doc)
        T_FAIL("bad JSON: %s", text);
    cluster_set_node(c, name, doc);
}

static struct sched_pod *pod(const char *name, const char *spec)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"labels\":{\"app\":\"%c\"}},\"spec\":%s}", name,
                  *name, spec);
    _cleanup_json_ json_t *doc = json_loads(text, 0, NULL);
    if (!doc)
        T_FAIL("bad JSON: %s", text);
    return sched_pod_new(doc);
}

#define ROOM                                                                                                           \
    "{\"cpu\":\"2\",\"memory\":\"4Gi\",\"ephemeral-storage\":\"10Gi\",\"pods\":\"3\",\"example.com/gpu\":\"1\"}"
#define WANTS(cpu, memory)                                                                                             \
    "\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory "\"}}}]"

TEST(each_filter_has_its_reason)
{
    static const struct {
        const char *pod, *node_spec, *want; /* want NULL: fits */
        bool not_ready;
    } cases[] = {
        {"{}", "{}", NULL, false},
        {"{}", "{\"unschedulable\":true}", "node(s) were unschedulable", false},
        {"{\"tolerations\":[{\"key\":\"node.kubernetes.io/unschedulable\",\"operator\":\"Exists\"}]}",
         "{\"unschedulable\":true}", NULL, false},
        {"{\"nodeSelector\":{\"disk\":\"ssd\"}}", "{}", NULL, false},
        {"{\"nodeSelector\":{\"disk\":\"hdd\"}}", "{}", "node(s) didn't match Pod's node affinity/selector", false},
        {"{}", "{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}",
         "node(s) had untolerated taint {k: v}", false},
        {"{}", "{\"taints\":[{\"key\":\"k\",\"effect\":\"NoExecute\"}]}", "node(s) had untolerated taint {k: }", false},
        {"{}", "{\"taints\":[{\"key\":\"k\",\"effect\":\"PreferNoSchedule\"}]}", NULL, false},
        {"{\"tolerations\":[{\"key\":\"k\",\"value\":\"v\"}]}",
         "{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}", NULL, false},
        {"{\"tolerations\":[{\"key\":\"k\",\"value\":\"w\"}]}",
         "{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}",
         "node(s) had untolerated taint {k: v}", false},
        {"{\"tolerations\":[{\"operator\":\"Exists\",\"effect\":\"NoExecute\"}]}",
         "{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}",
         "node(s) had untolerated taint {k: v}", false},
        {"{}", "{}", "node(s) were not ready", true},
        {"{\"tolerations\":[{\"operator\":\"Exists\"}]}", "{}", NULL, true},
        {"{\"tolerations\":[{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\"}]}",
         "{\"taints\":[{\"key\":\"node.kubernetes.io/unreachable\",\"effect\":\"NoSchedule\"}]}", NULL, true},
        {"{" WANTS("1500m", "1Gi") "}", "{}", NULL, false},
        {"{" WANTS("1501m", "1Gi") "}", "{}", "Insufficient cpu", false},
        {"{" WANTS("1", "4Gi") "}", "{}", "Insufficient memory", false},
        {"{\"containers\":[{\"resources\":{\"requests\":{\"ephemeral-storage\":\"11Gi\"}}}]}", "{}",
         "Insufficient ephemeral-storage", false},
        {"{\"containers\":[{\"resources\":{\"requests\":{\"example.com/gpu\":\"2\"}}}]}", "{}",
         "Insufficient example.com/gpu", false},
        {"{\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"2\"}}}],\"containers\":[]}", "{}",
         "Insufficient cpu", false},
        {"{\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"1500m\"}}}]," WANTS("1500m", "1") "}", "{}",
         NULL, false},
        {"{\"initContainers\":[{\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{\"cpu\":\"1m\"}}}]," WANTS(
             "1500m", "1") "}",
         "{}", "Insufficient cpu", false},
        {"{\"overhead\":{\"cpu\":\"1\"}," WANTS("1", "1") "}", "{}", "Insufficient cpu", false},
        {"{\"containers\":[{\"ports\":[{\"containerPort\":80,\"hostPort\":80}]}]}", "{}",
         "node(s) didn't have free ports for the requested pod ports", false},
        {"{\"containers\":[{\"ports\":[{\"containerPort\":80,\"hostPort\":80,\"protocol\":\"UDP\"}]}]}", "{}", NULL,
         false},
        {"{\"containers\":[{\"ports\":[{\"containerPort\":80,\"hostPort\":81}]}]}", "{}", NULL, false},
        {"{\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{"
         "\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"In\",\"values\":[\"ssd\",\"nvme\"]},{\"key\":\"n\","
         "\"operator\":"
         "\"Gt\",\"values\":[\"4\"]}]}]}}}}",
         "{}", NULL, false},
        {"{\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{"
         "\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"NotIn\",\"values\":[\"ssd\"]}]},{}]}}}}",
         "{}", "node(s) didn't match Pod's node affinity/selector", false},
        {"{\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{\"nodeSelectorTerms\":[{"
         "\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"n1\"]}]}]}}}}",
         "{}", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cluster c = {0};
        add_node(&c, "n1", cases[i].node_spec, "{\"disk\":\"ssd\",\"n\":\"5\"}", ROOM, !cases[i].not_ready);
        cluster_take_pod(
            &c, pod("there", "{\"nodeName\":\"n1\",\"containers\":[{\"ports\":[{\"containerPort\":1,\"hostPort\":80}],"
                             "\"resources\":{\"requests\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"}}}]}"));
        struct sched_pod *p = pod("new", cases[i].pod);
        struct map_entry *cursor = NULL;
        struct refusals why = {0};
        struct decision d;
        decision_begin(&d, &c, p);
        bool fits = node_fits(&d, cluster_next_node(&c, &cursor), &why) == FIT_YES;
        decision_done(&d);
        const struct map_entry *reason = map_next(&why.counts, NULL);
        T_STR(reason ? reason->key : NULL, cases[i].want);
        T_TRUE(fits == !cases[i].want);
        map_done(&why.counts);
        sched_pod_free(p);
        cluster_done(&c);
    }
}

TEST(reasons_are_counted_and_sorted)
{
    struct cluster c = {0};
    add_node(&c, "n1", "{}", "{}", "{\"cpu\":\"1\",\"pods\":\"10\"}", true);
    add_node(&c, "n2", "{\"taints\":[{\"key\":\"node-role.kubernetes.io/control-plane\",\"effect\":\"NoSchedule\"}]}",
             "{}", ROOM, true);
    add_node(&c, "n3", "{\"taints\":[{\"key\":\"node-role.kubernetes.io/control-plane\",\"effect\":\"NoSchedule\"}]}",
             "{}", ROOM, true);
    struct sched_pod *p = pod("new", "{" WANTS("2", "1") "}");
    struct refusals why = {0};
    struct map_entry *cursor = NULL;
    struct decision d;
    decision_begin(&d, &c, p);
    for (struct sched_node *n; (n = cluster_next_node(&c, &cursor));)
        T_TRUE(node_fits(&d, n, &why) != FIT_YES);
    decision_done(&d);
    _cleanup_free_ char *text = refusals_text(&why, 3);
    T_STR(text, "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 2 node(s) had untolerated taint "
                "{node-role.kubernetes.io/control-plane: }.");
    sched_pod_free(p);
    cluster_done(&c);
}

/* The pod prefers n1 in every case. */
TEST(scores_prefer)
{
    static const struct {
        const char *what, *pod, *n1_spec, *n2_spec, *on_n1, *on_n2, *selectors;
    } cases[] = {
        {"the emptier node", "{}", "{}", "{}", "{\"nodeName\":\"n1\"}", "{\"nodeName\":\"n2\"," WANTS("1", "2Gi") "}",
         "[]"},
        {"the node without siblings", "{}", "{}", "{}", "{\"nodeName\":\"n1\"," WANTS("300m", "300Mi") "}",
         "{\"nodeName\":\"n2\"}", "[{\"app\":\"x\"}]"},
        {"the node without a taint to avoid", "{}", "{}",
         "{\"taints\":[{\"key\":\"k\",\"effect\":\"PreferNoSchedule\"}]}", "{\"nodeName\":\"n1\"}",
         "{\"nodeName\":\"n2\"}", "[]"},
        {"the node it asks for",
         "{\"affinity\":{\"nodeAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{\"weight\":5,"
         "\"preference\":{"
         "\"matchExpressions\":[{\"key\":\"name\",\"operator\":\"In\",\"values\":[\"n1\"]}]}}]}}}",
         "{}", "{}", "{\"nodeName\":\"n1\"}", "{\"nodeName\":\"n2\"}", "[]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cluster c = {0};
        add_node(&c, "n1", cases[i].n1_spec, "{\"name\":\"n1\",\"kubernetes.io/hostname\":\"n1\"}", ROOM, true);
        add_node(&c, "n2", cases[i].n2_spec, "{\"name\":\"n2\",\"kubernetes.io/hostname\":\"n2\"}", ROOM, true);
        cluster_take_pod(&c, pod("y1", cases[i].on_n1));
        cluster_take_pod(&c, pod("x2", cases[i].on_n2));
        struct sched_pod *p = pod("x", cases[i].pod);
        _cleanup_json_ json_t *selectors = json_loads(cases[i].selectors, 0, NULL);
        struct map_entry *cursor = NULL;
        struct sched_node *nodes[2];
        nodes[0] = cluster_next_node(&c, &cursor);
        nodes[1] = cluster_next_node(&c, &cursor);
        int64_t scores[2];
        score_nodes(&c, p, selectors, nodes, 2, scores);
        if (scores[0] <= scores[1])
            T_FAIL("%s: %lld against %lld", cases[i].what, (long long)scores[0], (long long)scores[1]);
        sched_pod_free(p);
        cluster_done(&c);
    }
}

TEST(the_account_of_a_node_is_exact)
{
    struct cluster c = {0};
    add_node(&c, "n1", "{}", "{}", ROOM, true);
    for (int round = 0; round < 3; round++) {
        cluster_take_pod(&c, pod("p", "{\"nodeName\":\"n1\"," WANTS("250m", "1Gi") "}"));
        cluster_take_pod(&c, pod("q", "{\"nodeName\":\"n1\"," WANTS("250m", "1Gi") "}"));
    }
    struct map_entry *cursor = NULL;
    struct sched_node *n = cluster_next_node(&c, &cursor);
    T_INT(n->requested.milli_cpu, 500);
    T_INT(n->requested.pods, 2);
    T_TRUE(!cluster_set_node(&c, "n2", NULL));
    T_TRUE(cluster_remove_pod(&c, "a/p") && !cluster_remove_pod(&c, "a/p"));
    T_TRUE(cluster_set_node(&c, "n1", NULL)); /* the node goes first */
    T_TRUE(cluster_remove_pod(&c, "a/q"));
    T_INT(c.nodes.len, 0);
    cluster_done(&c);
}

/* --- against the API --- */

static struct bench *cluster_of(unsigned seed)
{
    struct bench *b = bench_new(seed);
    b->agent = false;
    controllers_add(b->cs, &scheduler);
    controllers_start(b->cs);
    return b;
}

static void api_node(struct bench *b, const char *name, const char *cpu)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/hostname\":\"%s\"}},\"status\":{"
                  "\"allocatable\":{\"cpu\":\"%s\",\"memory\":\"8Gi\",\"pods\":\"110\"},"
                  "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
                  name, name, cpu);
    fake_set(b->fake, &kind_node, text);
}

static void api_pod(struct bench *b, const char *name, int milli_cpu)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"ownerReferences\":[{\"controller\":true,\"uid\":\"o\"}]},"
        "\"spec\":{"
        "\"schedulerName\":\"default-scheduler\",\"containers\":[{\"resources\":{\"requests\":{\"cpu\":\"%dm\"}}}]}}",
        name, milli_cpu);
    fake_set(b->fake, &kind_pod, text);
}

static int used_on(struct bench *b, const char *node, int *ret_pods)
{
    int milli = 0;
    struct map_entry *cursor = NULL;
    *ret_pods = 0;
    for (struct object *o; (o = fake_next(b->fake, &kind_pod, &cursor));) {
        _cleanup_json_ json_t *p = object_json(o);
        if (!streq(jstr_or(p, "spec.nodeName", ""), node))
            continue;
        ++*ret_pods;
        struct quantity cpu;
        if (quantity_parse(jstr(json_array_get(jget(p, "spec.containers"), 0), "resources.requests.cpu"), &cpu))
            milli += (int)quantity_milli(&cpu);
    }
    return milli;
}

static void never_overcommitted(struct bench *b)
{
    int pods;
    if (used_on(b, "n1", &pods) > 2000 || used_on(b, "n2", &pods) > 1000)
        T_FAIL("a node is overcommitted");
}

TEST(nodes_are_never_overcommitted)
{
    for (unsigned seed = 0; seed < 40; seed++) {
        struct bench *b = cluster_of(seed);
        b->fake->fail_percent = seed < 20 ? 0 : 25;
        api_node(b, "n1", "2");
        api_node(b, "n2", "1");
        char name[32];
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof(name), "p%d", i);
            api_pod(b, name, 250);
        }
        bench_run_with(b, never_overcommitted, true);
        for (int i = 0; i < 6; i++) { /* some go, others take their places */
            snprintf(name, sizeof(name), "p%d", (int)fake_rand(b->fake, 20));
            fake_delete(b->fake, &kind_pod, "a", name);
            snprintf(name, sizeof(name), "q%d", i);
            api_pod(b, name, 500);
            bench_run_with(b, never_overcommitted, true);
        }
        b->fake->fail_percent = 0;
        for (int i = 0; i < 20; i++) {
            bench_now += 60 * 1000000;
            controllers_tick(b->cs);
            bench_run_with(b, never_overcommitted, true);
        }
        int n1, n2;
        T_TRUE(used_on(b, "n1", &n1) >= 1750 && used_on(b, "n2", &n2) >= 750); /* and not left empty */
        if (t_this_failed)
            fprintf(stderr, "   seed %u\n", seed);
        bench_free(b);
    }
}

TEST(pods_of_one_controller_are_spread)
{
    struct bench *b = cluster_of(1);
    char name[16];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        api_node(b, name, "4");
    }
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        api_pod(b, name, 10);
    }
    bench_run(b);
    for (int i = 0; i < 3; i++) {
        int pods;
        snprintf(name, sizeof(name), "n%d", i);
        used_on(b, name, &pods);
        T_INT(pods, 2);
    }
    bench_free(b);
}

static void later(struct bench *b, int seconds)
{
    bench_run(b);
    bench_now += seconds * 1000000LL;
    controllers_tick(b->cs);
    bench_run(b);
}

TEST(an_unschedulable_pod_says_why_and_is_tried_again)
{
    struct bench *b = cluster_of(2);
    api_pod(b, "big", 3000);
    bench_run(b);
    _cleanup_json_ json_t *first = fake_json(b->fake, &kind_pod, "a", "big");
    T_STR(jstr(jfind(jget(first, "status.conditions"), "type", "PodScheduled"), "message"),
          "no nodes available to schedule pods");
    api_node(b, "n1", "2");
    later(b, 1);
    _cleanup_json_ json_t *p = fake_json(b->fake, &kind_pod, "a", "big");
    const json_t *condition = jfind(jget(p, "status.conditions"), "type", "PodScheduled");
    T_STR(jstr(condition, "status"), "False");
    T_STR(jstr(condition, "reason"), "Unschedulable");
    T_STR(jstr(condition, "message"),
          "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
          "1 No preemption victims found for incoming pod.");
    unsigned before = b->fake->writes;
    fake_edit(b->fake, &kind_node, "", "n1", "{\"metadata\":{\"annotations\":{\"x\":\"y\"}}}");
    later(b, 20);
    T_INT(b->fake->writes, before); /* nothing that matters has changed */
    fake_edit(b->fake, &kind_node, "", "n1", "{\"status\":{\"allocatable\":{\"cpu\":\"4\"}}}");
    later(b, 0);
    _cleanup_json_ json_t *placed = fake_json(b->fake, &kind_pod, "a", "big");
    T_STR(jstr(placed, "spec.nodeName"), "n1");
    struct map_entry *cursor = NULL;
    bool said = false;
    for (struct object *o; (o = fake_next(b->fake, &kind_event, &cursor));) {
        _cleanup_json_ json_t *ev = object_json(o);
        said |=
            streq(jstr(ev, "message"), "Successfully assigned a/big to n1") && streq(jstr(ev, "reason"), "Scheduled");
    }
    T_TRUE(said);
    bench_free(b);
}

/* --- size --- */

static void make_large(struct cluster *c, int n_nodes, int n_pods)
{
    for (int i = 0; i < n_nodes; i++) {
        char name[16], labels[120];
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(labels, sizeof(labels), "{\"kubernetes.io/hostname\":\"%s\",\"topology.kubernetes.io/zone\":\"z%d\"}",
                 name, i % 3);
        add_node(c, name, "{}", labels, "{\"cpu\":\"64\",\"memory\":\"256Gi\",\"pods\":\"110\"}", true);
    }
    for (int i = 0; i < n_pods; i++) {
        char name[16], spec[200];
        snprintf(name, sizeof(name), "p%d", i);
        snprintf(spec, sizeof(spec), "{\"nodeName\":\"n%d\"," WANTS("100m", "100Mi") "}", i % n_nodes);
        cluster_take_pod(c, pod(name, spec));
    }
}

/* Microseconds for one pod: all filters and scores on all nodes. */
static int64_t time_to_choose(struct cluster *c, const char *spec, int n_nodes)
{
    enum { ROUNDS = 5 };
    _cleanup_free_ struct sched_node **fitting = xcalloc((size_t)n_nodes, sizeof(*fitting));
    _cleanup_free_ int64_t *scores = xcalloc((size_t)n_nodes, sizeof(*scores));
    _cleanup_json_ json_t *selectors = json_pack("[{s:s}]", "app", "p");
    clock_t start = clock(); /* of our own processor time */
    for (int i = 0; i < ROUNDS; i++) {
        struct sched_pod *p = pod("pnew", spec);
        struct refusals why = {0};
        struct map_entry *cursor = NULL;
        struct decision d;
        size_t n = 0;
        decision_begin(&d, c, p);
        for (struct sched_node *node; (node = cluster_next_node(c, &cursor));)
            if (node_fits(&d, node, &why) == FIT_YES)
                fitting[n++] = node;
        decision_done(&d);
        refusals_done(&why);
        score_nodes(c, p, selectors, fitting, n, scores);
        T_TRUE(n > 0);
        sched_pod_free(p);
    }
    return (int64_t)(clock() - start) * 1000000 / CLOCKS_PER_SEC / ROUNDS;
}

TEST(a_thousand_nodes_and_ten_thousand_pods)
{
#define SPREAD                                                                                                         \
    "\"topologySpreadConstraints\":[{\"maxSkew\":20,\"topologyKey\":\"kubernetes.io/hostname\","                       \
    "\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{\"app\":\"p\"}}}]"
#define AWAY                                                                                                           \
    "\"affinity\":{\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{\"labelSelector\":{"      \
    "\"matchLabels\":{\"app\":\"q\"}},\"topologyKey\":\"kubernetes.io/hostname\"}]}}"
    enum { NODES = 1000, PODS = 10000 };
    struct cluster c = {0};
    make_large(&c, NODES, PODS);
    printf("# one pod among %d nodes and %d pods: %lld us; spread %lld us; anti-affinity %lld us\n", NODES, PODS,
           (long long)time_to_choose(&c, "{" WANTS("100m", "1Mi") "}", NODES),
           (long long)time_to_choose(&c, "{" SPREAD "," WANTS("100m", "1Mi") "}", NODES),
           (long long)time_to_choose(&c, "{" AWAY "," WANTS("100m", "1Mi") "}", NODES));
    cluster_done(&c);
}

int main(void)
{
    RUN(each_filter_has_its_reason);
    RUN(reasons_are_counted_and_sorted);
    RUN(scores_prefer);
    RUN(the_account_of_a_node_is_exact);
    RUN(nodes_are_never_overcommitted);
    RUN(pods_of_one_controller_are_spread);
    RUN(an_unschedulable_pod_says_why_and_is_tried_again);
    RUN(a_thousand_nodes_and_ten_thousand_pods);
    return DONE();
}
