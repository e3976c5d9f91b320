/* The end of a CustomResourceDefinition: its objects are deleted and, when none is left, its finalizer is taken away
 * (upstream: apiextensions-apiserver pkg/controller/finalizer). And names: a definition that had to wait for one may
 * have it when the other is gone. */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/custom.h"
#include "kinds/kind.h"

#define FINALIZER "customresourcecleanup.apiextensions.k8s.io"
#define LOOK_AGAIN_MS 100

static void map_definition(struct controller *c, struct object *o);

static const struct controller_watch watches[] = {{&kind_customresourcedefinition, map_definition}, {NULL, NULL}};

static bool waits_for_names(const json_t *crd)
{
    return streq(jstr_or(condition_find(crd, "NamesAccepted"), "status", ""), "False");
}

/* Any change may have set a name free. */
static void map_definition(struct controller *c, struct object *o)
{
    struct informer *all = controller_informer(c, o->kind);
    void *cursor = NULL;
    controller_enqueue(c, "", o->name);
    for (struct object *other; (other = informer_next(all, NULL, &cursor));)
        if (strstr(other->bytes, "Conflict"))
            controller_enqueue(c, "", other->name);
}

static const struct kind *kind_of(const json_t *crd)
{
    _cleanup_free_ char *key =
        xasprintf("%s/%s", jstr_or(crd, "spec.group", ""), jstr_or(crd, "spec.names.plural", ""));
    const struct kind *k = kind_reserved(key);
    return k && k->verbs ? k : NULL;
}

static void delete_objects(struct controller *c, const struct kind *k, struct informer *objects)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(objects, NULL, &cursor));) {
        _cleanup_json_ json_t *doc = object_json(o);
        if (!is_deleting(doc))
            delete_exactly(c, k, o->ns, o->name, o->uid, "Background", -1);
    }
}

static void clean_up(struct controller *c, const char *name, const json_t *crd)
{
    const struct kind *k = kind_of(crd);
    if (!k) { /* never served: there can be none */
        patch_finalizer_out(c, &kind_customresourcedefinition, crd, FINALIZER);
        return;
    }
    struct informer *objects = controller_informer(c, k);
    if (informer_synced(objects) && !informer_count(objects)) {
        controller_get(c, k, NULL, NULL); /* the copy may be late: `answered` decides */
        return;
    }
    delete_objects(c, k, objects);
    controller_enqueue_after(c, "", name, LOOK_AGAIN_MS);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    (void)ns;
    const char *part;
    struct object *o = informer_get(controller_informer(c, &kind_customresourcedefinition), "", name);
    _cleanup_json_ json_t *crd = o ? object_json(o) : NULL;
    if (crd && is_deleting(crd) && has_finalizer(crd, FINALIZER)) {
        clean_up(c, name, crd);
    } else if (crd && waits_for_names(crd) && !custom_name_taken(crd, &part)) {
        _cleanup_json_ json_t *nothing = json_object(); /* every write decides anew */
        controller_patch(c, o->kind, "", name, NULL, PATCH_MERGE, nothing);
    }
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    (void)ns;
    struct object *o = informer_get(controller_informer(c, &kind_customresourcedefinition), "", name);
    _cleanup_json_ json_t *crd = o ? object_json(o) : NULL;
    if (!crd || !is_deleting(crd) || !streq(call->method, "GET"))
        return;
    if (code == 404 || (code == 200 && !json_array_size(jget(body, "items"))))
        patch_finalizer_out(c, &kind_customresourcedefinition, crd, FINALIZER);
    else
        controller_enqueue_after(c, "", name, LOOK_AGAIN_MS);
}

const struct controller_def customresources_controller = {
    .name = "customresource-controller",
    .watches = watches,
    .reconcile = reconcile,
    .answered = answered,
};
