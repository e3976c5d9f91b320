/* Generic ephemeral volumes: a pod's volume with a claim template gets a claim of its own, which goes with the pod
 * (upstream: pkg/controller/volume/ephemeral). */
#include "base/alloc.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/storage.h"
#include "json/json.h"
#include "kinds/binding.h"
#include "kinds/kind.h"

static json_t *claim_new(const json_t *pod, const json_t *volume)
{
    const json_t *template = jget(volume, "ephemeral.volumeClaimTemplate");
    static const char *const inherited[] = {"metadata.labels", "metadata.annotations", "spec"};
    _cleanup_free_ char *name = volume_claim_name(jstr_or(pod, "metadata.name", ""), volume);
    json_t *claim = json_pack("{ss, ss, s{ss, s[o]}}", "apiVersion", "v1", "kind", "PersistentVolumeClaim", "metadata",
                              "name", name, "ownerReferences", controller_ref_new(pod));
    for (size_t i = 0; i < ARRAY_LEN(inherited); i++)
        if (jget(template, inherited[i]))
            jset(claim, inherited[i], json_deep_copy(jget(template, inherited[i])));
    return claim;
}

static void ensure_claim(struct controller *c, const struct storage *s, const json_t *pod, const json_t *volume)
{
    const char *ns = jstr_or(pod, "metadata.namespace", "");
    _cleanup_free_ char *name = volume_claim_name(jstr_or(pod, "metadata.name", ""), volume);
    _cleanup_json_ json_t *there = storage_get(s->claims, ns, name);
    if (!there) {
        _cleanup_json_ json_t *claim = claim_new(pod, volume);
        controller_create(c, &kind_persistentvolumeclaim, ns, claim);
    } else if (!streq(jstr_or(controller_ref(there), "uid", ""), jstr_or(pod, "metadata.uid", ""))) {
        controller_event(c, pod, "Warning", "FailedBinding",
                         "ephemeral volume controller: PVC %s/%s was not created for pod %s/%s (pod is not owner)", ns,
                         name, ns, jstr_or(pod, "metadata.name", ""));
    }
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    const struct storage *s = controller_state(c);
    _cleanup_json_ json_t *pod = storage_get(s->pods, ns, name);
    const json_t *volumes = jget(pod, "spec.volumes");
    if (!pod || is_deleting(pod))
        return;
    for (size_t i = 0; i < json_array_size(volumes); i++)
        if (jget(json_array_get(volumes, i), "ephemeral"))
            ensure_claim(c, s, pod, json_array_get(volumes, i));
}

static void map_pod(struct controller *c, struct object *pod)
{
    static const char member[] = "\"ephemeral\""; /* most pods have none: those make no key */
    if (memmem(pod->bytes, pod->len, member, strlen(member)))
        controller_enqueue(c, pod->ns, pod->name);
}

static void map_claim(struct controller *c, struct object *claim)
{
    _cleanup_json_ json_t *doc = object_json(claim);
    const json_t *ref = controller_ref(doc);
    if (ref && streq(jstr_or(ref, "kind", ""), "Pod"))
        controller_enqueue(c, claim->ns, jstr_or(ref, "name", ""));
}

static void *start(struct controller *c)
{
    struct storage *s = NEW(struct storage);
    storage_start(s, c);
    return s;
}

static const struct controller_watch watches[] = {
    {&kind_pod, map_pod}, {&kind_persistentvolumeclaim, map_claim}, {NULL, NULL}};

const struct controller_def ephemeralvolume_controller = {
    .name = "ephemeral-volume-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
};
