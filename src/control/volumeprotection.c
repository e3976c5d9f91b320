/* Claims that pods use and volumes that claims use stay when they are deleted, until nobody uses them any more
 * (upstream: pkg/controller/volume/pvcprotection and pvprotection). Keys are claims, and with namespace "" volumes. */
#include "base/alloc.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/storage.h"
#include "json/json.h"
#include "kinds/binding.h"
#include "kinds/kind.h"

/* A pod on a node may have it mounted, even one that has ended; others will not get it any more. */
static bool is_on_a_node(const json_t *pod)
{
    return *jstr_or(pod, "spec.nodeName", "");
}

static void release_claim(struct controller *c, const struct storage *s, const json_t *claim)
{
    _cleanup_json_ json_t *user = storage_pod_of(s, claim, is_on_a_node);
    if (!user)
        patch_finalizer_out(c, &kind_persistentvolumeclaim, claim, CLAIM_PROTECTION);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    const struct storage *s = controller_state(c);
    _cleanup_json_ json_t *obj = storage_get(*ns ? s->claims : s->volumes, ns, name);
    if (!obj || !is_deleting(obj))
        return;
    if (*ns && has_finalizer(obj, CLAIM_PROTECTION))
        release_claim(c, s, obj);
    else if (!*ns && has_finalizer(obj, VOLUME_PROTECTION) && !streq(jstr_or(obj, "status.phase", ""), "Bound"))
        patch_finalizer_out(c, &kind_persistentvolume, obj, VOLUME_PROTECTION);
}

static void *start(struct controller *c)
{
    struct storage *s = NEW(struct storage);
    storage_start(s, c);
    return s;
}

static const struct controller_watch watches[] = {{&kind_persistentvolumeclaim, NULL},
                                                  {&kind_persistentvolume, NULL},
                                                  {&kind_pod, storage_enqueue_claims_of},
                                                  {NULL, NULL}};

const struct controller_def volumeprotection_controller = {
    .name = "volume-protection-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
};
