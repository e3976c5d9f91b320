/* Claims get volumes: each claim one, each volume one. A claim's key binds it, a volume's key (namespace "") says what
 * has become of the volume. Binding is written on the volume first, guarded by its version, so that two claims cannot
 * both have it; what is written on the claim then only repeats it (upstream: pkg/controller/volume/persistentvolume).
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/revision.h"
#include "control/storage.h"
#include "json/json.h"
#include "kinds/binding.h"
#include "kinds/kind.h"

static const char *name_of(const json_t *obj)
{
    return jstr_or(obj, "metadata.name", "");
}

/* --- what is written --- */

static void set_claim_phase(struct controller *c, const json_t *claim, const char *phase)
{
    _cleanup_json_ json_t *status = json_object();
    jset_str(status, "phase", phase);
    patch_status(c, &kind_persistentvolumeclaim, claim, status);
}

static void set_claim_lost(struct controller *c, const json_t *claim, const char *reason, const char *why)
{
    if (streq(jstr_or(claim, "status.phase", ""), "Lost"))
        return;
    set_claim_phase(c, claim, "Lost");
    controller_event(c, claim, "Warning", reason, "%s", why);
}

static void set_volume_phase(struct controller *c, const json_t *volume, const char *phase, const char *reason,
                             const char *message)
{
    char now[TIME_TEXT_SIZE];
    json_t *old = jget(volume, "status");
    if (streq(jstr_or(old, "phase", ""), phase) && streq(jstr_or(old, "message", ""), str_or(message, "")))
        return;
    _cleanup_json_ json_t *status = old ? json_deep_copy(old) : json_object();
    jset_str(status, "phase", phase);
    jset_str(status, "reason", reason);
    jset_str(status, "message", message);
    jset_str(status, "lastPhaseTransitionTime", time_format(controller_now_usec(c), now));
    patch_status(c, &kind_persistentvolume, volume, status);
    if (message)
        controller_event(c, volume, "Warning", reason, "%s", message);
}

/* True when the volume is the claim's already; otherwise this has been asked for. */
static bool take_volume(struct controller *c, const json_t *volume, const json_t *claim)
{
    if (volume_is_claimed_by(volume, claim) && *jstr_or(volume, "spec.claimRef.uid", ""))
        return true;
    _cleanup_json_ json_t *to = json_deep_copy(volume);
    if (!jget(volume, "spec.claimRef"))
        annotate(to, BOUND_BY_CONTROLLER, "yes");
    jset(to, "spec.claimRef",
         json_pack("{ss, ss, ss, ss, ss, ss}", "apiVersion", "v1", "kind", "PersistentVolumeClaim", "namespace",
                   jstr_or(claim, "metadata.namespace", ""), "name", name_of(claim), "uid",
                   jstr_or(claim, "metadata.uid", ""), "resourceVersion",
                   jstr_or(claim, "metadata.resourceVersion", "")));
    patch_difference(c, &kind_persistentvolume, volume, to, NULL, true);
    return false;
}

static void tell_claim(struct controller *c, const json_t *volume, const json_t *claim)
{
    _cleanup_json_ json_t *to = json_deep_copy(claim), *status = json_deep_copy(jget(claim, "status"));
    if (!*jstr_or(claim, "spec.volumeName", "")) {
        jset_str(to, "spec.volumeName", name_of(volume));
        annotate(to, BOUND_BY_CONTROLLER, "yes");
    }
    annotate(to, BIND_COMPLETED, "yes");
    if (patch_difference(c, &kind_persistentvolumeclaim, claim, to, NULL, true))
        return; /* the rest when that is seen */
    status = status ? status : json_object();
    jset_str(status, "phase", "Bound");
    jset(status, "accessModes", json_deep_copy(jget(volume, "spec.accessModes")));
    jset(status, "capacity", json_deep_copy(jget(volume, "spec.capacity")));
    patch_status(c, &kind_persistentvolumeclaim, claim, status);
}

