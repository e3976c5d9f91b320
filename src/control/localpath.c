/* Volumes that are directories of a node, for claims of the class local-path and its like. Where a node keeps them its
 * agent has written on the Node; the agent makes the directory when a pod mounts it, and takes it away before it lets
 * the deleted volume go (node/localpath.c), so that nothing is lost or left by a crash between two steps. A volume is
 * tied to its node, which is why every access mode holds: all pods that use it run there. Sizes are not enforced, as
 * with other provisioners of this kind. */
#include "base/alloc.h"
#include "base/map.h"
#include "base/quantity.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/revision.h"
#include "control/storage.h"
#include "json/json.h"
#include "kinds/binding.h"
#include "kinds/kind.h"

struct provisioner {
    struct storage storage;
    struct informer *nodes;
};

static bool is_ours(const json_t *class)
{
    return streq(jstr_or(class, "provisioner", ""), LOCAL_PATH_PROVISIONER);
}

/* --- which node --- */

static bool is_usable(const json_t *node)
{
    const json_t *ready = jfind(jget(node, "status.conditions"), "type", "Ready");
    return annotation_of(node, LOCAL_PATH_DIRECTORY) && streq(jstr_or(ready, "status", ""), "True") &&
           !jbool(node, "spec.unschedulable", false) && !is_deleting(node);
}

/* For a claim that does not wait for a pod: always the same one for the same claim and nodes (rendezvous hashing). */
static json_t *any_node(const struct provisioner *p, const json_t *claim)
{
    json_t *best = NULL;
    uint64_t best_rank = 0;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(p->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *node = object_json(o);
        _cleanup_free_ char *text = xasprintf("%s %s", jstr_or(claim, "metadata.uid", ""), o->name);
        uint64_t rank = hash_bytes(text, strlen(text));
        if (!is_usable(node) || (best && rank <= best_rank))
            continue;
        json_decref(best);
        best = json_incref(node);
        best_rank = rank;
    }
    return best;
}

/* NULL with *ret_why when there is none. New reference. */
static json_t *node_for(const struct provisioner *p, const json_t *claim, const char **ret_why)
{
    const char *selected = annotation_of(claim, SELECTED_NODE);
    json_t *node = selected ? storage_get(p->nodes, "", selected) : any_node(p, claim);
    if (node && annotation_of(node, LOCAL_PATH_DIRECTORY))
        return node;
    *ret_why = !selected ? "no node is ready for it"
               : node    ? "the selected node offers no directory for volumes"
                         : "the selected node is gone";
    json_decref(node);
    return NULL;
}

/* --- the volume --- */

static char *volume_name(const json_t *claim)
{
    return xasprintf("pvc-%s", jstr_or(claim, "metadata.uid", ""));
}

static json_t *affinity_to(const json_t *node)
{
    const char *name = jstr_or(node, "metadata.name", "");
    const json_t *label = json_object_get(jget(node, "metadata.labels"), "kubernetes.io/hostname");
    return json_pack("{s{s[{s[{ss, ss, s[s]}]}]}}", "required", "nodeSelectorTerms", "matchExpressions", "key",
                     "kubernetes.io/hostname", "operator", "In", "values",
                     json_string_length(label) ? json_string_value(label) : name);
}

static json_t *volume_new(const json_t *claim, const json_t *class, const json_t *node)
{
    const char *ns = jstr_or(claim, "metadata.namespace", ""), *name = jstr_or(claim, "metadata.name", "");
    _cleanup_free_ char *called = volume_name(claim);
    _cleanup_free_ char *path = xasprintf("%s/%s_%s_%s", annotation_of(node, LOCAL_PATH_DIRECTORY), called, ns, name);
    json_t *volume = json_pack(
        "{ss, ss, s{ss, s{ss}, s[s]}, s{s{ss}, sO, ss, ss, ss, s{ss, ss, ss, ss, ss}, s{ss}, so}}", "apiVersion", "v1",
        "kind", "PersistentVolume", "metadata", "name", called, "annotations", PROVISIONED_BY, LOCAL_PATH_PROVISIONER,
        "finalizers", LOCAL_PATH_PROVISIONER, "spec", "capacity", "storage",
        jstr_or(claim, "spec.resources.requests.storage", "0"), "accessModes", jget(claim, "spec.accessModes"),
        "persistentVolumeReclaimPolicy", jstr_or(class, "reclaimPolicy", "Delete"), "storageClassName",
        jstr_or(class, "metadata.name", ""), "volumeMode", "Filesystem", "claimRef", "apiVersion", "v1", "kind",
        "PersistentVolumeClaim", "namespace", ns, "name", name, "uid", jstr_or(claim, "metadata.uid", ""), "local",
        "path", path, "nodeAffinity", affinity_to(node));
    if (jget(class, "mountOptions"))
        jset(volume, "spec.mountOptions", json_incref(jget(class, "mountOptions")));
    return volume;
}

/* --- claims --- */

static void fail(struct controller *c, const json_t *claim, const json_t *class, const char *why)
{
    controller_event(c, claim, "Warning", "ProvisioningFailed",
                     "failed to provision volume with StorageClass \"%s\": %s", jstr_or(class, "metadata.name", ""),
                     why);
}

/* The scheduler chooses again. */
static void unselect(struct controller *c, const json_t *claim)
{
    _cleanup_json_ json_t *to = json_deep_copy(claim);
    json_object_del(jget(to, "metadata.annotations"), SELECTED_NODE);
    patch_difference(c, &kind_persistentvolumeclaim, claim, to, NULL, true);
}

