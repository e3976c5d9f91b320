/* Pods that nobody will ever finish: bound to a node that does not exist, or being deleted before they had one
 * (upstream: pkg/controller/podgc). */
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

/* A node may come back under its name (a restarted agent registers again): wait this long before its pods go. */
#define QUARANTINE_MS 40000

struct podgc {
    struct informer *nodes, *pods;
    int pods_by_node;
    struct map missing; /* node -> since when, monotonic milliseconds plus 1, as a pointer */
};

static bool node_is_lost(struct controller *c, struct podgc *g, const char *node, int64_t *ret_left_ms)
{
    if (informer_get(g->nodes, "", node)) {
        map_del(&g->missing, node);
        return false;
    }
    int64_t now = controller_mono_ms(c);
    intptr_t since = (intptr_t)map_get(&g->missing, node);
    if (!since) {
        since = (intptr_t)now + 1;
        map_put(&g->missing, node, (void *)since);
    }
    *ret_left_ms = since - 1 + QUARANTINE_MS - now;
    return true;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct podgc *g = controller_state(c);
    struct object *o = informer_get(g->pods, ns, name);
    if (!o)
        return;
    _cleanup_json_ json_t *pod = object_json(o);
    const char *node = jstr_or(pod, "spec.nodeName", "");
    int64_t left = 0;
    if (*node ? !node_is_lost(c, g, node, &left) : !is_deleting(pod))
        return;
    if (left > 0)
        controller_enqueue_after(c, ns, name, left);
    else
        delete_exactly(c, &kind_pod, ns, name, o->uid, NULL, 0);
}

static void map_node(struct controller *c, struct object *node)
{
    struct podgc *g = controller_state(c);
    if (informer_get(g->nodes, "", node->name)) {
        map_del(&g->missing, node->name);
        return;
    }
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(g->pods, g->pods_by_node, node->name, &cursor));)
        controller_enqueue(c, o->ns, o->name);
}

static void *start(struct controller *c)
{
    struct podgc *g = NEW(struct podgc);
    g->nodes = controller_informer(c, &kind_node);
    g->pods = controller_informer(c, &kind_pod);
    g->pods_by_node = informer_add_index(g->pods, by_node);
    return g;
}

static void stop(void *state)
{
    struct podgc *g = state;
    map_done(&g->missing);
    free(g);
}

static const struct controller_watch watches[] = {{&kind_pod, NULL}, {&kind_node, map_node}, {NULL, NULL}};

const struct controller_def podgc_controller = {
    .name = "pod-garbage-collector-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
