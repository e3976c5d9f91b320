/* See setclaims.h. */
#include "control/setclaims.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

static const json_t *templates_of(const json_t *set)
{
    return jget(set, "spec.volumeClaimTemplates");
}

static const char *template_name(const json_t *template)
{
    return jstr_or(template, "metadata.name", "");
}

static char *claim_name(const json_t *template, const char *pod)
{
    return xasprintf("%s-%s", template_name(template), pod);
}

void set_claims_mount(const json_t *set, json_t *pod)
{
    json_t *volumes = json_array(), *item;
    size_t i;
    json_array_foreach(templates_of(set), i, item) {
        _cleanup_free_ char *claim = claim_name(item, jstr_or(pod, "metadata.name", ""));
        json_array_append_new(volumes, json_pack("{ss, s{ss}}", "name", template_name(item), "persistentVolumeClaim",
                                                 "claimName", claim));
    }
    json_array_foreach(jget(pod, "spec.volumes"), i, item)
        if (!jfind(volumes, "name", jstr_or(item, "name", "")))
            json_array_append(volumes, item);
    jset(pod, "spec.volumes", json_array_size(volumes) ? json_incref(volumes) : NULL);
    json_decref(volumes);
}

/* --- making them --- */

static json_t *claim_new(const json_t *set, const json_t *template, const char *name)
{
    static const char *const inherited[] = {"metadata.labels", "metadata.annotations", "spec"};
    json_t *claim = json_pack("{ss, ss, s{ss, s{}}}", "apiVersion", "v1", "kind", "PersistentVolumeClaim", "metadata",
                              "name", name, "labels");
    for (size_t i = 0; i < ARRAY_LEN(inherited); i++)
        if (jget(template, inherited[i]))
            jset(claim, inherited[i], json_deep_copy(jget(template, inherited[i])));
    if (jget(set, "spec.selector.matchLabels"))
        json_object_update(jget(claim, "metadata.labels"), jget(set, "spec.selector.matchLabels"));
    return claim;
}

/* One that is on its way out has to go first. */
bool set_claims_exist(struct controller *c, struct informer *claims, const json_t *set, const char *pod)
{
    const char *ns = jstr_or(set, "metadata.namespace", "");
    bool all = true;
    size_t i;
    json_t *template;
    json_array_foreach(templates_of(set), i, template) {
        _cleanup_free_ char *name = claim_name(template, pod);
        struct object *o = informer_get(claims, ns, name);
        _cleanup_json_ json_t *claim = o ? object_json(o) : claim_new(set, template, name);
        all &= o && !is_deleting(claim);
        if (!o)
            controller_create(c, &kind_persistentvolumeclaim, ns, claim);
    }
    return all;
}

/* --- who owns them --- */

static bool deletes(const json_t *set, const char *when)
{
    _cleanup_free_ char *path = xasprintf("spec.persistentVolumeClaimRetentionPolicy.%s", when);
    return streq(jstr_or(set, path, "Retain"), "Delete");
}

/* The owners that the claim shall have: of those of the pod and the set, at most the one that is wanted. */
static json_t *owners(const json_t *claim, const json_t *set, const json_t *pod, const json_t *wanted)
{
    json_t *list = json_array(), *ref;
    size_t i;
    json_array_foreach(jget(claim, "metadata.ownerReferences"), i, ref) {
        const char *uid = jstr_or(ref, "uid", "");
        bool ours = streq(uid, jstr_or(set, "metadata.uid", "")) || streq(uid, jstr_or(pod, "metadata.uid", ""));
        if (!ours || streq(uid, jstr_or(wanted, "metadata.uid", "")))
            json_array_append(list, ref);
    }
    if (wanted && !jfind(list, "uid", jstr_or(wanted, "metadata.uid", "")))
        json_array_append_new(list, controller_ref_new(wanted));
    return list;
}

bool set_claims_are_owned(struct controller *c, struct informer *claims, const json_t *set, const json_t *pod,
                          bool leaving)
{
    const json_t *wanted = leaving && deletes(set, "whenScaled") ? pod : deletes(set, "whenDeleted") ? set : NULL;
    bool all = true;
    size_t i;
    json_t *template;
    json_array_foreach(templates_of(set), i, template) {
        _cleanup_free_ char *name = claim_name(template, jstr_or(pod, "metadata.name", ""));
        struct object *o = informer_get(claims, jstr_or(set, "metadata.namespace", ""), name);
        if (!o)
            continue;
        _cleanup_json_ json_t *claim = object_json(o), *to = json_deep_copy(claim);
        json_t *list = owners(claim, set, pod, wanted);
        bool some = json_array_size(list) || jget(claim, "metadata.ownerReferences");
        jset(to, "metadata.ownerReferences", some ? json_incref(list) : NULL);
        json_decref(list);
        all &= !patch_difference(c, &kind_persistentvolumeclaim, claim, to, NULL, true);
    }
    return all;
}

bool set_claims_name(const json_t *set, const char *claim)
{
    size_t i;
    json_t *template;
    json_array_foreach(templates_of(set), i, template) {
        _cleanup_free_ char *start = xasprintf("%s-%s-", template_name(template), jstr_or(set, "metadata.name", ""));
        int64_t ordinal;
        const char *rest = str_after(claim, start);
        if (rest && str_to_i64(rest, 0, INT32_MAX, &ordinal))
            return true;
    }
    return false;
}
