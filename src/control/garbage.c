/* Garbage collection: what is owned goes after its last owner. Also the two other ways to delete an owner: Foreground
 * (it waits for its dependents) and Orphan (they are let go), both finalizers on the owner (upstream: pkg/controller/
 * garbagecollector). Keys are (namespace, "plural/name"). */
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define FOREGROUND "foregroundDeletion"
#define ORPHAN "orphan"
/* Owners known to be gone, remembered so that each is asked for once; as upstream's cache, about 50 kB. */
#define ABSENT_MAX 500

static void map_any(struct controller *c, struct object *o);

/* All kinds but Event, which nobody owns and of which there are many. */
static const struct controller_watch watches[] = {{&kind_pod, map_any},
                                                  {&kind_service, map_any},
                                                  {&kind_endpoints, map_any},
                                                  {&kind_endpointslice, map_any},
                                                  {&kind_replicaset, map_any},
                                                  {&kind_deployment, map_any},
                                                  {&kind_daemonset, map_any},
                                                  {&kind_statefulset, map_any},
                                                  {&kind_job, map_any},
                                                  {&kind_cronjob, map_any},
                                                  {&kind_autoscaler, map_any},
                                                  {&kind_networkpolicy, map_any},
                                                  {&kind_persistentvolumeclaim, map_any},
                                                  {&kind_persistentvolume, map_any},
                                                  {&kind_podtemplate, map_any},
                                                  {&kind_runtimeclass, map_any},
                                                  {&kind_storageclass, map_any},
                                                  {&kind_csidriver, map_any},
                                                  {&kind_csinode, map_any},
                                                  {&kind_csistoragecapacity, map_any},
                                                  {&kind_volumeattachment, map_any},
                                                  {&kind_controllerrevision, map_any},
                                                  {&kind_replicationcontroller, map_any},
                                                  {&kind_configmap, map_any},
                                                  {&kind_secret, map_any},
                                                  {&kind_serviceaccount, map_any},
                                                  {&kind_lease, map_any},
                                                  {&kind_limitrange, map_any},
                                                  {&kind_resourcequota, map_any},
                                                  {&kind_ingress, map_any},
                                                  {&kind_node, map_any},
                                                  {&kind_namespace, map_any},
                                                  {NULL, NULL}};
#define N_KINDS (ARRAY_LEN(watches) - 1)

struct garbage {
    struct informer *informers[N_KINDS];
    int by_owner[N_KINDS];
    struct map absent; /* uids */
};

static void owner_uids(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    if (!strstr(o->bytes, "\"ownerReferences\""))
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    json_t *ref;
    size_t i;
    json_array_foreach(jget(doc, "metadata.ownerReferences"), i, ref)
        if (jstr(ref, "uid"))
            emit(emit_arg, jstr(ref, "uid"));
}

static struct informer *informer_of(const struct garbage *g, const struct kind *k)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (watches[i].kind == k)
            return g->informers[i];
    return NULL;
}

static void enqueue(struct controller *c, const struct object *o)
{
    _cleanup_free_ char *name = xasprintf("%s/%s", o->kind->plural, o->name);
    controller_enqueue(c, o->ns, name);
}

/* The object behind an owner reference as the informers know it; NULL when it is not there (any more). */
static struct object *owner_object(const struct garbage *g, const char *ns, const json_t *ref,
                                   const struct kind **ret_kind)
{
    *ret_kind = kind_stored(kind_by_api_version(jstr_or(ref, "apiVersion", ""), jstr_or(ref, "kind", "")));
    struct informer *i = *ret_kind ? informer_of(g, *ret_kind) : NULL;
    if (!i) {
        *ret_kind = NULL;
        return NULL;
    }
    struct object *o = informer_get(i, (*ret_kind)->namespaced ? ns : "", jstr_or(ref, "name", ""));
    return o && streq(o->uid, jstr_or(ref, "uid", "")) ? o : NULL;
}

