/* See meta.h. */
#include "control/meta.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

const json_t *controller_ref(const json_t *obj)
{
    const json_t *refs = jget(obj, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(refs); i++) {
        const json_t *ref = json_array_get(refs, i);
        if (jbool(ref, "controller", false))
            return ref;
    }
    return NULL;
}

json_t *controller_ref_new(const json_t *obj)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", jstr_or(obj, "apiVersion", ""), "kind",
                     jstr_or(obj, "kind", ""), "name", jstr_or(obj, "metadata.name", ""), "uid",
                     jstr_or(obj, "metadata.uid", ""), "controller", 1, "blockOwnerDeletion", 1);
}

void by_controller(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const char *uid = jstr(controller_ref(doc), "uid");
    if (uid) {
        emit(emit_arg, uid);
        return;
    }
    _cleanup_free_ char *key = xasprintf("%s%s", ORPHANS_OF, o->ns);
    emit(emit_arg, key);
}

void by_node(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    _cleanup_json_ json_t *doc = object_json(o);
    const char *node = jstr(doc, "spec.nodeName");
    if (node && *node)
        emit(emit_arg, node);
}

bool is_deleting(const json_t *obj)
{
    return jget(obj, "metadata.deletionTimestamp") != NULL;
}

bool has_finalizer(const json_t *obj, const char *name)
{
    const json_t *list = jget(obj, "metadata.finalizers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (s && streq(s, name))
            return true;
    }
    return false;
}

int64_t jtime(const json_t *obj, const char *path)
{
    const char *text = jstr(obj, path);
    int64_t usec;
    return text && time_parse(text, &usec) ? usec : 0;
}

json_t *merge_diff(const json_t *from, const json_t *to)
{
    if (json_equal((json_t *)from, (json_t *)to))
        return NULL;
    if (!json_is_object(from) || !json_is_object(to))
        return jcopy(to);
    json_t *patch = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)from, key, value)
        if (!json_object_get(to, key))
            json_object_set_new(patch, key, json_null());
    json_object_foreach((json_t *)to, key, value) {
        json_t *inner = merge_diff(json_object_get(from, key), value);
        if (inner)
            json_object_set_new(patch, key, inner);
    }
    return patch;
}

bool patch_difference(struct controller *c, const struct kind *k, const json_t *from, const json_t *to, const char *sub,
                      bool guarded)
{
    _cleanup_json_ json_t *patch = merge_diff(from, to);
    if (!patch)
        return false;
    if (guarded)
        jset_str(patch, "metadata.resourceVersion", jstr(from, "metadata.resourceVersion"));
    controller_patch(c, k, jstr(from, "metadata.namespace"), jstr(from, "metadata.name"), sub, PATCH_MERGE, patch);
    return true;
}

bool patch_status(struct controller *c, const struct kind *k, const json_t *obj, const json_t *to_status)
{
    _cleanup_json_ json_t *to = json_copy((json_t *)obj);
    json_object_set(to, "status", (json_t *)to_status);
    return patch_difference(c, k, obj, to, "status", false);
}

static void set_list(json_t *obj, const char *path, json_t *list_new)
{
    if (json_array_size(list_new)) {
        jset(obj, path, list_new);
    } else {
        jset(obj, path, NULL);
        json_decref(list_new);
    }
}

void patch_owner_out(struct controller *c, const struct kind *k, const json_t *obj, const char *owner_uid)
{
    _cleanup_json_ json_t *to = jcopy(obj);
    json_t *kept = json_array(), *ref;
    size_t i;
    json_array_foreach(jget(obj, "metadata.ownerReferences"), i, ref)
        if (!streq(jstr_or(ref, "uid", ""), owner_uid))
            json_array_append(kept, ref);
    set_list(to, "metadata.ownerReferences", kept);
    patch_difference(c, k, obj, to, NULL, true);
}

void patch_owner_in(struct controller *c, const struct kind *k, const json_t *obj, const json_t *owner)
{
    _cleanup_json_ json_t *to = jcopy(obj);
    if (!jget(to, "metadata.ownerReferences"))
        jset(to, "metadata.ownerReferences", json_array());
    json_array_append(jget(to, "metadata.ownerReferences"), (json_t *)owner);
    patch_difference(c, k, obj, to, NULL, true);
}

void patch_finalizer_out(struct controller *c, const struct kind *k, const json_t *obj, const char *finalizer)
{
    _cleanup_json_ json_t *to = jcopy(obj);
    json_t *kept = json_array(), *item;
    size_t i;
    json_array_foreach(jget(obj, "metadata.finalizers"), i, item)
        if (!streq(str_or(json_string_value(item), ""), finalizer))
            json_array_append(kept, item);
    set_list(to, "metadata.finalizers", kept);
    patch_difference(c, k, obj, to, NULL, true);
}

void delete_exactly(struct controller *c, const struct kind *k, const char *ns, const char *name, const char *uid,
                    const char *policy, int grace)
{
    _cleanup_json_ json_t *options =
        json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions", "preconditions", "uid", uid);
    jset_str(options, "propagationPolicy", policy);
    if (grace >= 0)
        jset_int(options, "gracePeriodSeconds", grace);
    controller_delete(c, k, ns, name, options);
}

json_t *condition_find(const json_t *obj, const char *type)
{
    return jfind(jget(obj, "status.conditions"), "type", type);
}
