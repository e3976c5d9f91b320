/* Nodes that fall silent: their conditions become Unknown, taints say so to the scheduler and to tainteviction.c, and
 * their pods stop being Ready. A node is alive as long as its Lease is renewed (upstream:
 * pkg/controller/nodelifecycle). */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/podstate.h"
#include "json/json.h"
#include "kinds/kind.h"

#define GRACE_MS 40000         /* node-monitor-grace-period */
#define STARTUP_GRACE_MS 60000 /* for a node that has never said anything */
#define LEASE_NAMESPACE "kube-node-lease"
#define NOT_READY "node.kubernetes.io/not-ready"
#define UNREACHABLE "node.kubernetes.io/unreachable"

/* The last sign of life, by our own clock: the node's may be wrong. */
struct sign {
    char *text;
    int64_t seen_ms;
};

struct nodes {
    struct informer *nodes, *leases, *pods;
    int pods_by_node, pod_digest;
    struct map signs; /* by node */
};

static void sign_free(void *p)
{
    struct sign *s = p;
    free(s->text);
    free(s);
}

/* How long ago the node was last heard of. */
static int64_t silent_ms(struct controller *c, struct nodes *n, const char *name, const json_t *node)
{
    struct object *o = informer_get(n->leases, LEASE_NAMESPACE, name);
    _cleanup_json_ json_t *lease = o ? object_json(o) : NULL;
    const json_t *ready = condition_find(node, "Ready");
    _cleanup_free_ char *text =
        xasprintf("%s %s", jstr_or(lease, "spec.renewTime", ""), jstr_or(ready, "lastHeartbeatTime", ""));
    struct sign *s = map_get(&n->signs, name);
    if (!s) {
        s = NEW(struct sign);
        map_put(&n->signs, name, s);
    }
    if (!s->text || !streq(s->text, text)) {
        free(s->text);
        s->text = TAKE(text);
        s->seen_ms = controller_mono_ms(c);
    }
    return controller_mono_ms(c) - s->seen_ms;
}

/* --- conditions --- */

static const char *condition_value(const json_t *node, const char *type)
{
    return jstr_or(condition_find(node, type), "status", "");
}

static void mark_unknown(struct controller *c, const char *name, const json_t *node)
{
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
    _cleanup_json_ json_t *changed = json_array();
    char now[TIME_TEXT_SIZE];
    time_format(controller_now_usec(c), now);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        bool known = condition_find(node, types[i]);
        if (!streq(condition_value(node, types[i]), "Unknown"))
            json_array_append_new(
                changed, json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", types[i], "status", "Unknown", "reason",
                                   known ? "NodeStatusUnknown" : "NodeStatusNeverUpdated", "message",
                                   known ? "Kubelet stopped posting node status." : "Kubelet never posted node status.",
                                   "lastTransitionTime", now));
    }
    if (!json_array_size(changed))
        return;
    _cleanup_json_ json_t *patch = json_pack("{s:{s:O}}", "status", "conditions", changed);
    controller_patch(c, &kind_node, "", name, "status", PATCH_STRATEGIC, patch);
    controller_event(c, node, "Normal", "NodeNotReady", "Node %s status is now: NodeNotReady", name);
}

/* --- taints --- */

/* A taint for a condition's value; effect NoExecute carries the time from which tolerations count. */
static const struct {
    const char *condition, *value, *key, *effect;
} condition_taints[] = {
    {"Ready", "False", NOT_READY, "NoSchedule"},
    {"Ready", "False", NOT_READY, "NoExecute"},
    {"Ready", "Unknown", UNREACHABLE, "NoSchedule"},
    {"Ready", "Unknown", UNREACHABLE, "NoExecute"},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure", "NoSchedule"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure", "NoSchedule"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", "NoSchedule"},
    {NULL, NULL, "node.kubernetes.io/unschedulable", "NoSchedule"},
};

static bool is_wanted(const json_t *node, size_t i)
{
    if (!condition_taints[i].condition)
        return jbool(node, "spec.unschedulable", false);
    return streq(condition_value(node, condition_taints[i].condition), condition_taints[i].value);
}

static const json_t *find_taint(const json_t *node, const char *key, const char *effect)
{
    const json_t *taints = jget(node, "spec.taints");
    for (size_t i = 0; i < json_array_size(taints); i++) {
        const json_t *t = json_array_get(taints, i);
        if (streq(jstr_or(t, "key", ""), key) && streq(jstr_or(t, "effect", ""), effect))
            return t;
    }
    return NULL;
}

