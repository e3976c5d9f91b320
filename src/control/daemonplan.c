/* See daemonplan.h. */
#include "control/daemonplan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/nodeselector.h"
#include "kinds/taints.h"

/* --- one pod and one node --- */

static const struct {
    const char *key, *effect;
    bool host_network; /* only with it */
} tolerated[] = {
    {"node.kubernetes.io/not-ready", "NoExecute", false},
    {"node.kubernetes.io/unreachable", "NoExecute", false},
    {"node.kubernetes.io/disk-pressure", "NoSchedule", false},
    {"node.kubernetes.io/memory-pressure", "NoSchedule", false},
    {"node.kubernetes.io/pid-pressure", "NoSchedule", false},
    {"node.kubernetes.io/unschedulable", "NoSchedule", false},
    {"node.kubernetes.io/network-unavailable", "NoSchedule", true},
};

static bool is_about_the_same(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"key", "operator", "value", "effect"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!streq(jstr_or(a, members[i], ""), jstr_or(b, members[i], "")))
            return false;
    return true;
}

/* Takes the place of one that ends: daemons stay for ever. */
static void put_toleration(json_t *list, json_t *t)
{
    bool there = false;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (is_about_the_same(json_array_get(list, i), t)) {
            json_array_set(list, i, t);
            there = true;
        }
    if (!there)
        json_array_append(list, t);
}

json_t *daemon_pod_spec(const json_t *template_spec)
{
    json_t *spec = json_deep_copy(template_spec);
    spec = spec ? spec : json_object();
    if (!jget(spec, "tolerations"))
        jset(spec, "tolerations", json_array());
    for (size_t i = 0; i < ARRAY_LEN(tolerated); i++) {
        _cleanup_json_ json_t *t =
            json_pack("{s:s, s:s, s:s}", "key", tolerated[i].key, "operator", "Exists", "effect", tolerated[i].effect);
        if (!tolerated[i].host_network || jbool(spec, "hostNetwork", false))
            put_toleration(jget(spec, "tolerations"), t);
    }
    return spec;
}

static bool tolerates(const json_t *pod_spec, const json_t *node, bool execution_only)
{
    const json_t *taints = jget(node, "spec.taints");
    for (size_t i = 0; i < json_array_size(taints); i++) {
        const json_t *taint = json_array_get(taints, i);
        const char *effect = jstr_or(taint, "effect", "");
        bool counts = streq(effect, "NoExecute") || (!execution_only && streq(effect, "NoSchedule"));
        if (counts && !taint_is_tolerated(taint, jget(pod_spec, "tolerations")))
            return false;
    }
    return true;
}

enum daemon_fit daemon_fits(const json_t *pod_spec, const json_t *node)
{
    const char *name = jstr_or(node, "metadata.name", ""), *wanted = jstr(pod_spec, "nodeName");
    if (wanted && *wanted && !streq(wanted, name))
        return FIT_NONE;
    if (!node_is_selected(pod_spec, name, jget(node, "metadata.labels")) || !tolerates(pod_spec, node, true))
        return FIT_NONE;
    return tolerates(pod_spec, node, false) ? FIT_RUN : FIT_STAY;
}

json_t *daemon_node_facts(const json_t *node)
{
    return json_pack("{s:O?, s:O?}", "labels", jget(node, "metadata.labels"), "taints", jget(node, "spec.taints"));
}

#define REQUIRED "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"

void daemon_aim(json_t *pod, const char *node)
{
    jset(pod, REQUIRED,
         json_pack("{s:[{s:[{s:s, s:s, s:[s]}]}]}", "nodeSelectorTerms", "matchFields", "key", "metadata.name",
                   "operator", "In", "values", node));
}

const char *daemon_target(const json_t *pod)
{
    const json_t *terms = jget(pod, REQUIRED ".nodeSelectorTerms");
    for (size_t i = 0; i < json_array_size(terms); i++) {
        const json_t *field = jfind(jget(json_array_get(terms, i), "matchFields"), "key", "metadata.name");
        const json_t *values = jget(field, "values");
        if (json_array_size(values) == 1)
            return str_or(json_string_value(json_array_get(values, 0)), "");
    }
    return "";
}

/* --- all of them --- */

void daemon_plan_add_pod(struct daemon_plan *p, const struct daemon_pod *pod, const char *node)
{
    if (!(p->n_pods & (p->n_pods + 1)))
        p->pods = xrealloc(p->pods, (2 * p->n_pods + 2) * sizeof(*p->pods));
    p->pods[p->n_pods] = *pod;
    p->pods[p->n_pods++].node = xstrdup(node);
}

void daemon_plan_add_node(struct daemon_plan *p, const char *name, enum daemon_fit fit)
{
    if (!(p->n_nodes & (p->n_nodes + 1)))
        p->nodes = xrealloc(p->nodes, (2 * p->n_nodes + 2) * sizeof(*p->nodes));
    p->nodes[p->n_nodes++] = (struct daemon_node){.name = name, .fit = fit};
}

void daemon_plan_done(struct daemon_plan *p)
{
    for (size_t i = 0; i < p->n_pods; i++)
        free((char *)p->pods[i].node);
    free(p->pods);
    free(p->nodes);
}

/* Bound pods before others, older before newer. */
static int by_node_and_age(const void *pa, const void *pb)
{
    const struct daemon_pod *a = pa, *b = pb;
    int order = strcmp(a->node, b->node);
    if (order)
        return order;
    bool bound_a = *pod_node(a->state), bound_b = *pod_node(b->state);
    if (bound_a != bound_b)
        return bound_a ? -1 : 1;
    if (a->state->created_usec != b->state->created_usec)
        return a->state->created_usec < b->state->created_usec ? -1 : 1;
    return strcmp(a->object->name, b->object->name);
}

