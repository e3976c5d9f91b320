/* See sched.h. A pod that has been bound counts as placed from then on, before the informer shows it (it is assumed);
 * one that fits nowhere is looked at again when a node changes or a pod goes. */
#include "sched/sched.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/labels.h"
#include "sched/filters.h"
#include "sched/scores.h"

struct sched {
    struct informer *pods, *nodes, *services;
    struct cluster cluster;
    struct map waiting; /* keys of pods that fit nowhere */
};

static bool is_finished(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

static bool is_ours(const json_t *pod)
{
    return !*jstr_or(pod, "spec.nodeName", "") && !is_finished(pod) && !jget(pod, "metadata.deletionTimestamp") &&
           streq(jstr_or(pod, "spec.schedulerName", "default-scheduler"), "default-scheduler") &&
           !json_array_size(jget(pod, "spec.schedulingGates"));
}

/* --- what happens in the cluster --- */

static void wake_waiting(struct controller *c, struct sched *s)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->waiting, e));) {
        size_t n;
        _cleanup_free_ char **part = str_split(e->key, '/', &n);
        controller_enqueue(c, part[0], part[1]);
    }
    map_clear(&s->waiting);
}

static void map_pod(struct controller *c, struct object *o)
{
    struct sched *s = controller_state(c);
    struct object *now = informer_get(s->pods, o->ns, o->name);
    if (now && now != o)
        return; /* the side before the change */
    _cleanup_free_ char *key = object_key(o);
    _cleanup_json_ json_t *pod = now ? object_json(now) : NULL;
    if (!pod || is_finished(pod)) {
        map_del(&s->waiting, key);
        if (cluster_remove_pod(&s->cluster, key))
            wake_waiting(c, s);
    } else if (*jstr_or(pod, "spec.nodeName", "")) {
        cluster_take_pod(&s->cluster, sched_pod_new(pod));
    } else {
        controller_enqueue(c, o->ns, o->name);
    }
}

static void map_node(struct controller *c, struct object *o)
{
    struct sched *s = controller_state(c);
    struct object *now = informer_get(s->nodes, "", o->name);
    if (now && now != o)
        return;
    _cleanup_json_ json_t *node = now ? object_json(now) : NULL;
    if (cluster_set_node(&s->cluster, o->name, node))
        wake_waiting(c, s);
}

/* --- one pod --- */

static json_t *selectors_of_services(const struct sched *s, const struct sched_pod *p)
{
    json_t *selectors = json_array();
    if (p->owner)
        return selectors; /* its siblings are known by their controller */
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(s->services, json_string_value(p->ns), &cursor));) {
        _cleanup_json_ json_t *service = object_json(o);
        if (map_selector_matches(jget(service, "spec.selector"), p->labels))
            json_array_append(selectors, jget(service, "spec.selector"));
    }
    return selectors;
}

/* The best of the candidates, by lot among equals. */
static struct sched_node *choose(const struct sched *s, const struct sched_pod *p, struct sched_node *const *candidates,
                                 size_t n)
{
    _cleanup_json_ json_t *selectors = selectors_of_services(s, p);
    _cleanup_free_ int64_t *scores = xcalloc(n, sizeof(int64_t));
    score_nodes(p, selectors, candidates, n, scores);
    size_t best = 0, equals = 1;
    for (size_t i = 1; i < n; i++) {
        if (scores[i] > scores[best]) {
            best = i;
            equals = 1;
        } else if (scores[i] == scores[best] && rand_below((uint32_t)++equals) == 0) {
            best = i;
        }
    }
    return candidates[best];
}

/* NULL when no node fits; then *ret_why says why. */
static struct sched_node *find_node(const struct sched *s, const struct sched_pod *p, char **ret_why)
{
    _cleanup_free_ struct sched_node **fitting = xcalloc(s->cluster.nodes.len + 1, sizeof(struct sched_node *));
    size_t n = 0, total = 0;
    struct refusals why = {0};
    struct map_entry *cursor = NULL;
    for (struct sched_node *node; (node = cluster_next_node(&s->cluster, &cursor)); total++)
        if (node_fits(p, node, &why))
            fitting[n++] = node;
    if (n) {
        map_done(&why.counts);
        return choose(s, p, fitting, n);
    }
    *ret_why = total ? refusals_text(&why, total) : xstrdup("no nodes available to schedule pods");
    return NULL;
}

