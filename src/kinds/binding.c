/* See binding.h. */
#include "kinds/binding.h"

#include "base/alloc.h"
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/labels.h"
#include "kinds/nodeselector.h"

const char *annotation_of(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(jget(obj, "metadata.annotations"), key));
}

const char *storage_class_of(const json_t *obj)
{
    return str_or(annotation_of(obj, CLASS_ANNOTATION), jstr_or(obj, "spec.storageClassName", ""));
}

bool claim_names_class(const json_t *claim)
{
    return annotation_of(claim, CLASS_ANNOTATION) || jget(claim, "spec.storageClassName");
}

bool class_is_default(const json_t *class)
{
    return streq(str_or(annotation_of(class, DEFAULT_CLASS), ""), "true") ||
           streq(str_or(annotation_of(class, DEFAULT_CLASS_BETA), ""), "true");
}

bool class_waits(const json_t *class)
{
    return streq(jstr_or(class, "volumeBindingMode", ""), "WaitForFirstConsumer");
}

bool volume_is_claimed_by(const json_t *volume, const json_t *claim)
{
    const char *uid = jstr_or(volume, "spec.claimRef.uid", "");
    return jget(volume, "spec.claimRef") &&
           streq(jstr_or(volume, "spec.claimRef.name", ""), jstr_or(claim, "metadata.name", "")) &&
           streq(jstr_or(volume, "spec.claimRef.namespace", ""), jstr_or(claim, "metadata.namespace", "")) &&
           (!*uid || streq(uid, jstr_or(claim, "metadata.uid", "")));
}

bool claim_is_bound(const json_t *claim)
{
    return *jstr_or(claim, "spec.volumeName", "") && annotation_of(claim, BIND_COMPLETED);
}

static quantity_nano size_of(const json_t *obj, const char *path)
{
    struct quantity q = {0};
    const char *text = jstr(obj, path);
    return text && quantity_parse(text, &q) ? q.nano : 0;
}

static bool has_modes(const json_t *volume, const json_t *claim)
{
    size_t i, k;
    json_t *wanted, *mode;
    json_array_foreach(jget(claim, "spec.accessModes"), i, wanted) {
        bool found = false;
        json_array_foreach(jget(volume, "spec.accessModes"), k, mode)
            found |= json_equal(wanted, mode);
        if (!found)
            return false;
    }
    return true;
}

static const char *mode_of(const json_t *obj)
{
    return jstr_or(obj, "spec.volumeMode", "Filesystem");
}

const char *volume_mismatch(const json_t *volume, const json_t *claim)
{
    if (size_of(volume, "spec.capacity.storage") < size_of(claim, "spec.resources.requests.storage"))
        return "requested PV is too small";
    if (!streq(storage_class_of(volume), storage_class_of(claim)))
        return "storageClassName does not match";
    if (!streq(jstr_or(volume, "spec.volumeAttributesClassName", ""),
               jstr_or(claim, "spec.volumeAttributesClassName", "")))
        return "volumeAttributesClassName does not match";
    if (!streq(mode_of(volume), mode_of(claim)))
        return "incompatible volumeMode";
    return has_modes(volume, claim) ? NULL : "incompatible accessMode";
}

bool volume_serves(const json_t *volume, const json_t *claim)
{
    const json_t *selector = jget(claim, "spec.selector");
    return !jget(volume, "spec.claimRef") && !jget(volume, "metadata.deletionTimestamp") &&
           streq(jstr_or(volume, "status.phase", ""), "Available") && !volume_mismatch(volume, claim) &&
           (!selector || label_selector_matches(selector, jget(volume, "metadata.labels")));
}

static bool is_better(const json_t *a, const json_t *b)
{
    quantity_nano size_a = size_of(a, "spec.capacity.storage"), size_b = size_of(b, "spec.capacity.storage");
    return size_a != size_b ? size_a < size_b
                            : strcmp(jstr_or(a, "metadata.name", ""), jstr_or(b, "metadata.name", "")) < 0;
}

/* Kept for it, and large enough: upstream asks no more of such a one. */
static bool is_kept(const json_t *volume, const json_t *claim)
{
    return volume_is_claimed_by(volume, claim) && !jget(volume, "metadata.deletionTimestamp") &&
           streq(mode_of(volume), mode_of(claim)) &&
           size_of(volume, "spec.capacity.storage") >= size_of(claim, "spec.resources.requests.storage");
}

size_t volume_choose(json_t *const *volumes, size_t n, const json_t *claim, bool delayed)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        if (is_kept(volumes[i], claim))
            return i;
        if (!delayed && volume_serves(volumes[i], claim) && (best == n || is_better(volumes[i], volumes[best])))
            best = i;
    }
    return best;
}

bool volume_reaches(const json_t *volume, const char *node, const json_t *labels)
{
    const json_t *terms = jget(volume, "spec.nodeAffinity.required.nodeSelectorTerms");
    if (!jget(volume, "spec.nodeAffinity.required"))
        return true;
    for (size_t i = 0; i < json_array_size(terms); i++)
        if (node_term_matches(json_array_get(terms, i), node, labels))
            return true;
    return false;
}

char *volume_claim_name(const char *pod, const json_t *pod_volume)
{
    const char *name = jstr(pod_volume, "persistentVolumeClaim.claimName");
    if (name)
        return xstrdup(name);
    return jget(pod_volume, "ephemeral") ? xasprintf("%s-%s", pod, jstr_or(pod_volume, "name", "")) : NULL;
}