static void join(struct controller *c, const json_t *volume, const json_t *claim)
{
    if (take_volume(c, volume, claim))
        tell_claim(c, volume, claim);
}

/* --- claims --- */

static bool is_not_scheduled(const json_t *pod)
{
    return !*jstr_or(pod, "spec.nodeName", "") && !jget(pod, "metadata.deletionTimestamp");
}

static void wait_for_consumer(struct controller *c, const struct storage *s, const json_t *claim)
{
    _cleanup_json_ json_t *pod = storage_pod_of(s, claim, is_not_scheduled);
    if (pod)
        controller_event(c, claim, "Normal", "WaitForPodScheduled", "waiting for pod %s to be scheduled", name_of(pod));
    else
        controller_event(c, claim, "Normal", "WaitForFirstConsumer",
                         "waiting for first consumer to be created before binding");
}

static void ask_provisioner(struct controller *c, const json_t *class, const json_t *claim)
{
    const char *provisioner = jstr_or(class, "provisioner", "");
    _cleanup_json_ json_t *to = json_deep_copy(claim);
    if (streq(provisioner, "kubernetes.io/no-provisioner"))
        return;
    annotate(to, STORAGE_PROVISIONER, provisioner);
    annotate(to, STORAGE_PROVISIONER_BETA, provisioner);
    patch_difference(c, &kind_persistentvolumeclaim, claim, to, NULL, true);
    controller_event(c, claim, "Normal", "ExternalProvisioning",
                     "Waiting for a volume to be created either by the external provisioner '%s' or manually by the "
                     "system administrator. If volume creation is delayed, please verify that the provisioner is "
                     "running and correctly registered.",
                     provisioner);
}

/* The newest of those that are marked; NULL without one. New reference. */
static json_t *default_class(const struct storage *s)
{
    json_t *best = NULL;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(s->classes, NULL, &cursor));) {
        json_t *class = object_json(o);
        bool better = class_is_default(class) && (!best || strcmp(jstr_or(class, "metadata.creationTimestamp", ""),
                                                                  jstr_or(best, "metadata.creationTimestamp", "")) > 0);
        json_decref(better ? best : class);
        if (better)
            best = class;
    }
    return best;
}

/* A claim older than the default class gets it afterwards. Returns whether it did. */
static bool give_default_class(struct controller *c, const struct storage *s, const json_t *claim)
{
    _cleanup_json_ json_t *class = claim_names_class(claim) ? NULL : default_class(s);
    _cleanup_json_ json_t *to = json_deep_copy(claim);
    if (!class)
        return false;
    jset_str(to, "spec.storageClassName", name_of(class));
    return patch_difference(c, &kind_persistentvolumeclaim, claim, to, NULL, true);
}

static void have_no_volume(struct controller *c, const struct storage *s, const json_t *class, const json_t *claim)
{
    const char *wanted = storage_class_of(claim);
    if (class_waits(class) && !annotation_of(claim, SELECTED_NODE))
        wait_for_consumer(c, s, claim);
    else if (class)
        ask_provisioner(c, class, claim);
    else if (*wanted)
        controller_event(c, claim, "Warning", "ProvisioningFailed", "storageclass.storage.k8s.io \"%s\" not found",
                         wanted);
    else
        controller_event(c, claim, "Normal", "FailedBinding",
                         "no persistent volumes available for this claim and no storage class is set");
    set_claim_phase(c, claim, "Pending");
}

/* New references in a vector of its own. */
static json_t **all_volumes(const struct storage *s, size_t *ret_n)
{
    json_t **list = xcalloc(informer_count(s->volumes) + 1, sizeof(json_t *));
    void *cursor = NULL;
    *ret_n = 0;
    for (struct object *o; (o = informer_next(s->volumes, NULL, &cursor));)
        list[(*ret_n)++] = object_json(o);
    return list;
}