static bool is_ours(const json_t *taint)
{
    for (size_t i = 0; i < ARRAY_LEN(condition_taints); i++)
        if (streq(jstr_or(taint, "key", ""), condition_taints[i].key) &&
            streq(jstr_or(taint, "effect", ""), condition_taints[i].effect))
            return true;
    return false;
}

static json_t *new_taint(const char *key, const char *effect, int64_t now_usec)
{
    char now[TIME_TEXT_SIZE];
    json_t *t = json_pack("{s:s, s:s}", "key", key, "effect", effect);
    jset_str(t, "timeAdded", time_format(now_usec, now));
    return t;
}

static void update_taints(struct controller *c, const json_t *node)
{
    _cleanup_json_ json_t *to = json_deep_copy(node);
    json_t *taints = json_array(), *t;
    size_t i;
    json_array_foreach(jget(node, "spec.taints"), i, t)
        if (!is_ours(t))
            json_array_append(taints, t);
    for (i = 0; i < ARRAY_LEN(condition_taints); i++) {
        if (!is_wanted(node, i))
            continue;
        const char *key = condition_taints[i].key, *effect = condition_taints[i].effect;
        const json_t *there = find_taint(node, key, effect);
        json_array_append_new(taints, there ? json_deep_copy(there) : new_taint(key, effect, controller_now_usec(c)));
    }
    jset(to, "spec.taints", json_array_size(taints) ? json_incref(taints) : NULL);
    json_decref(taints);
    patch_difference(c, &kind_node, node, to, NULL, true);
}

/* --- pods --- */

/* Nobody on a silent node can say that a pod is no longer ready: endpoints must not wait for it. */
static void mark_pods_not_ready(struct controller *c, struct nodes *n, const char *name)
{
    char now[TIME_TEXT_SIZE];
    time_format(controller_now_usec(c), now);
    _cleanup_json_ json_t *patch = json_pack("{s:{s:[{s:s, s:s, s:s}]}}", "status", "conditions", "type", "Ready",
                                             "status", "False", "lastTransitionTime", now);
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(n->pods, n->pods_by_node, name, &cursor));) {
        const struct pod_state *p = informer_digest(n->pods, n->pod_digest, o);
        if (!p->ready)
            continue;
        _cleanup_json_ json_t *pod = object_json(o);
        controller_patch(c, &kind_pod, o->ns, o->name, "status", PATCH_STRATEGIC, patch);
        controller_event(c, pod, "Warning", "NodeNotReady", "Node is not ready");
    }
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    struct nodes *n = controller_state(c);
    struct object *o = informer_get(n->nodes, "", name);
    if (!o) {
        struct sign *s = map_del(&n->signs, name);
        if (s)
            sign_free(s);
        return;
    }
    _cleanup_json_ json_t *node = object_json(o);
    if (!map_get(&n->signs, name))
        controller_event(c, node, "Normal", "RegisteredNode", "Node %s event: Registered Node %s in Controller", name,
                         name);
    int64_t grace = condition_find(node, "Ready") ? GRACE_MS : STARTUP_GRACE_MS, silent = silent_ms(c, n, name, node);
    if (silent < grace)
        controller_enqueue_after(c, "", name, grace - silent + 1);
    else
        mark_unknown(c, name, node);
    update_taints(c, node);
    if (condition_find(node, "Ready") && !streq(condition_value(node, "Ready"), "True"))
        mark_pods_not_ready(c, n, name);
}

static void map_lease(struct controller *c, struct object *lease)
{
    if (streq(lease->ns, LEASE_NAMESPACE))
        controller_enqueue(c, "", lease->name);
}

static void *start(struct controller *c)
{
    struct nodes *n = NEW(struct nodes);
    n->nodes = controller_informer(c, &kind_node);
    n->leases = controller_informer(c, &kind_lease);
    n->pods = controller_informer(c, &kind_pod);
    n->pods_by_node = informer_add_index(n->pods, by_node);
    n->pod_digest = pod_states(n->pods);
    return n;
}

static void stop(void *state)
{
    struct nodes *n = state;
    map_done_with(&n->signs, sign_free);
    free(n);
}

static const struct controller_watch watches[] = {{&kind_node, NULL}, {&kind_lease, map_lease}, {NULL, NULL}};

const struct controller_def nodelifecycle_controller = {
    .name = "node-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
