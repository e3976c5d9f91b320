/* See slices.h. For each group of ports: endpoints stay in the slice they are in; those that are new go first into
 * slices that must be written anyway, then into the fullest other slice that takes them all, then into new ones. */
#include "control/slices.h"

#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

/* One existing slice and what becomes of it. */
struct place {
    const json_t *old;
    json_t *endpoints; /* what it shall hold */
    bool changed;
};

struct plan {
    struct place *places;
    size_t n;
    const json_t *blank;
    size_t max;
    slices_emit_fn *emit;
    void *arg;
    size_t kept; /* slices that there will be */
};

static char *endpoint_key(const json_t *endpoint)
{
    return xasprintf("%s %s", jstr_or(endpoint, "targetRef.uid", ""),
                     str_or(json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0)), ""));
}

static json_t *slice_with(const struct plan *p, const json_t *old, const json_t *ports, const json_t *endpoints)
{
    json_t *to = old ? json_deep_copy(old) : json_deep_copy(p->blank);
    static const char *const shared[] = {"metadata.labels", "metadata.annotations", "metadata.ownerReferences"};
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        jset(to, shared[i], json_deep_copy(jget(p->blank, shared[i])));
    json_object_set(to, "ports", (json_t *)ports);
    json_object_set(to, "endpoints", (json_t *)endpoints);
    return to;
}

static void emit(struct plan *p, const json_t *old, const json_t *ports, const json_t *endpoints)
{
    _cleanup_json_ json_t *to = slice_with(p, old, ports, endpoints);
    p->kept++;
    if (!old || !json_equal((json_t *)old, to))
        p->emit(p->arg, old, to);
}

/* Keeps what is still wanted, in its newest form; takes it out of `wanted`. */
static void keep_wanted(struct place *place, struct map *wanted)
{
    place->endpoints = json_array();
    json_t *endpoint;
    size_t i;
    json_array_foreach(jget(place->old, "endpoints"), i, endpoint) {
        _cleanup_free_ char *key = endpoint_key(endpoint);
        json_t *now = map_del(wanted, key);
        if (now)
            json_array_append(place->endpoints, now);
        place->changed |= !now || !json_equal(now, endpoint);
    }
}

static void fill(struct place *place, struct map *wanted, size_t max)
{
    for (struct map_entry *e = NULL; json_array_size(place->endpoints) < max && (e = map_next(wanted, e));) {
        json_array_append(place->endpoints, e->value);
        map_del(wanted, e->key);
        place->changed = true;
    }
}

/* The fullest unchanged slice that can take them all. */
static struct place *roomy(struct place **mine, size_t n_mine, size_t n, size_t max)
{
    struct place *best = NULL;
    for (size_t i = 0; i < n_mine; i++) {
        size_t has = json_array_size(mine[i]->endpoints);
        if (has + n <= max && (!best || has > json_array_size(best->endpoints)))
            best = mine[i];
    }
    return best;
}

static void plan_group(struct plan *p, const json_t *group)
{
    const json_t *ports = json_object_get(group, "ports");
    struct map wanted = {0};
    json_t *endpoint;
    size_t k;
    json_array_foreach(json_object_get(group, "endpoints"), k, endpoint) {
        _cleanup_free_ char *key = endpoint_key(endpoint);
        map_put(&wanted, key, endpoint);
    }
    _cleanup_free_ struct place **mine = xcalloc(p->n + 1, sizeof(struct place *));
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!json_equal(jget(p->places[i].old, "ports"), (json_t *)ports))
            continue;
        mine[n++] = &p->places[i];
        keep_wanted(&p->places[i], &wanted);
    }
    for (size_t i = 0; i < n; i++)
        if (mine[i]->changed)
            fill(mine[i], &wanted, p->max);
    struct place *place = wanted.len ? roomy(mine, n, wanted.len, p->max) : NULL;
    if (place)
        fill(place, &wanted, p->max);
    for (size_t i = 0; i < n; i++)
        if (json_array_size(mine[i]->endpoints))
            emit(p, mine[i]->old, ports, mine[i]->endpoints);
    while (wanted.len) {
        struct place fresh = {.endpoints = json_array()};
        fill(&fresh, &wanted, p->max);
        emit(p, NULL, ports, fresh.endpoints);
        json_decref(fresh.endpoints);
    }
    map_done(&wanted);
}

void slices_plan(const json_t *existing, const json_t *groups, const json_t *blank, size_t max_per_slice,
                 bool none_if_empty, slices_emit_fn *emit_fn, void *arg)
{
    struct plan p = {.blank = blank, .max = max_per_slice, .emit = emit_fn, .arg = arg, .n = json_array_size(existing)};
    p.places = xcalloc(p.n + 1, sizeof(struct place));
    for (size_t i = 0; i < p.n; i++)
        p.places[i].old = json_array_get(existing, i);
    size_t g;
    json_t *group;
    json_array_foreach((json_t *)groups, g, group)
        plan_group(&p, group);
    size_t spare = 0; /* the first unused slice becomes the empty one if one is needed */
    bool need_empty = !p.kept && !none_if_empty;
    _cleanup_json_ json_t *nothing = json_array();
    if (need_empty) {
        while (spare < p.n && json_array_size(p.places[spare].endpoints))
            spare++;
        emit(&p, spare < p.n ? p.places[spare].old : NULL, nothing, nothing);
    }
    for (size_t i = 0; i < p.n; i++) {
        if (!json_array_size(p.places[i].endpoints) && !(need_empty && i == spare))
            p.emit(p.arg, p.places[i].old, NULL);
        json_decref(p.places[i].endpoints);
    }
    free(p.places);
}

void slices_by_service(const struct object *o, informer_emit_fn *emit_key, void *emit_arg)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const char *service = json_string_value(json_object_get(jget(doc, "metadata.labels"), SERVICE_NAME_LABEL));
    if (!service)
        return;
    _cleanup_free_ char *key = make_object_key(o->ns, service);
    emit_key(emit_arg, key);
}

json_t *slices_of_service(const struct informer *slices, int index, const char *ns, const char *service,
                          const char *manager, const char *address_type)
{
    _cleanup_free_ char *key = make_object_key(ns, service);
    json_t *list = json_array();
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(slices, index, key, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(o);
        const char *by = json_string_value(json_object_get(jget(doc, "metadata.labels"), MANAGED_BY_LABEL));
        if (by && streq(by, manager) && streq(jstr_or(doc, "addressType", ""), address_type))
            json_array_append(list, doc);
    }
    return list;
}

void slices_write(void *arg, const json_t *old, const json_t *to)
{
    struct controller *c = arg;
    if (!old)
        controller_create(c, &kind_endpointslice, jstr(to, "metadata.namespace"), to);
    else if (to)
        patch_difference(c, &kind_endpointslice, old, to, NULL, false);
    else
        delete_exactly(c, &kind_endpointslice, jstr(old, "metadata.namespace"), jstr(old, "metadata.name"),
                       jstr(old, "metadata.uid"), NULL, -1);
}

void slices_map(struct controller *c, struct object *slice, const char *manager)
{
    _cleanup_json_ json_t *doc = object_json(slice);
    const json_t *labels = jget(doc, "metadata.labels");
    const char *by = json_string_value(json_object_get(labels, MANAGED_BY_LABEL));
    const char *service = json_string_value(json_object_get(labels, SERVICE_NAME_LABEL));
    if (service && by && streq(by, manager))
        controller_enqueue(c, slice->ns, service);
}