/* --- who is concerned --- */

static void each_dependent(const struct garbage *g, const char *uid, void (*visit)(void *arg, struct object *o),
                           void *arg)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        void *cursor = NULL;
        for (struct object *o; (o = informer_by_index(g->informers[i], g->by_owner[i], uid, &cursor));)
            visit(arg, o);
    }
}

static void enqueue_dependent(void *arg, struct object *o)
{
    enqueue(arg, o);
}

/* Owners that are being deleted may wait for this object. */
static void enqueue_waiting_owners(struct controller *c, const struct garbage *g, struct object *o)
{
    if (!strstr(o->bytes, "\"ownerReferences\""))
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    json_t *ref;
    size_t i;
    json_array_foreach(jget(doc, "metadata.ownerReferences"), i, ref) {
        const struct kind *k;
        struct object *owner = owner_object(g, o->ns, ref, &k);
        if (owner && strstr(owner->bytes, "\"deletionTimestamp\""))
            enqueue(c, owner);
    }
}

static void remember_absent(struct garbage *g, const char *uid)
{
    if (g->absent.len >= ABSENT_MAX)
        map_clear(&g->absent);
    map_put(&g->absent, uid, g);
}

static void map_any(struct controller *c, struct object *o)
{
    struct garbage *g = controller_state(c);
    struct object *now = informer_get(informer_of(g, o->kind), o->ns, o->name);
    if (!now || !streq(now->uid, o->uid)) {
        remember_absent(g, o->uid);
        each_dependent(g, o->uid, enqueue_dependent, c);
    } else if (now == o && (strstr(o->bytes, "\"ownerReferences\"") || strstr(o->bytes, "\"deletionTimestamp\""))) {
        enqueue(c, o);
    }
    enqueue_waiting_owners(c, g, o);
}

/* --- an owner in deletion --- */

struct dependents {
    struct controller *c;
    const char *owner_uid;
    size_t n, blocking;
};

static void delete_dependent(void *arg, struct object *o)
{
    struct dependents *d = arg;
    _cleanup_json_ json_t *doc = object_json(o);
    const json_t *ref = jfind(jget(doc, "metadata.ownerReferences"), "uid", d->owner_uid);
    d->n++;
    d->blocking += jbool(ref, "blockOwnerDeletion", false);
    enqueue(d->c, o);
}

static void release_dependent(void *arg, struct object *o)
{
    struct dependents *d = arg;
    _cleanup_json_ json_t *doc = object_json(o);
    d->n++;
    patch_owner_out(d->c, o->kind, doc, d->owner_uid);
}

static void finish_deletion(struct controller *c, struct garbage *g, const struct object *o, const json_t *doc)
{
    struct dependents d = {.c = c, .owner_uid = o->uid};
    if (has_finalizer(doc, ORPHAN)) {
        each_dependent(g, o->uid, release_dependent, &d);
        if (!d.n)
            patch_finalizer_out(c, o->kind, doc, ORPHAN);
        else /* what was released is seen by now or soon: look again */
            enqueue(c, o);
    } else if (has_finalizer(doc, FOREGROUND)) {
        each_dependent(g, o->uid, delete_dependent, &d);
        if (!d.blocking)
            patch_finalizer_out(c, o->kind, doc, FOREGROUND);
    }
}

/* --- a dependent --- */

struct owners {
    int solid, waiting, gone, unknown;
    const char *gone_uid; /* one of them */
    const char *waiting_uid;
};

