/* sched: affinity between pods and topology spread against a naive reading of their definitions, on random clusters;
 * and who has to go when there is no room. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"
#include "sched/pending.h"
#include "sched/preempt.h"
#include "sched/scores.h"
#include "t.h"

#define HOSTNAME "kubernetes.io/hostname"
#define ZONE "topology.kubernetes.io/zone"

enum { NODES = 6, PODS = 14, ROUNDS = 3000 };

static unsigned seed;
static unsigned below(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

/* --- random clusters --- */

static json_t *random_term(void)
{
    static const char *const keys[] = {HOSTNAME, ZONE};
    json_t *t = json_pack("{s:s, s:{s:{s:s}}}", "topologyKey", keys[below(2)], "labelSelector", "matchLabels", "app",
                          below(2) ? "x" : "y");
    if (below(4) == 0)
        jset(t, "namespaces", json_pack("[s]", "b"));
    if (below(4) == 0)
        jset(t, "namespaceSelector", below(2) ? json_object() : json_pack("{s:{s:s}}", "matchLabels", "team", "b"));
    if (below(5) == 0)
        jset(t, "matchLabelKeys", json_pack("[s]", "hash"));
    return t;
}

static json_t *random_terms(const char *member)
{
    json_t *terms = json_array();
    for (unsigned n = below(3); n > 0; n--)
        json_array_append_new(terms, random_term());
    return json_pack("{s:o}", member, terms);
}

static json_t *random_spread(void)
{
    json_t *list = json_array();
    for (unsigned n = below(3); n > 0; n--) {
        json_t *c = json_pack("{s:i, s:s, s:s, s:{s:{s:s}}}", "maxSkew", 1 + (int)below(2), "topologyKey",
                              below(2) ? HOSTNAME : ZONE, "whenUnsatisfiable", "DoNotSchedule", "labelSelector",
                              "matchLabels", "app", below(2) ? "x" : "y");
        if (below(3) == 0)
            jset(c, "minDomains", json_integer(1 + below(4)));
        if (below(3) == 0)
            jset(c, "nodeAffinityPolicy", json_string("Ignore"));
        if (below(3) == 0)
            jset(c, "nodeTaintsPolicy", json_string("Honor"));
        json_array_append_new(list, c);
    }
    return list;
}

static json_t *random_pod(int i, const char *node)
{
    char name[16], hash[8];
    snprintf(name, sizeof(name), "p%d", i);
    snprintf(hash, sizeof(hash), "%u", below(2));
    json_t *pod = json_pack(
        "{s:{s:s, s:s, s:{s:s, s:s}}, s:{s:{s:o, s:o}, s:o}}", "metadata", "name", name, "namespace",
        below(3) ? "a" : "b", "labels", "app", below(2) ? "x" : "y", "hash", hash, "spec", "affinity", "podAffinity",
        random_terms("requiredDuringSchedulingIgnoredDuringExecution"), "podAntiAffinity",
        random_terms("requiredDuringSchedulingIgnoredDuringExecution"), "topologySpreadConstraints", random_spread());
    if (node)
        jset(pod, "spec.nodeName", json_string(node));
    if (below(6) == 0)
        jset(pod, "metadata.deletionTimestamp", json_string("2030-01-01T00:00:00Z"));
    if (below(5) == 0)
        jset(pod, "spec.nodeSelector", json_pack("{s:s}", "disk", "ssd"));
    return pod;
}

static json_t *random_node(int i)
{
    char name[16];
    snprintf(name, sizeof(name), "n%d", i);
    json_t *labels = json_object();
    if (below(8))
        json_object_set_new(labels, HOSTNAME, json_string(name));
    if (below(5))
        json_object_set_new(labels, ZONE, json_string(below(2) ? "z1" : "z2"));
    if (below(2))
        json_object_set_new(labels, "disk", json_string("ssd"));
    json_t *node = json_pack("{s:{s:s, s:o}, s:{}, s:{s:{s:s, s:s, s:s}, s:[{s:s, s:s}]}}", "metadata", "name", name,
                             "labels", labels, "spec", "status", "allocatable", "cpu", "9", "memory", "9Gi", "pods",
                             "110", "conditions", "type", "Ready", "status", "True");
    if (below(5) == 0)
        jset(node, "spec.taints", json_pack("[{s:s, s:s}]", "key", "k", "effect", "NoSchedule"));
    return node;
}

