/* See sched.h. A pod that has been bound counts as placed from then on, before the informer shows it (it is assumed);
 * one that fits nowhere is looked at again when something has changed that may help (pending.h). */
#include "sched/sched.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/labels.h"
#include "sched/sched_impl.h"
#include "sched/scores.h"

/* In a large cluster a good node is good enough: so many that fit are compared (upstream: numFeasibleNodesToFind). */
#define COMPARED_MIN 100
#define COMPARED_PERCENT_MIN 5

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

static void wake(void *arg, const char *key, int64_t ms)
{
    size_t n;
    _cleanup_free_ char **part = str_split(key, '/', &n);
    if (ms)
        controller_enqueue_after(arg, part[0], part[1], ms);
    else
        controller_enqueue(arg, part[0], part[1]);
}

static void something_helps(struct controller *c, struct sched *s, unsigned causes)
{
    pending_wake(&s->pending, causes, controller_mono_ms(c), wake, c);
}

/* What the scheduler's answer depends on: a change of the status alone is no reason for another look. */
static uint64_t shape_of(const json_t *pod)
{
    _cleanup_json_ json_t *both = json_pack("[O?, O?]", jget(pod, "spec"), jget(pod, "metadata.labels"));
    _cleanup_free_ char *text = jprint_sorted(both);
    return hash_bytes(text, strlen(text));
}

static void placed_pod_changed(struct controller *c, struct sched *s, const char *key, const json_t *pod)
{
    const struct sched_pod *before = map_get(&s->cluster.pods, key);
    struct sched_pod *now = sched_pod_new(pod);
    unsigned helps = !before ? CAUSE_COMPANY
                     : !json_equal(before->labels, now->labels) || before->deleting != now->deleting
                         ? CAUSE_ROOM | CAUSE_COMPANY
                         : 0;
    pending_forget(&s->pending, key);
    pending_deactivate(&s->pending, key);
    nominated_forget(s, key);
    cluster_take_pod(&s->cluster, now);
    if (helps)
        something_helps(c, s, helps);
}

static void unplaced_pod_changed(struct controller *c, struct sched *s, const char *key, const json_t *pod)
{
    const char *room = jstr_or(pod, "status.nominatedNodeName", "");
    if (*room && !map_get(&s->nominated, key)) /* of an earlier life */
        nominate(s, pod, room);
    if (map_get(&s->cluster.pods, key) ||
        (pending_waits(&s->pending, key) && pending_knows(&s->pending, key, shape_of(pod))))
        return;
    if (is_ours(pod))
        pending_activate(&s->pending, key, jint(pod, "spec.priority", 0), controller_mono_ms(c));
    controller_enqueue(c, jstr_or(pod, "metadata.namespace", ""), jstr_or(pod, "metadata.name", ""));
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
        pending_forget(&s->pending, key);
        pending_deactivate(&s->pending, key);
        nominated_forget(s, key);
        if (cluster_remove_pod(&s->cluster, key))
            something_helps(c, s, CAUSE_ROOM);
    } else if (*jstr_or(pod, "spec.nodeName", "")) {
        placed_pod_changed(c, s, key, pod);
    } else {
        unplaced_pod_changed(c, s, key, pod);
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
        something_helps(c, s, CAUSE_NODE);
}

/* A claim, a volume or a class. */
static void map_storage(struct controller *c, struct object *o)
{
    struct sched *s = controller_state(c);
    (void)o;
    for (struct map_entry *e = NULL; (e = map_next(&s->settling, e));)
        wake(c, e->key, 0);
    map_clear(&s->settling);
    something_helps(c, s, CAUSE_STORAGE);
}