static void bind_pod(struct controller *c, struct sched *s, const json_t *pod, struct sched_pod *p, const char *node)
{
    const char *ns = jstr_or(pod, "metadata.namespace", ""), *name = jstr_or(pod, "metadata.name", "");
    p->node = xstrdup(node);
    p->assumed = true;
    cluster_take_pod(&s->cluster, p);
    _cleanup_json_ json_t *binding =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}}", "apiVersion", "v1", "kind", "Binding", "metadata",
                  "name", name, "namespace", ns, "uid", jstr_or(pod, "metadata.uid", ""), "target", "apiVersion", "v1",
                  "kind", "Node", "name", node);
    controller_request(c, "POST", &kind_pod, ns, name, "binding", binding);
}

/* Says so in the pod's condition and in an Event, when there is news. */
static void report_failure(struct controller *c, const json_t *pod, const char *why)
{
    const json_t *old = jfind(jget(pod, "status.conditions"), "type", "PodScheduled");
    if (streq(jstr_or(old, "message", ""), why))
        return;
    char now[TIME_TEXT_SIZE];
    time_format(controller_now_usec(c), now);
    bool same = streq(jstr_or(old, "status", ""), "False");
    _cleanup_json_ json_t *patch =
        json_pack("{s:{s:[{s:s, s:s, s:s, s:s, s:s}]}}", "status", "conditions", "type", "PodScheduled", "status",
                  "False", "reason", "Unschedulable", "message", why, "lastTransitionTime",
                  same ? jstr_or(old, "lastTransitionTime", now) : now);
    controller_patch(c, &kind_pod, jstr(pod, "metadata.namespace"), jstr(pod, "metadata.name"), "status",
                     PATCH_STRATEGIC, patch);
    controller_event(c, pod, "Warning", "FailedScheduling", "%s", why);
}

static void schedule(struct controller *c, struct sched *s, const char *key, const json_t *pod)
{
    struct sched_pod *p = sched_pod_new(pod);
    _cleanup_free_ char *why = NULL;
    struct sched_node *node = find_node(s, p, &why);
    if (node) {
        bind_pod(c, s, pod, p, node->name);
        return;
    }
    sched_pod_free(p);
    map_put(&s->waiting, key, s);
    report_failure(c, pod, why);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct sched *s = controller_state(c);
    struct object *o = informer_get(s->pods, ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    _cleanup_json_ json_t *pod = o ? object_json(o) : NULL;
    const struct sched_pod *placed = map_get(&s->cluster.pods, key);
    map_del(&s->waiting, key);
    if (!pod || !is_ours(pod))
        return;
    if (!placed)
        schedule(c, s, key, pod);
    else if (placed->doubtful)
        controller_get(c, &kind_pod, ns, name);
}

/* --- answers --- */

static void binding_answered(struct controller *c, struct sched *s, const char *ns, const char *name,
                             struct sched_pod *p, int code)
{
    struct object *o = informer_get(s->pods, ns, name);
    _cleanup_json_ json_t *pod = o ? object_json(o) : NULL;
    if (code >= 200 && code < 300) {
        if (pod)
            controller_event(c, pod, "Normal", "Scheduled", "Successfully assigned %s/%s to %s", ns, name, p->node);
    } else if (!p->assumed) {
        return; /* the informer knows better already */
    } else if (code) {
        cluster_remove_pod(&s->cluster, p->key);
    } else {
        p->doubtful = true; /* it may have been bound: its place stays taken until that is known */
    }
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    struct sched *s = controller_state(c);
    _cleanup_free_ char *key = make_object_key(ns, name);
    struct sched_pod *p = map_get(&s->cluster.pods, key);
    if (!p)
        return;
    if (call->sub && streq(call->sub, "binding")) {
        binding_answered(c, s, ns, name, p, code);
    } else if (streq(call->method, "GET") && p->assumed && (code == 200 || code == 404)) {
        p->doubtful = false;
        if (code == 404 || !*jstr_or(body, "spec.nodeName", "")) {
            cluster_remove_pod(&s->cluster, key);
            controller_enqueue(c, ns, name);
        }
    }
}

static void *start(struct controller *c)
{
    struct sched *s = NEW(struct sched);
    s->pods = controller_informer(c, &kind_pod);
    s->nodes = controller_informer(c, &kind_node);
    s->services = controller_informer(c, &kind_service);
    return s;
}

static void stop(void *state)
{
    struct sched *s = state;
    cluster_done(&s->cluster);
    map_done(&s->waiting);
    free(s);
}

static const struct controller_watch watches[] = {{&kind_pod, map_pod}, {&kind_node, map_node}, {NULL, NULL}};

const struct controller_def scheduler = {
    .name = "default-scheduler",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
    .answered = answered,
};