/* --- the naive reading --- */

struct scene {
    json_t *nodes[NODES], *pods[PODS], *pod; /* pods[i] may be NULL */
};

static const json_t *node_of(const struct scene *s, const json_t *pod)
{
    for (int i = 0; i < NODES; i++)
        if (streq(jstr(s->nodes[i], "metadata.name"), jstr(pod, "spec.nodeName")))
            return s->nodes[i];
    return NULL;
}

static const char *label(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(jget(object, "metadata.labels"), key));
}

static bool same_domain(const json_t *a, const json_t *b, const char *key)
{
    return label(a, key) && label(b, key) && streq(label(a, key), label(b, key));
}

static bool naive_means(const json_t *term, const json_t *owner, const json_t *other)
{
    const char *ns = jstr(other, "metadata.namespace");
    const json_t *names = jget(term, "namespaces"), *selector = jget(term, "namespaceSelector");
    bool in_ns = !json_array_size(names) && !selector && streq(ns, jstr(owner, "metadata.namespace"));
    in_ns = in_ns || (json_array_size(names) && streq(ns, "b"));
    in_ns = in_ns || (selector && (!json_object_size(selector) || streq(ns, "b")));
    return in_ns && label_selector_matches(jget(term, "labelSelector"), jget(other, "metadata.labels")) &&
           (!jget(term, "matchLabelKeys") || streq(label(owner, "hash"), label(other, "hash")));
}

static const json_t *required(const json_t *pod, const char *which)
{
    return jget(jget(jget(pod, "spec.affinity"), which), "requiredDuringSchedulingIgnoredDuringExecution");
}

static bool means_all(const json_t *owner, const json_t *other)
{
    const json_t *terms = required(owner, "podAffinity");
    for (size_t i = 0; i < json_array_size(terms); i++)
        if (!naive_means(json_array_get(terms, i), owner, other))
            return false;
    return true;
}

static bool naive_near(const struct scene *s, const json_t *node)
{
    const json_t *terms = required(s->pod, "podAffinity");
    bool all_met = true, anybody = false;
    for (size_t i = 0; i < json_array_size(terms); i++) {
        const char *key = jstr(json_array_get(terms, i), "topologyKey");
        bool met = false;
        if (!label(node, key))
            return false;
        for (int k = 0; k < PODS; k++) {
            const json_t *there = s->pods[k] ? node_of(s, s->pods[k]) : NULL;
            if (!there || !means_all(s->pod, s->pods[k]))
                continue;
            anybody = anybody || label(there, key);
            met = met || same_domain(there, node, key);
        }
        all_met = all_met && met;
    }
    return all_met || (!anybody && means_all(s->pod, s->pod));
}

static bool hates(const struct scene *s, const json_t *owner, const json_t *other, const json_t *a, const json_t *b)
{
    (void)s;
    const json_t *terms = required(owner, "podAntiAffinity");
    for (size_t i = 0; i < json_array_size(terms); i++) {
        const json_t *term = json_array_get(terms, i);
        if (naive_means(term, owner, other) && same_domain(a, b, jstr(term, "topologyKey")))
            return true;
    }
    return false;
}

static bool naive_peace(const struct scene *s, const json_t *node)
{
    for (int k = 0; k < PODS; k++) {
        const json_t *there = s->pods[k] ? node_of(s, s->pods[k]) : NULL;
        if (there && (hates(s, s->pod, s->pods[k], there, node) || hates(s, s->pods[k], s->pod, there, node)))
            return false;
    }
    return true;
}