static void provision(struct controller *c, const struct provisioner *p, const json_t *claim, const json_t *class)
{
    const char *why = NULL;
    if (streq(jstr_or(claim, "spec.volumeMode", ""), "Block"))
        return fail(c, claim, class, "only filesystem volumes are supported, not volumeMode Block");
    if (jget(claim, "spec.dataSource") || jget(claim, "spec.dataSourceRef"))
        return fail(c, claim, class, "volumes cannot be filled from a dataSource");
    if (jget(claim, "spec.selector"))
        return fail(c, claim, class, "claim.Spec.Selector is not supported");
    _cleanup_json_ json_t *node = node_for(p, claim, &why);
    if (!node) {
        fail(c, claim, class, why);
        if (class_waits(class))
            unselect(c, claim);
        return;
    }
    controller_event(c, claim, "Normal", "Provisioning",
                     "External provisioner is provisioning volume for claim \"%s/%s\"",
                     jstr_or(claim, "metadata.namespace", ""), jstr_or(claim, "metadata.name", ""));
    _cleanup_json_ json_t *volume = volume_new(claim, class, node);
    controller_create(c, &kind_persistentvolume, "", volume);
}

/* A claim that has grown: the directory is as large as the disk, so its number is all that changes. */
static void grow(struct controller *c, const struct provisioner *p, const json_t *claim)
{
    _cleanup_json_ json_t *volume = storage_get(p->storage.volumes, "", jstr_or(claim, "spec.volumeName", ""));
    const char *wanted = jstr_or(claim, "spec.resources.requests.storage", "0");
    const char *has = jstr_or(volume, "spec.capacity.storage", "0");
    struct quantity want, is;
    if (!volume || !streq(str_or(annotation_of(volume, PROVISIONED_BY), ""), LOCAL_PATH_PROVISIONER) ||
        !quantity_parse(wanted, &want) || !quantity_parse(has, &is) || want.nano <= is.nano)
        return;
    _cleanup_json_ json_t *to = json_deep_copy(volume);
    jset_str(to, "spec.capacity.storage", wanted);
    patch_difference(c, &kind_persistentvolume, volume, to, NULL, true);
    controller_event(c, claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded");
}

static void reconcile_claim(struct controller *c, const struct provisioner *p, const char *ns, const char *name)
{
    _cleanup_json_ json_t *claim = storage_get(p->storage.claims, ns, name);
    if (!claim || is_deleting(claim))
        return;
    _cleanup_json_ json_t *class = storage_class(&p->storage, claim);
    _cleanup_free_ char *called = volume_name(claim);
    const char *asked = str_or(annotation_of(claim, STORAGE_PROVISIONER), "");
    if (claim_is_bound(claim))
        grow(c, p, claim);
    else if (is_ours(class) && streq(asked, LOCAL_PATH_PROVISIONER) && !*jstr_or(claim, "spec.volumeName", "") &&
             (!class_waits(class) || annotation_of(claim, SELECTED_NODE)) &&
             !informer_get(p->storage.volumes, "", called))
        provision(c, p, claim, class);
}

/* --- volumes --- */

/* The agent lets a deleted volume go; where the node itself is gone nobody else will. */
static void reconcile_volume(struct controller *c, const struct provisioner *p, const char *name)
{
    _cleanup_json_ json_t *volume = storage_get(p->storage.volumes, "", name);
    void *cursor = NULL;
    if (!volume || !is_deleting(volume) || !has_finalizer(volume, LOCAL_PATH_PROVISIONER))
        return;
    for (struct object *o; (o = informer_next(p->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *node = object_json(o);
        if (volume_reaches(volume, o->name, jget(node, "metadata.labels")))
            return;
    }
    patch_finalizer_out(c, &kind_persistentvolume, volume, LOCAL_PATH_PROVISIONER);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    const struct provisioner *p = controller_state(c);
    if (*ns)
        reconcile_claim(c, p, ns, name);
    else
        reconcile_volume(c, p, name);
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    const struct provisioner *p = controller_state(c);
    _cleanup_json_ json_t *claim = *ns ? storage_get(p->storage.claims, ns, name) : NULL;
    if (!claim || !streq(call->method, "POST"))
        return;
    if (code == 201)
        controller_event(c, claim, "Normal", "ProvisioningSucceeded", "Successfully provisioned volume %s",
                         jstr_or(body, "metadata.name", ""));
    else if (code != 409)
        controller_event(c, claim, "Warning", "ProvisioningFailed", "%s", jstr_or(body, "message", "no answer"));
}

/* --- who is concerned --- */

static void map_volume(struct controller *c, struct object *volume)
{
    controller_enqueue(c, "", volume->name);
    storage_enqueue_claim_of(c, volume);
}

/* A node that goes concerns its volumes, one that comes the claims that wait for any. Heartbeats concern nobody: only
 * nodes that were not there before, or are not there any more. */
static void map_node(struct controller *c, struct object *node)
{
    const struct provisioner *p = controller_state(c);
    void *cursor = NULL;
    if (informer_get(p->nodes, "", node->name))
        return;
    for (struct object *o; (o = informer_next(p->storage.volumes, NULL, &cursor));)
        controller_enqueue(c, "", o->name);
}

static void *start(struct controller *c)
{
    struct provisioner *p = NEW(struct provisioner);
    storage_start(&p->storage, c);
    p->nodes = controller_informer(c, &kind_node);
    return p;
}

static const struct controller_watch watches[] = {
    {&kind_persistentvolumeclaim, NULL}, {&kind_persistentvolume, map_volume}, {&kind_node, map_node}, {NULL, NULL}};

const struct controller_def localpath_controller = {
    .name = LOCAL_PATH_PROVISIONER,
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
    .answered = answered,
};