static void look_for_volume(struct controller *c, const struct storage *s, const json_t *claim)
{
    _cleanup_json_ json_t *class = storage_class(s, claim);
    size_t n;
    json_t **volumes = all_volumes(s, &n);
    size_t best = volume_choose(volumes, n, claim, class_waits(class));
    if (best < n)
        join(c, volumes[best], claim);
    else if (!give_default_class(c, s, claim))
        have_no_volume(c, s, class, claim);
    for (size_t i = 0; i < n; i++)
        json_decref(volumes[i]);
    free(volumes);
}

static void take_named_volume(struct controller *c, const struct storage *s, const json_t *claim)
{
    const char *name = jstr_or(claim, "spec.volumeName", "");
    _cleanup_json_ json_t *volume = storage_get(s->volumes, "", name);
    const char *why = volume && !jget(volume, "spec.claimRef") ? volume_mismatch(volume, claim) : NULL;
    if (why)
        controller_event(c, claim, "Warning", "VolumeMismatch", "Cannot bind to requested volume \"%s\": %s", name,
                         why);
    else if (volume && (!jget(volume, "spec.claimRef") || volume_is_claimed_by(volume, claim)))
        return join(c, volume, claim);
    else if (volume)
        controller_event(c, claim, "Warning", "FailedBinding", "volume \"%s\" already bound to a different claim.",
                         name);
    set_claim_phase(c, claim, "Pending");
}

static void keep_bound(struct controller *c, const struct storage *s, const json_t *claim)
{
    _cleanup_json_ json_t *volume = storage_get(s->volumes, "", jstr_or(claim, "spec.volumeName", ""));
    if (!volume)
        set_claim_lost(c, claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    else if (!jget(volume, "spec.claimRef") || volume_is_claimed_by(volume, claim))
        join(c, volume, claim);
    else
        set_claim_lost(c, claim, "ClaimMisbound",
                       "Two claims are bound to the same volume, this one is bound incorrectly");
}

static void reconcile_claim(struct controller *c, const struct storage *s, const char *ns, const char *name)
{
    _cleanup_json_ json_t *claim = storage_get(s->claims, ns, name);
    if (!claim)
        return;
    if (claim_is_bound(claim))
        keep_bound(c, s, claim);
    else if (annotation_of(claim, BIND_COMPLETED))
        set_claim_lost(c, claim, "ClaimLost",
                       "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
    else if (*jstr_or(claim, "spec.volumeName", ""))
        take_named_volume(c, s, claim);
    else if (!is_deleting(claim))
        look_for_volume(c, s, claim);
}

/* --- volumes --- */

/* Gives up a claim that has another volume; one that was not chosen here stays kept for that name. */
static void let_go(struct controller *c, const json_t *volume)
{
    _cleanup_json_ json_t *to = json_deep_copy(volume);
    if (annotation_of(volume, BOUND_BY_CONTROLLER)) {
        jset(to, "spec.claimRef", NULL);
        json_object_del(jget(to, "metadata.annotations"), BOUND_BY_CONTROLLER);
    } else {
        jset_str(to, "spec.claimRef.uid", NULL);
        jset_str(to, "spec.claimRef.resourceVersion", NULL);
    }
    patch_difference(c, &kind_persistentvolume, volume, to, NULL, true);
}

static void reclaim(struct controller *c, const json_t *volume)
{
    const char *policy = jstr_or(volume, "spec.persistentVolumeReclaimPolicy", "Retain");
    bool made_here = streq(str_or(annotation_of(volume, PROVISIONED_BY), ""), LOCAL_PATH_PROVISIONER);
    bool by_others = annotation_of(volume, PROVISIONED_BY) != NULL;
    _cleanup_free_ char *why = xasprintf("error getting deleter volume plugin for volume \"%s\": no deletable volume "
                                         "plugin matched",
                                         name_of(volume));
    if (streq(policy, "Recycle"))
        set_volume_phase(c, volume, "Failed", "VolumeFailedRecycle", "No recycler plugin found for the volume!");
    else if (streq(policy, "Delete") && !by_others)
        set_volume_phase(c, volume, "Failed", "VolumeFailedDelete", why);
    else
        set_volume_phase(c, volume, "Released", NULL, NULL);
    if (streq(policy, "Delete") && made_here && !is_deleting(volume) &&
        streq(jstr_or(volume, "status.phase", ""), "Released"))
        delete_exactly(c, &kind_persistentvolume, "", name_of(volume), jstr_or(volume, "metadata.uid", ""), NULL, -1);
}

static void reconcile_volume(struct controller *c, const struct storage *s, const char *name)
{
    _cleanup_json_ json_t *volume = storage_get(s->volumes, "", name);
    if (!volume)
        return;
    _cleanup_json_ json_t *claim = storage_claim_of(s, volume);
    const char *has = jstr_or(claim, "spec.volumeName", "");
    if (!*jstr_or(volume, "spec.claimRef.uid", "")) {
        set_volume_phase(c, volume, "Available", NULL, NULL);
    } else if (!claim) {
        reclaim(c, volume);
    } else if (streq(has, name)) {
        set_volume_phase(c, volume, "Bound", NULL, NULL);
    } else if (*has) {
        if (annotation_of(volume, PROVISIONED_BY))
            reclaim(c, volume);
        else
            let_go(c, volume);
    }
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    const struct storage *s = controller_state(c);
    if (*ns)
        reconcile_claim(c, s, ns, name);
    else
        reconcile_volume(c, s, name);
}

/* --- who is concerned --- */

static void map_claim(struct controller *c, struct object *claim)
{
    const struct storage *s = controller_state(c);
    void *cursor = NULL;
    _cleanup_free_ char *key = object_key(claim);
    controller_enqueue(c, claim->ns, claim->name);
    for (struct object *o; (o = informer_by_index(s->volumes, s->volumes_by_claim, key, &cursor));)
        controller_enqueue(c, "", o->name);
}

/* A volume that is free or has come to be may be what a claim waits for. */
static void wake_unbound(struct controller *c, const struct storage *s)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(s->claims, NULL, &cursor));) {
        _cleanup_json_ json_t *claim = object_json(o);
        if (!claim_is_bound(claim))
            controller_enqueue(c, o->ns, o->name);
    }
}