static bool spread_looks_at(const struct scene *s, const json_t *constraint, const json_t *node)
{
    const json_t *all = jget(s->pod, "spec.topologySpreadConstraints");
    for (size_t i = 0; i < json_array_size(all); i++)
        if (!label(node, jstr(json_array_get(all, i), "topologyKey")))
            return false;
    if (!jget(constraint, "nodeAffinityPolicy") && jget(s->pod, "spec.nodeSelector") && !label(node, "disk"))
        return false;
    return !jget(constraint, "nodeTaintsPolicy") || !jget(node, "spec.taints");
}

static int64_t pods_in(const struct scene *s, const json_t *constraint, const json_t *node)
{
    int64_t n = 0;
    for (int k = 0; k < PODS; k++) {
        const json_t *there = s->pods[k] ? node_of(s, s->pods[k]) : NULL;
        n += there && same_domain(there, node, jstr(constraint, "topologyKey")) &&
             spread_looks_at(s, constraint, there) && !jget(s->pods[k], "metadata.deletionTimestamp") &&
             streq(jstr(s->pods[k], "metadata.namespace"), jstr(s->pod, "metadata.namespace")) &&
             label_selector_matches(jget(constraint, "labelSelector"), jget(s->pods[k], "metadata.labels"));
    }
    return n;
}

static bool naive_constraint(const struct scene *s, const json_t *constraint, const json_t *node)
{
    const char *key = jstr(constraint, "topologyKey");
    int64_t least = INT64_MAX, domains = 0;
    for (int i = 0; i < NODES; i++) {
        bool first = spread_looks_at(s, constraint, s->nodes[i]);
        for (int k = 0; k < i && first; k++)
            first = !(spread_looks_at(s, constraint, s->nodes[k]) && same_domain(s->nodes[k], s->nodes[i], key));
        if (!first)
            continue;
        int64_t n = pods_in(s, constraint, s->nodes[i]);
        least = n < least ? n : least;
        domains++;
    }
    if (!domains || domains < jint(constraint, "minDomains", 1))
        least = 0;
    bool itself = label_selector_matches(jget(constraint, "labelSelector"), jget(s->pod, "metadata.labels"));
    return pods_in(s, constraint, node) + itself - least <= jint(constraint, "maxSkew", 0);
}

static bool naive_spread(const struct scene *s, const json_t *node)
{
    const json_t *all = jget(s->pod, "spec.topologySpreadConstraints");
    for (size_t i = 0; i < json_array_size(all); i++)
        if (!label(node, jstr(json_array_get(all, i), "topologyKey")))
            return false;
    for (size_t i = 0; i < json_array_size(all); i++)
        if (!naive_constraint(s, json_array_get(all, i), node))
            return false;
    return true;
}

static bool naive_fits(const struct scene *s, const json_t *node)
{
    if (jget(node, "spec.taints") || (jget(s->pod, "spec.nodeSelector") && !label(node, "disk")))
        return false;
    return naive_near(s, node) && naive_peace(s, node) && naive_spread(s, node);
}

/* --- the comparison --- */

static void compare(const struct scene *s, const struct cluster *c, int round)
{
    struct sched_pod *p = sched_pod_new(s->pod);
    struct decision d;
    decision_begin(&d, c, p);
    for (int i = 0; i < NODES; i++) {
        struct refusals why = {0};
        const char *name = jstr(s->nodes[i], "metadata.name");
        bool got = node_fits(&d, map_get(&c->nodes, name), &why) == FIT_YES, want = naive_fits(s, s->nodes[i]);
        if (got != want) {
            const struct map_entry *reason = map_next(&why.counts, NULL);
            T_FAIL("round %d, node %s: %s, %s", round, name, got ? "fits" : "does not fit", reason ? reason->key : "");
        }
        refusals_done(&why);
    }
    decision_done(&d);
    sched_pod_free(p);
}