static void map_namespace(struct controller *c, struct object *o)
{
    struct sched *s = controller_state(c);
    struct object *now = informer_get(s->namespaces, "", o->name);
    if (now && now != o)
        return;
    _cleanup_json_ json_t *doc = now ? object_json(now) : NULL, *none = json_object();
    const json_t *labels = jget(doc, "metadata.labels");
    if (cluster_set_namespace(&s->cluster, o->name, !now ? NULL : labels ? labels : none))
        something_helps(c, s, CAUSE_ROOM | CAUSE_COMPANY);
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
    score_nodes(&s->cluster, p, selectors, candidates, n, scores);
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

static size_t enough(size_t n_nodes)
{
    size_t cut = n_nodes / 125, percent = cut < 50 - COMPARED_PERCENT_MIN ? 50 - cut : COMPARED_PERCENT_MIN;
    size_t n = n_nodes * percent / 100;
    return n > COMPARED_MIN ? n : COMPARED_MIN;
}

static struct sched_node **list_nodes(const struct cluster *c, size_t *ret_n)
{
    struct sched_node **nodes = xcalloc(c->nodes.len + 1, sizeof(struct sched_node *));
    struct map_entry *cursor = NULL;
    *ret_n = 0;
    for (struct sched_node *n; (n = cluster_next_node(c, &cursor));)
        nodes[(*ret_n)++] = n;
    return nodes;
}

/* Where a volume is being made for the pod, if that node still fits. */
static struct sched_node *find_chosen(struct sched *s, const struct sched_pod *p)
{
    const char *chosen = p->claims ? claims_chosen_node(p->claims) : NULL;
    struct sched_node *node = chosen ? map_get(&s->cluster.nodes, chosen) : NULL;
    struct refusals why = {0};
    struct decision d;
    if (!node || !node->known)
        return NULL;
    decision_begin(&d, &s->cluster, p);
    bool fits = node_fits(&d, node, &why) == FIT_YES;
    decision_done(&d);
    refusals_done(&why);
    return fits ? node : NULL;
}

/* NULL when no node fits; then *ret_why and *ret_causes say why. */
static struct sched_node *find_node(struct sched *s, const struct sched_pod *p, char **ret_why, unsigned *ret_causes)
{
    size_t total, n = 0, looked = 0;
    struct sched_node *chosen = find_chosen(s, p);
    if (chosen)
        return chosen;
    _cleanup_free_ struct sched_node **nodes = list_nodes(&s->cluster, &total);
    _cleanup_free_ struct sched_node **fitting = xcalloc(total + 1, sizeof(struct sched_node *));
    struct refusals why = {0};
    struct decision d;
    decision_begin(&d, &s->cluster, p);
    for (; looked < total && n < enough(total); looked++) {
        struct sched_node *node = nodes[(s->next_node + looked) % total];
        if (node_fits(&d, node, &why) == FIT_YES)
            fitting[n++] = node;
    }
    decision_done(&d);
    s->next_node = total ? (s->next_node + looked) % total : 0;
    *ret_causes = total ? why.causes : CAUSE_NODE;
    struct sched_node *best = n ? choose(s, p, fitting, n) : NULL;
    if (!best)
        *ret_why = total ? refusals_text(&why, total) : xstrdup("no nodes available to schedule pods");
    refusals_done(&why);
    return best;
}

static void bind_pod(struct controller *c, struct sched *s, const json_t *pod, struct sched_pod *p, const char *node)
{
    const char *ns = jstr_or(pod, "metadata.namespace", ""), *name = jstr_or(pod, "metadata.name", "");
    p->node = xstrdup(node);
    p->assumed = true;
    pending_forget(&s->pending, p->key);
    nominated_forget(s, p->key);
    cluster_take_pod(&s->cluster, p);
    something_helps(c, s, CAUSE_COMPANY);
    _cleanup_json_ json_t *binding =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}}", "apiVersion", "v1", "kind", "Binding", "metadata",
                  "name", name, "namespace", ns, "uid", jstr_or(pod, "metadata.uid", ""), "target", "apiVersion", "v1",
                  "kind", "Node", "name", node);
    controller_request(c, "POST", &kind_pod, ns, name, "binding", binding);
}

/* Says so in the pod's condition and in an Event, when there is news. room: the node where it is made, or "". */
static void report_failure(struct controller *c, const json_t *pod, const char *why, const char *room)
{
    const json_t *old = jfind(jget(pod, "status.conditions"), "type", "PodScheduled");
    bool same_room = streq(jstr_or(pod, "status.nominatedNodeName", ""), room);
    if (streq(jstr_or(old, "message", ""), why) && same_room)
        return;
    char now[TIME_TEXT_SIZE];
    time_format(controller_now_usec(c), now);
    bool same = streq(jstr_or(old, "status", ""), "False");
    _cleanup_json_ json_t *patch =
        json_pack("{s:{s:[{s:s, s:s, s:s, s:s, s:s}]}}", "status", "conditions", "type", "PodScheduled", "status",
                  "False", "reason", "Unschedulable", "message", why, "lastTransitionTime",
                  same ? jstr_or(old, "lastTransitionTime", now) : now);
    if (!same_room)
        jset(patch, "status.nominatedNodeName", *room ? json_string(room) : json_null());
    controller_patch(c, &kind_pod, jstr(pod, "metadata.namespace"), jstr(pod, "metadata.name"), "status",
                     PATCH_STRATEGIC, patch);
    controller_event(c, pod, "Warning", "FailedScheduling", "%s", why);
}

