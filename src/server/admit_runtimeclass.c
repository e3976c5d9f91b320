/* A pod that names a RuntimeClass gets what the class says about such pods: their overhead, and the nodes that have the
 * runtime (upstream: admission plug-in RuntimeClass). */
#include "base/str.h"
#include "server/admit.h"

static json_t *settle_overhead(const struct admission *a, const json_t *class)
{
    json_t *fixed = jget(class, "overhead.podFixed"), *given = jget(a->doc, "spec.overhead");
    if (!jget(class, "overhead"))
        return json_object_size(given) == 0
                   ? NULL
                   : admission_forbidden(
                         a, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
    if (json_object_size(given) > 0 && !json_equal(given, fixed))
        return admission_forbidden(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    jset(a->doc, "spec.overhead", fixed ? json_deep_copy(fixed) : json_object());
    return NULL;
}

static json_t *merge_selector(const struct admission *a, const json_t *wanted)
{
    const char *key;
    json_t *value, *selector = jget(a->doc, "spec.nodeSelector");
    if (json_object_size(wanted) == 0)
        return NULL;
    if (!selector)
        jset(a->doc, "spec.nodeSelector", selector = json_object());
    json_object_foreach((json_t *)wanted, key, value) {
        const json_t *there = json_object_get(selector, key);
        if (there && !json_equal(there, value))
            return admission_forbidden(
                a, "conflict: runtimeClass.scheduling.nodeSelector[%s] = %s; pod.spec.nodeSelector[%s] = %s", key,
                str_or(json_string_value(value), ""), key, str_or(json_string_value(there), ""));
        json_object_set(selector, key, value);
    }
    return NULL;
}

static bool contains(const json_t *list, const json_t *wanted)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
        if (json_equal(item, wanted))
            return true;
    return false;
}

static void merge_tolerations(json_t *pod, const json_t *wanted)
{
    size_t i;
    json_t *item, *tolerations = jget(pod, "spec.tolerations");
    if (json_array_size(wanted) > 0 && !tolerations)
        jset(pod, "spec.tolerations", tolerations = json_array());
    json_array_foreach((json_t *)wanted, i, item)
        if (!contains(tolerations, item))
            json_array_append_new(tolerations, json_deep_copy(item));
}

json_t *admit_runtime_class(const struct admission *a)
{
    const char *name = jstr_or(a->doc, "spec.runtimeClassName", "");
    if (a->old)
        return NULL;
    struct object *o = *name ? store_latest(a->server->store, &kind_runtimeclass, "", name) : NULL;
    if (*name && !o)
        return admission_forbidden(a, "pod rejected: RuntimeClass \"%s\" not found", name);
    _cleanup_json_ json_t *class = o ? object_json(o) : NULL;
    json_t *refusal = settle_overhead(a, class);
    if (!refusal)
        refusal = merge_selector(a, jget(class, "scheduling.nodeSelector"));
    if (!refusal)
        merge_tolerations(a->doc, jget(class, "scheduling.tolerations"));
    return refusal;
}