TEST(filters_do_what_the_definitions_say)
{
    for (int round = 0; round < ROUNDS && !t_this_failed; round++) {
        struct scene s = {0};
        struct cluster c = {0};
        _cleanup_json_ json_t *team_a = json_pack("{s:s}", "team", "a"), *team_b = json_pack("{s:s}", "team", "b");
        seed = (unsigned)round * 7919 + 1;
        cluster_set_namespace(&c, "a", team_a);
        cluster_set_namespace(&c, "b", team_b);
        for (int i = 0; i < NODES; i++) {
            s.nodes[i] = random_node(i);
            cluster_set_node(&c, jstr(s.nodes[i], "metadata.name"), s.nodes[i]);
        }
        for (int i = 0; i < PODS; i++) {
            char node[16];
            snprintf(node, sizeof(node), "n%u", below(NODES));
            if (below(3)) {
                s.pods[i] = random_pod(i, node);
                cluster_take_pod(&c, sched_pod_new(s.pods[i]));
            }
        }
        s.pod = random_pod(99, NULL);
        compare(&s, &c, round);
        json_decref(s.pod);
        for (int i = 0; i < PODS; i++)
            json_decref(s.pods[i]);
        for (int i = 0; i < NODES; i++)
            json_decref(s.nodes[i]);
        cluster_done(&c);
    }
}

/* --- preemption --- */

/* `cpu` of the node's 4; started: seconds. */
static void place(struct cluster *c, const char *node, const char *name, int priority, int cpu, int started)
{
    char start[32], text[16];
    snprintf(start, sizeof(start), "2030-01-01T00:00:%02dZ", started);
    snprintf(text, sizeof(text), "%d", cpu);
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s, s:s, s:{s:s}}, s:{s:s, s:i, s:[{s:{s:{s:s}}}]}, s:{s:s}}", "metadata", "namespace", "a",
                  "name", name, "labels", "name", name, "spec", "nodeName", node, "priority", priority, "containers",
                  "resources", "requests", "cpu", text, "status", "startTime", start);
    cluster_take_pod(c, sched_pod_new(doc));
}

static struct cluster two_nodes(void)
{
    struct cluster c = {0};
    _cleanup_json_ json_t *node =
        json_pack("{s:{}, s:{s:{s:s, s:s}, s:[{s:s, s:s}]}}", "metadata", "status", "allocatable", "cpu", "4", "pods",
                  "110", "conditions", "type", "Ready", "status", "True");
    cluster_set_node(&c, "n1", node);
    cluster_set_node(&c, "n2", node);
    return c;
}

/* "NODE: victims" or why not. */
static char *outcome(struct cluster *c, int priority, int cpu, const struct budget *budgets, size_t n_budgets)
{
    char text[16], *why;
    snprintf(text, sizeof(text), "%d", cpu);
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s, s:s}, s:{s:i, s:[{s:{s:{s:s}}}]}}", "metadata", "namespace", "a", "name", "new", "spec",
                  "priority", priority, "containers", "resources", "requests", "cpu", text);
    struct sched_pod *p = sched_pod_new(doc);
    struct room room;
    struct buf b = BUF_INIT(0);
    if (preempt(c, p, budgets, n_budgets, &room, &why)) {
        buf_addf(&b, "%s:", room.node->name);
        for (size_t i = 0; i < room.n; i++)
            buf_addf(&b, " %s", room.victims[i]->key + 2);
        free(why);
        why = buf_take(&b);
    }
    free(room.victims);
    sched_pod_free(p);
    return why;
}

