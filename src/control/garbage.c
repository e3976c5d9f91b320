/* Garbage collection: what is owned goes after its last owner. Also the two other ways to delete an owner: Foreground
 * (it waits for its dependents) and Orphan (they are let go), both finalizers on the owner (upstream: pkg/controller/
 * garbagecollector). Keys are (namespace, "plural.group/name"). */
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
static void map_definition(struct controller *c, struct object *o);

/* Everything else is watched too: see follow(). */
static const struct controller_watch watches[] = {{&kind_customresourcedefinition, map_definition}, {NULL, NULL}};

struct watched {
    const struct kind *kind;
    struct informer *informer;
    int by_owner;
};

struct garbage {
    struct watched *watched; /* those of the table, then those that definitions have made */
    size_t n;
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
    for (size_t i = 0; i < g->n; i++)
        if (g->watched[i].kind == k)
            return g->watched[i].informer;
    return NULL;
}

static void enqueue(struct controller *c, const struct object *o)
{
    _cleanup_free_ char *name = xasprintf("%s.%s/%s", o->kind->plural, o->kind->group, o->name);
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
    for (const struct watched *w = g->watched; w < g->watched + g->n; w++) {
        void *cursor = NULL;
        for (struct object *o; (o = informer_by_index(w->informer, w->by_owner, uid, &cursor));)
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
    for (size_t i = 0; i < g->n; i++) {
        const struct kind *k = g->watched[i].kind;
        const char *rest = str_after(key, k->plural);
        rest = rest && *rest == '.' ? str_after(rest + 1, k->group) : NULL;
        if (rest && rest + 1 == name)
            return informer_get(g->watched[i].informer, ns, name);
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

static void add_kind(struct controller *c, struct garbage *g, const struct kind *k)
{
    struct informer *i = controller_informer(c, k);
    g->watched = xrealloc(g->watched, (g->n + 1) * sizeof(*g->watched));
    g->watched[g->n++] = (struct watched){k, i, informer_add_index(i, owner_uids)};
}

/* Every kind that is stored but Event, which nobody owns and of which there are many. Kinds that definitions have made
 * are watched from then on, also while they are gone: their struct stays. */
static void follow(struct controller *c, struct garbage *g)
{
    for (const struct kind *const *at = all_kinds; *at; at++) {
        const struct kind *k = *at;
        bool is_kept = !k->stored && (k->verbs & V_WATCH) && (k->verbs & V_DELETE) && k != &kind_event;
        if (!is_kept || informer_of(g, k))
            continue;
        add_kind(c, g, k);
        if (k != watches->kind)
            controller_watch_more(c, k, map_any);
    }
}

static void map_definition(struct controller *c, struct object *o)
{
    map_any(c, o);
    follow(c, controller_state(c));
}

static void *start(struct controller *c)
{
    struct garbage *g = NEW(struct garbage);
    follow(c, g);
    return g;
}

static void stop(void *state)
{
    struct garbage *g = state;
    map_done(&g->absent);
    free(g->watched);
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