/* No node fits: perhaps others make room; in any case it waits. */
static void give_up(struct controller *c, struct sched *s, const json_t *pod, const struct sched_pod *p,
                    const char *why, unsigned causes)
{
    _cleanup_free_ char *not_helped = NULL;
    const char *room = s->cluster.nodes.len ? make_room(c, s, pod, p, &not_helped) : NULL;
    _cleanup_free_ char *text = not_helped ? xasprintf("%s preemption: %s", why, not_helped) : xstrdup(why);
    _cleanup_free_ char *node = xstrdup(str_or(room, ""));
    nominate(s, pod, node);
    pending_wait(&s->pending, p->key, p->priority, causes | (room ? CAUSE_ROOM : 0), shape_of(pod),
                 controller_mono_ms(c));
    controller_enqueue_after(c, jstr_or(pod, "metadata.namespace", ""), jstr_or(pod, "metadata.name", ""),
                             PENDING_FLUSH_MS);
    report_failure(c, pod, text, node);
}

static char *no_node_text(const struct sched *s, const char *problem)
{
    size_t total;
    free(list_nodes(&s->cluster, &total));
    return xasprintf("0/%zu nodes are available: %s.", total, problem);
}

/* The node for the pod; NULL when there is none and it waits for one. */
static struct sched_node *find_or_wait(struct controller *c, struct sched *s, const json_t *pod, struct sched_pod *p,
                                       const struct pod_claims *claims)
{
    _cleanup_free_ char *why = claims && claims->problem ? no_node_text(s, claims->problem) : NULL;
    unsigned causes = CAUSE_STORAGE | CAUSE_ROOM;
    p->claims = claims;
    nominated_enter(s, p);
    struct sched_node *node = why ? NULL : find_node(s, p, &why, &causes);
    if (!node)
        give_up(c, s, pod, p, why, causes);
    nominated_leave(s, p);
    p->claims = NULL;
    return node;
}

static void schedule(struct controller *c, struct sched *s, const json_t *pod)
{
    struct sched_pod *p = sched_pod_new(pod);
    struct pod_claims *claims = pod_claims_new(&s->claims, pod);
    struct sched_node *node = find_or_wait(c, s, pod, p, claims);
    if (node && (!claims || claims_settle(claims, c, node))) {
        bind_pod(c, s, pod, p, node->name);
    } else {
        if (node)
            map_put(&s->settling, p->key, s);
        sched_pod_free(p);
    }
    pod_claims_free(claims);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct sched *s = controller_state(c);
    struct object *o = informer_get(s->pods, ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    _cleanup_json_ json_t *pod = o ? object_json(o) : NULL;
    const struct sched_pod *placed = map_get(&s->cluster.pods, key);
    if (pod && is_ours(pod) && !placed &&
        !pending_is_turn(&s->pending, jint(pod, "spec.priority", 0), controller_mono_ms(c))) {
        controller_enqueue(c, ns, name);
        return;
    }
    pending_deactivate(&s->pending, key);
    if (!pod || !is_ours(pod))
        return;
    if (!placed)
        schedule(c, s, pod);
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
    s->namespaces = controller_informer(c, &kind_namespace);
    s->budgets = controller_informer(c, &kind_poddisruptionbudget);
    claims_start(&s->claims, c);
    return s;
}

static void free_nominated(void *p)
{
    sched_pod_free(p);
}

static void stop(void *state)
{
    struct sched *s = state;
    cluster_done(&s->cluster);
    pending_done(&s->pending);
    map_done(&s->settling);
    map_done_with(&s->nominated, free_nominated);
    free(s);
}

static const struct controller_watch watches[] = {{&kind_namespace, map_namespace},
                                                  {&kind_pod, map_pod},
                                                  {&kind_node, map_node},
                                                  {&kind_persistentvolumeclaim, map_storage},
                                                  {&kind_persistentvolume, map_storage},
                                                  {&kind_storageclass, map_storage},
                                                  {NULL, NULL}};

const struct controller_def scheduler = {
    .name = "default-scheduler",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
    .answered = answered,
};
