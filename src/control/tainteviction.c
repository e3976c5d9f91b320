/* Pods leave nodes with NoExecute taints that they do not tolerate, at once or when their tolerationSeconds are over
 * (upstream: pkg/controller/tainteviction). */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/taints.h"

#define NEVER INT64_MAX

struct evictions {
    struct informer *nodes, *pods;
    int pods_by_node;
    struct map since; /* pod key -> when its node's taints were first seen, wall clock in milliseconds, as a pointer */
};

/* How long the pod may stay with this taint: 0 not at all, NEVER for good. The shortest of its matching tolerations. */
static int64_t tolerated_seconds(const json_t *pod, const json_t *taint)
{
    int64_t seconds = NEVER;
    bool any = false;
    size_t i;
    json_t *t;
    json_array_foreach(jget(pod, "spec.tolerations"), i, t) {
        if (!toleration_matches(t, taint))
            continue;
        any = true;
        int64_t s = jint(t, "tolerationSeconds", NEVER);
        seconds = s < seconds ? s : seconds;
    }
    return any ? (seconds > 0 ? seconds : 0) : 0;
}

/* When the pod must go, in microseconds; NEVER. first_seen counts for taints without a time. */
static int64_t deadline(const json_t *pod, const json_t *node, int64_t first_seen, bool *ret_tainted)
{
    int64_t earliest = NEVER;
    size_t i;
    json_t *taint;
    json_array_foreach(jget(node, "spec.taints"), i, taint) {
        if (!streq(jstr_or(taint, "effect", ""), "NoExecute"))
            continue;
        *ret_tainted = true;
        int64_t seconds = tolerated_seconds(pod, taint), from = jtime(taint, "timeAdded");
        if (seconds == NEVER)
            continue;
        int64_t due = (from ? from : first_seen) + seconds * 1000000;
        earliest = due < earliest ? due : earliest;
    }
    return earliest;
}

static void evict(struct controller *c, const struct object *o, const json_t *pod)
{
    char now[TIME_TEXT_SIZE];
    controller_event(c, pod, "Normal", "TaintManagerEviction", "Marking for deletion Pod %s/%s", o->ns, o->name);
    _cleanup_json_ json_t *patch = json_pack("{s:{s:[{s:s, s:s, s:s, s:s, s:s}]}}", "status", "conditions", "type",
                                             "DisruptionTarget", "status", "True", "reason", "DeletionByTaintManager",
                                             "message", "Taint manager: deleting due to NoExecute taint",
                                             "lastTransitionTime", time_format(controller_now_usec(c), now));
    controller_patch(c, &kind_pod, o->ns, o->name, "status", PATCH_STRATEGIC, patch);
    delete_exactly(c, &kind_pod, o->ns, o->name, o->uid, NULL, -1);
}

static int64_t first_seen(struct evictions *e, const char *key, int64_t now_usec)
{
    intptr_t ms = (intptr_t)map_get(&e->since, key);
    if (!ms)
        map_put(&e->since, key, (void *)(intptr_t)(now_usec / 1000));
    return ms ? (int64_t)ms * 1000 : now_usec;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct evictions *e = controller_state(c);
    struct object *o = informer_get(e->pods, ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    _cleanup_json_ json_t *pod = o ? object_json(o) : NULL;
    struct object *no = informer_get(e->nodes, "", jstr_or(pod, "spec.nodeName", ""));
    _cleanup_json_ json_t *node = no ? object_json(no) : NULL;
    if (!pod || !node || is_deleting(pod)) {
        map_del(&e->since, key);
        return;
    }
    bool tainted = false;
    int64_t now = controller_now_usec(c), due = deadline(pod, node, now, &tainted);
    if (!tainted) {
        map_del(&e->since, key);
        return;
    }
    due = deadline(pod, node, first_seen(e, key, now), &tainted);
    if (due <= now)
        evict(c, o, pod);
    else if (due != NEVER)
        controller_enqueue_after(c, ns, name, (due - now) / 1000 + 1);
}

static void map_node(struct controller *c, struct object *node)
{
    struct evictions *e = controller_state(c);
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(e->pods, e->pods_by_node, node->name, &cursor));)
        controller_enqueue(c, o->ns, o->name);
}

static void *start(struct controller *c)
{
    struct evictions *e = NEW(struct evictions);
    e->nodes = controller_informer(c, &kind_node);
    e->pods = controller_informer(c, &kind_pod);
    e->pods_by_node = informer_add_index(e->pods, by_node);
    return e;
}

static void stop(void *state)
{
    struct evictions *e = state;
    map_done(&e->since);
    free(e);
}

static const struct controller_watch watches[] = {{&kind_pod, NULL}, {&kind_node, map_node}, {NULL, NULL}};

const struct controller_def tainteviction_controller = {
    .name = "taint-eviction-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