TEST(who_has_to_go)
{
    static const struct {
        const char *what, *pods, *budget; /* NODE NAME PRIORITY CPU START;… ; budget: a name that nobody may take */
        int priority, cpu;
        const char *want;
    } cases[] = {
        {"nobody is lower", "n1 x 5 3 0;n2 y 5 3 0", NULL, 5, 2,
         "0/2 nodes are available: 2 No preemption victims found for incoming pod."},
        {"too large at any rate", "n1 x 0 3 0;n2 y 9 3 0", NULL, 5, 5,
         "0/2 nodes are available: 1 Insufficient cpu, 1 No preemption victims found for incoming pod."},
        {"the least important", "n1 x 3 3 0;n2 y 1 3 0", NULL, 5, 2, "n2: y"},
        {"no more than needed", "n1 a 1 2 0;n1 b 2 2 0;n2 y 3 4 0", NULL, 5, 2, "n1: a"},
        {"the younger of equals", "n1 a 1 2 10;n1 b 1 2 20;n2 y 3 4 0", NULL, 5, 2, "n1: b"},
        {"fewer of equals", "n1 a 1 2 0;n1 b 1 2 0;n2 y 1 4 0", NULL, 5, 4, "n2: y"},
        {"those that began last", "n1 x 1 4 10;n2 y 1 4 20", NULL, 5, 4, "n2: y"},
        {"no budget is overdrawn", "n1 x 1 4 0;n2 y 3 4 0", "x", 5, 4, "n2: y"},
        {"but if it must be", "n1 x 1 4 0;n2 y 9 4 0", "x", 5, 4, "n1: x"},
        {"its pods are spared first", "n1 a 1 2 0;n1 b 3 2 0;n2 y 9 4 0", "a", 5, 2, "n1: b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cluster c = two_nodes();
        size_t n;
        _cleanup_free_ char **pods = str_split(cases[i].pods, ';', &n);
        for (size_t k = 0; k < n; k++) {
            char node[8], name[8];
            int priority, cpu, started;
            sscanf(pods[k], "%7s %7s %d %d %d", node, name, &priority, &cpu, &started);
            place(&c, node, name, priority, cpu, started);
        }
        _cleanup_json_ json_t *selector =
            json_pack("{s:{s:s}}", "matchLabels", "name", cases[i].budget ? cases[i].budget : "");
        const struct budget budget = {"a", selector, 0};
        _cleanup_free_ char *got = outcome(&c, cases[i].priority, cases[i].cpu, &budget, 1);
        if (!streq(got, cases[i].want))
            T_FAIL("%s: %s, want %s", cases[i].what, got, cases[i].want);
        T_INT(c.pods.len, n); /* all are back */
        cluster_done(&c);
    }
}

/* --- whose turn it is --- */

static char woken[200];
static void on_wake(void *arg, const char *key, int64_t ms)
{
    (void)arg;
    size_t len = strlen(woken);
    snprintf(woken + len, sizeof(woken) - len, "%s+%lld ", key, (long long)ms);
}

TEST(higher_priorities_go_first_and_failures_wait)
{
    struct pending q = {0};
    pending_activate(&q, "a/low", 0, 0);
    pending_activate(&q, "a/high", 10, 0);
    T_TRUE(!pending_is_turn(&q, 0, 5) && pending_is_turn(&q, 10, 5));
    T_TRUE(pending_is_turn(&q, 0, 5000)); /* it may hang */
    pending_deactivate(&q, "a/high");
    T_TRUE(pending_is_turn(&q, 0, 5));

    pending_wait(&q, "a/high", 10, CAUSE_ROOM, 7, 1000);
    T_TRUE(pending_knows(&q, "a/high", 7) && !pending_knows(&q, "a/high", 8));
    pending_wake(&q, CAUSE_NODE, 1200, on_wake, NULL);
    T_STR(woken, "");
    pending_wake(&q, CAUSE_NODE | CAUSE_ROOM, 1200, on_wake, NULL);
    pending_wake(&q, CAUSE_ROOM, 1300, on_wake, NULL); /* once is enough */
    T_STR(woken, "a/high+800 ");
    for (int i = 0; i < 6; i++)
        pending_wait(&q, "a/high", 10, CAUSE_ROOM, 7, 2000);
    pending_wake(&q, CAUSE_ROOM, 2000, on_wake, NULL);
    T_STR(woken, "a/high+800 a/high+10000 ");
    pending_wait(&q, "a/high", 10, CAUSE_ROOM, 7, 2000);
    pending_wake(&q, CAUSE_ROOM, 30000, on_wake, NULL);
    T_TRUE(!pending_is_turn(&q, 0, 30001)); /* it is being looked at again */
    pending_forget(&q, "a/high");
    T_TRUE(!pending_waits(&q, "a/high"));
    pending_done(&q);
}

int main(void)
{
    RUN(filters_do_what_the_definitions_say);
    RUN(who_has_to_go);
    RUN(higher_priorities_go_first_and_failures_wait);
    return DONE();
}