static int by_name(const void *pa, const void *pb)
{
    return strcmp(((const struct daemon_node *)pa)->name, ((const struct daemon_node *)pb)->name);
}

void daemon_plan_sort(struct daemon_plan *p)
{
    size_t at = 0;
    if (p->n_pods)
        qsort(p->pods, p->n_pods, sizeof(*p->pods), by_node_and_age);
    if (p->n_nodes)
        qsort(p->nodes, p->n_nodes, sizeof(*p->nodes), by_name);
    for (size_t i = 0; i < p->n_nodes; i++) {
        struct daemon_node *n = &p->nodes[i];
        while (at < p->n_pods && strcmp(p->pods[at].node, n->name) < 0)
            at++;
        n->pods = p->pods + at;
        while (at < p->n_pods && streq(p->pods[at].node, n->name)) {
            at++;
            n->n++;
        }
    }
}

struct daemon_counts daemon_plan_counts(const struct daemon_plan *p)
{
    struct daemon_counts c = {0};
    for (size_t i = 0; i < p->n_nodes; i++) {
        const struct daemon_node *n = &p->nodes[i];
        if (n->fit != FIT_RUN) {
            c.misscheduled += n->n > 0;
            continue;
        }
        c.desired++;
        if (!n->n)
            continue;
        c.current++;
        c.ready += n->pods[0].state->ready;
        c.available += n->pods[0].available;
        c.updated += n->pods[0].is_new;
    }
    return c;
}

/* --- one node at rest: not too few, not too many --- */

static bool is_running(const struct daemon_pod *pod)
{
    return pod_active(pod->state) && !pod->why;
}

/* All but the oldest that runs go; with a surge, the oldest of the old and of the new template stay. */
static void drop_surplus(const struct daemon_plan *p, struct daemon_node *n)
{
    bool kept[2] = {false, false};
    for (size_t i = 0; i < n->n; i++) {
        struct daemon_pod *pod = &n->pods[i];
        bool *place = &kept[p->max_surge > 0 && pod->is_new];
        if (!is_running(pod))
            continue;
        if (*place)
            pod->why = DOOM_SURPLUS;
        *place = true;
    }
}

static void settle(const struct daemon_plan *p, struct daemon_node *n)
{
    if (n->fit == FIT_RUN && !n->n)
        n->create = true;
    for (size_t i = 0; i < n->n; i++) {
        struct daemon_pod *pod = &n->pods[i];
        if (pod->state->deleting)
            continue;
        if (n->fit == FIT_NONE)
            pod->why = DOOM_MISPLACED;
        else if (pod_finished(pod->state))
            pod->why = DOOM_FINISHED;
    }
    drop_surplus(p, n);
}

/* Pods that the scheduler has not bound and whose node does not exist wait for nothing. */
static void drop_homeless(struct daemon_plan *p)
{
    for (size_t i = 0; i < p->n_pods; i++) {
        struct daemon_pod *pod = &p->pods[i];
        const struct daemon_node key = {.name = pod->node};
        bool known = p->n_nodes && bsearch(&key, p->nodes, p->n_nodes, sizeof(key), by_name);
        if (!known && !*pod_node(pod->state) && !pod->state->deleting)
            pod->why = DOOM_MISPLACED;
    }
}

/* --- a changed template --- */

static struct daemon_pod *find(const struct daemon_node *n, bool is_new)
{
    for (size_t i = 0; i < n->n; i++)
        if (is_running(&n->pods[i]) && n->pods[i].is_new == is_new)
            return &n->pods[i];
    return NULL;
}

/* Old pods go first where they serve nobody, then as many others as may be missing. */
static void replace_in_place(struct daemon_plan *p)
{
    int64_t unavailable = 0;
    for (size_t i = 0; i < p->n_nodes; i++) {
        struct daemon_node *n = &p->nodes[i];
        struct daemon_pod *old = find(n, false), *new_pod = find(n, true);
        if (n->fit != FIT_RUN)
            continue;
        if (old && !old->available) {
            old->why = DOOM_OLD;
            unavailable++;
        } else if (!old && !(new_pod && new_pod->available)) {
            unavailable++;
        }
    }
    for (size_t i = 0; i < p->n_nodes && unavailable < p->max_unavailable; i++) {
        struct daemon_pod *old = find(&p->nodes[i], false);
        if (!old || p->nodes[i].fit == FIT_NONE)
            continue;
        old->why = DOOM_OLD;
        unavailable++;
    }
}

/* A new pod comes beside the old one, which goes when the new one is available. */
static void replace_with_surge(struct daemon_plan *p)
{
    int64_t surge = 0;
    for (size_t i = 0; i < p->n_nodes; i++) {
        struct daemon_node *n = &p->nodes[i];
        struct daemon_pod *old = find(n, false), *new_pod = find(n, true);
        if (!old || n->fit == FIT_NONE)
            continue;
        if (new_pod && (new_pod->available || !old->available))
            old->why = DOOM_OLD;
        else if (!new_pod && !old->available && n->fit == FIT_RUN)
            n->create = true;
        surge += new_pod != NULL; /* until the old one's deletion has been seen */
    }
    for (size_t i = 0; i < p->n_nodes && surge < p->max_surge; i++) {
        struct daemon_node *n = &p->nodes[i];
        if (n->create || n->fit != FIT_RUN || !find(n, false) || find(n, true))
            continue;
        n->create = true;
        surge++;
    }
}

void daemon_plan_make(struct daemon_plan *p)
{
    for (size_t i = 0; i < p->n_nodes; i++)
        settle(p, &p->nodes[i]);
    drop_homeless(p);
    if (!p->rolling)
        return;
    if (p->max_surge)
        replace_with_surge(p);
    else
        replace_in_place(p);
}