static void count_owner(struct controller *c, struct garbage *g, const char *ns, const json_t *ref,
                        struct owners *owners)
{
    const struct kind *k;
    struct object *owner = owner_object(g, ns, ref, &k);
    const char *uid = jstr_or(ref, "uid", "");
    if (!k) { /* not ours to judge */
        owners->solid++;
    } else if (owner) {
        _cleanup_json_ json_t *doc = object_json(owner);
        bool waiting = is_deleting(doc) && has_finalizer(doc, FOREGROUND);
        owners->waiting += waiting;
        owners->solid += !waiting;
        if (waiting)
            owners->waiting_uid = uid;
    } else if (map_get(&g->absent, uid)) {
        owners->gone++;
        owners->gone_uid = uid;
    } else { /* the informer may be late: ask before anything is deleted */
        owners->unknown++;
        controller_get(c, k, k->namespaced ? ns : "", jstr_or(ref, "name", ""));
    }
}

static const char *own_policy(const json_t *doc)
{
    return has_finalizer(doc, ORPHAN) ? "Orphan" : has_finalizer(doc, FOREGROUND) ? "Foreground" : "Background";
}

static void count_any(void *arg, struct object *o)
{
    (void)o;
    ++*(size_t *)arg;
}

static void judge(struct controller *c, struct garbage *g, const struct object *o, const json_t *doc)
{
    struct owners owners = {0};
    const json_t *refs = jget(doc, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(refs); i++)
        count_owner(c, g, o->ns, json_array_get(refs, i), &owners);
    if (!json_array_size(refs) || owners.unknown)
        return;
    if (owners.solid) {
        const char *useless = owners.gone_uid ? owners.gone_uid : owners.waiting_uid;
        if (useless)
            patch_owner_out(c, o->kind, doc, useless);
        return;
    }
    size_t n = 0;
    each_dependent(g, o->uid, count_any, &n);
    const char *policy = owners.waiting && n ? "Foreground" : own_policy(doc);
    delete_exactly(c, o->kind, o->ns, o->name, o->uid, policy, -1);
}

static struct object *object_of_key(const struct garbage *g, const char *ns, const char *key)
{
    const char *name = strchr(key, '/') + 1;
    for (size_t i = 0; i < N_KINDS; i++) {
        const char *plural = watches[i].kind->plural;
        if (strlen(plural) == (size_t)(name - key - 1) && str_after(key, plural))
            return informer_get(g->informers[i], ns, name);
    }
    return NULL;
}

static void reconcile(struct controller *c, const char *ns, const char *key)
{
    struct garbage *g = controller_state(c);
    struct object *o = object_of_key(g, ns, key);
    if (!o)
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    if (is_deleting(doc))
        finish_deletion(c, g, o, doc);
    else
        judge(c, g, o, doc);
}

/* The answer to whether an owner is there. */
static void answered(struct controller *c, const char *ns, const char *key, const struct controller_call *call,
                     int code, const json_t *body)
{
    struct garbage *g = controller_state(c);
    struct object *o = object_of_key(g, ns, key);
    if (!o || !streq(call->method, "GET") || (code != 404 && code != 200))
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    json_t *ref;
    size_t i;
    json_array_foreach(jget(doc, "metadata.ownerReferences"), i, ref) {
        const char *uid = jstr_or(ref, "uid", "");
        if (kind_stored(kind_by_api_version(jstr_or(ref, "apiVersion", ""), jstr_or(ref, "kind", ""))) != call->kind ||
            !streq(jstr_or(ref, "name", ""), call->name) ||
            (code == 200 && streq(jstr_or(body, "metadata.uid", ""), uid)))
            continue;
        remember_absent(g, uid);
        controller_enqueue(c, ns, key);
    }
}

static void *start(struct controller *c)
{
    struct garbage *g = NEW(struct garbage);
    for (size_t i = 0; i < N_KINDS; i++) {
        g->informers[i] = controller_informer(c, watches[i].kind);
        g->by_owner[i] = informer_add_index(g->informers[i], owner_uids);
    }
    return g;
}

static void stop(void *state)
{
    struct garbage *g = state;
    map_done(&g->absent);
    free(g);
}

const struct controller_def garbage_controller = {
    .name = "garbage-collector-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
    .answered = answered,
};
