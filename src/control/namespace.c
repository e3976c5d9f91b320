/* The end of a namespace: everything in it is deleted, pods first, and when the API confirms that nothing is left the
 * finalizer is taken away (upstream: pkg/controller/namespace). What does not go by itself is told in the status. */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/remains.h"
#include "json/json.h"
#include "kinds/kind.h"

#define FINALIZER "kubernetes"
#define LOOK_AGAIN_MS 200

static void map_content(struct controller *c, struct object *o);

/* Pods come first: what they use must stay until they are gone. Events are deleted as a collection. */
static const struct controller_watch watches[] = {{&kind_namespace, NULL},
                                                  {&kind_pod, map_content},
                                                  {&kind_service, map_content},
                                                  {&kind_endpoints, map_content},
                                                  {&kind_endpointslice, map_content},
                                                  {&kind_deployment, map_content},
                                                  {&kind_daemonset, map_content},
                                                  {&kind_statefulset, map_content},
                                                  {&kind_job, map_content},
                                                  {&kind_cronjob, map_content},
                                                  {&kind_autoscaler, map_content},
                                                  {&kind_networkpolicy, map_content},
                                                  {&kind_persistentvolumeclaim, map_content},
                                                  {&kind_podtemplate, map_content},
                                                  {&kind_csistoragecapacity, map_content},
                                                  {&kind_controllerrevision, map_content},
                                                  {&kind_replicaset, map_content},
                                                  {&kind_replicationcontroller, map_content},
                                                  {&kind_configmap, map_content},
                                                  {&kind_secret, map_content},
                                                  {&kind_serviceaccount, map_content},
                                                  {&kind_lease, map_content},
                                                  {&kind_limitrange, map_content},
                                                  {&kind_resourcequota, map_content},
                                                  {&kind_ingress, map_content},
                                                  {NULL, NULL}};

/* Asking the API whether a namespace is empty: the informers may be late. */
struct inspection {
    int open;
    bool found;
    struct remains remains;
};

struct namespaces {
    struct informer *namespaces;
    struct map inspections; /* by namespace */
    struct map failures;    /* by namespace: the last deletion that was refused, as text */
};

static void map_content(struct controller *c, struct object *o)
{
    struct namespaces *n = controller_state(c);
    struct object *ns = informer_get(n->namespaces, "", o->ns);
    if (ns && strstr(ns->bytes, "\"deletionTimestamp\""))
        controller_enqueue(c, "", o->ns);
}

/* Deletes what is not being deleted yet, and counts what is there; returns how many deletions that were. */
static size_t delete_kind(struct controller *c, const struct kind *k, const char *ns, struct remains *remains)
{
    size_t deleted = 0;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(controller_informer(c, k), ns, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(o);
        remains_add(remains, k, doc);
        if (is_deleting(doc))
            continue;
        delete_exactly(c, k, ns, o->name, o->uid, "Background", -1);
        deleted++;
    }
    return deleted;
}

static size_t delete_contents(struct controller *c, const char *ns, struct remains *remains)
{
    size_t deleted = delete_kind(c, &kind_pod, ns, remains);
    if (remains->kinds)
        return deleted;
    for (const struct controller_watch *w = watches; w->kind; w++)
        if (w->kind->namespaced)
            deleted += delete_kind(c, w->kind, ns, remains);
    return deleted;
}

static void report(struct controller *c, const json_t *ns, const struct remains *remains)
{
    struct namespaces *n = controller_state(c);
    const char *failure = map_get(&n->failures, jstr_or(ns, "metadata.name", ""));
    json_t *status = remains_status(remains, ns, failure, controller_now_usec(c));
    patch_status(c, &kind_namespace, ns, status);
    json_decref(status);
}

static bool is_watched(const struct kind *k)
{
    const struct controller_watch *w = watches;
    while (w->kind && w->kind != k)
        w++;
    return w->kind != NULL;
}

static void forget(struct namespaces *n, const char *name)
{
    struct inspection *i = map_del(&n->inspections, name);
    if (i)
        remains_done(&i->remains);
    free(i);
}

/* What is not watched, because there is much of it or because users define it, is deleted without looking. */
static void inspect(struct controller *c, struct namespaces *n, const char *ns)
{
    struct inspection *i = NEW(struct inspection);
    forget(n, ns);
    map_put(&n->inspections, ns, i);
    for (const struct kind *const *at = all_kinds; *at; at++) {
        const struct kind *k = *at;
        if (!k->namespaced || k->stored || !(k->verbs & V_DELETECOLLECTION))
            continue;
        if (!is_watched(k))
            controller_delete(c, k, ns, NULL, NULL);
        if (k == &kind_event) /* there may always be new ones */
            continue;
        i->open++;
        controller_get(c, k, ns, NULL);
    }
}

static void finalize(struct controller *c, const json_t *doc)
{
    _cleanup_json_ json_t *to = json_deep_copy(doc);
    json_t *kept = json_array(), *item;
    size_t i;
    json_array_foreach(jget(doc, "spec.finalizers"), i, item)
        if (!streq(str_or(json_string_value(item), ""), FINALIZER))
            json_array_append(kept, item);
    jset(to, "spec.finalizers", kept);
    jset_str(to, "metadata.resourceVersion", NULL); /* nothing else in it is meant */
    controller_request(c, "PUT", &kind_namespace, "", jstr(doc, "metadata.name"), "finalize", to);
}

static void note_failure(struct namespaces *n, const char *name, int code, const json_t *body)
{
    if (code >= 400 && code != 404 && code != 409)
        free(map_put(&n->failures, name,
                     xasprintf("Failed to delete all resource types, 1 remaining: %s", jstr_or(body, "message", ""))));
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    (void)ns;
    struct namespaces *n = controller_state(c);
    struct inspection *i = map_get(&n->inspections, name);
    struct object *o = informer_get(n->namespaces, "", name);
    size_t at;
    json_t *item;
    if (streq(call->method, "DELETE"))
        note_failure(n, name, code, body);
    if (!i || !streq(call->method, "GET"))
        return;
    i->found |= code != 200;
    json_array_foreach(jget(body, "items"), at, item)
        remains_add(&i->remains, call->kind, item);
    if (--i->open)
        return;
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    if (i->found || i->remains.kinds)
        controller_enqueue_after(c, "", name, LOOK_AGAIN_MS);
    else if (doc)
        finalize(c, doc);
    if (i->remains.kinds && doc)
        report(c, doc, &i->remains);
    forget(n, name);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    struct namespaces *n = controller_state(c);
    struct object *o = informer_get(n->namespaces, "", name);
    _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
    if (!doc || !is_deleting(doc) || !json_array_size(jget(doc, "spec.finalizers")))
        return;
    struct remains remains = {0};
    bool failed = map_get(&n->failures, name);
    size_t deleted = delete_contents(c, name, &remains);
    if (!remains.kinds)
        inspect(c, n, name);
    else if (!deleted || failed) /* it goes on when somebody else has done something */
        report(c, doc, &remains);
    free(map_del(&n->failures, name));
    remains_done(&remains);
}

static void *start(struct controller *c)
{
    struct namespaces *n = NEW(struct namespaces);
    n->namespaces = controller_informer(c, &kind_namespace);
    return n;
}

static void stop(void *state)
{
    struct namespaces *n = state;
    for (struct map_entry *e = NULL; (e = map_next(&n->inspections, e));)
        remains_done(&((struct inspection *)e->value)->remains);
    map_done_with(&n->inspections, free);
    map_done_with(&n->failures, free);
    free(n);
}

const struct controller_def namespace_controller = {
    .name = "namespace-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
    .answered = answered,
};