static void map_volume(struct controller *c, struct object *volume)
{
    const struct storage *s = controller_state(c);
    _cleanup_json_ json_t *doc = object_json(volume);
    const struct object *now = informer_get(s->volumes, "", volume->name);
    controller_enqueue(c, "", volume->name);
    storage_enqueue_claim_of(c, volume);
    if (!now) { /* gone: whoever was bound to it must hear */
        void *cursor = NULL;
        for (struct object *o; (o = informer_next(s->claims, NULL, &cursor));) {
            _cleanup_json_ json_t *claim = object_json(o);
            if (streq(jstr_or(claim, "spec.volumeName", ""), volume->name))
                controller_enqueue(c, o->ns, o->name);
        }
    } else if (!jget(doc, "spec.claimRef") && streq(jstr_or(doc, "status.phase", ""), "Available")) {
        wake_unbound(c, s);
    }
}

static void map_class(struct controller *c, struct object *class)
{
    (void)class;
    wake_unbound(c, controller_state(c));
}

static void *start(struct controller *c)
{
    struct storage *s = NEW(struct storage);
    storage_start(s, c);
    return s;
}

static const struct controller_watch watches[] = {{&kind_persistentvolumeclaim, map_claim},
                                                  {&kind_persistentvolume, map_volume},
                                                  {&kind_storageclass, map_class},
                                                  {&kind_pod, storage_enqueue_claims_of},
                                                  {NULL, NULL}};

const struct controller_def volumebinder_controller = {
    .name = "persistentvolume-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
};
