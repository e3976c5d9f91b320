/* See claims.h. */
#include "sched/claims.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/binding.h"
#include "kinds/kind.h"

void claims_start(struct claims_store *s, struct controller *c)
{
    s->claims = controller_informer(c, &kind_persistentvolumeclaim);
    s->volumes = controller_informer(c, &kind_persistentvolume);
    s->classes = controller_informer(c, &kind_storageclass);
    s->pods = controller_informer(c, &kind_pod);
}

static json_t *get(struct informer *i, const char *ns, const char *name)
{
    struct object *o = informer_get(i, ns, name);
    return o ? object_json(o) : NULL;
}

/* --- what a pod has --- */

static bool mounts(const struct object *o, const char *claim)
{
    _cleanup_json_ json_t *pod = object_json(o);
    const json_t *volumes = jget(pod, "spec.volumes");
    const char *phase = jstr_or(pod, "status.phase", "");
    if (!*jstr_or(pod, "spec.nodeName", "") || streq(phase, "Succeeded") || streq(phase, "Failed"))
        return false;
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        _cleanup_free_ char *name = volume_claim_name(o->name, json_array_get(volumes, i));
        if (name && streq(name, claim))
            return true;
    }
    return false;
}

/* ReadWriteOncePod: no second pod in the whole cluster. */
static bool is_taken(const struct claims_store *s, const json_t *claim, const json_t *by)
{
    const json_t *mode = json_array_get(jget(claim, "spec.accessModes"), 0);
    const char *name = jstr_or(claim, "metadata.name", ""), *ns = jstr_or(claim, "metadata.namespace", "");
    void *cursor = NULL;
    if (!streq(str_or(json_string_value(mode), ""), "ReadWriteOncePod"))
        return false;
    for (struct object *o; (o = informer_next(s->pods, ns, &cursor));)
        if (!streq(o->uid, jstr_or(by, "metadata.uid", "")) && memmem(o->bytes, o->len, name, strlen(name)) &&
            mounts(o, name))
            return true;
    return false;
}

static void add_bound(struct pod_claims *pc, const json_t *claim)
{
    json_t *volume = get(pc->store->volumes, "", jstr_or(claim, "spec.volumeName", ""));
    if (volume)
        json_array_append_new(pc->bound, volume);
    else
        pc->problem = xstrdup("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
}

static bool waits(const struct claims_store *s, const json_t *claim)
{
    _cleanup_json_ json_t *class = get(s->classes, "", storage_class_of(claim));
    return class_waits(class) && !*jstr_or(claim, "spec.volumeName", "");
}

static void add_claim(struct pod_claims *pc, const json_t *pod, const char *name, bool ephemeral)
{
    _cleanup_json_ json_t *claim = get(pc->store->claims, jstr_or(pod, "metadata.namespace", ""), name);
    if (!claim && ephemeral)
        pc->problem =
            xasprintf("waiting for ephemeral volume controller to create the persistentvolumeclaim \"%s\"", name);
    else if (!claim)
        pc->problem = xasprintf("persistentvolumeclaim \"%s\" not found", name);
    else if (jget(claim, "metadata.deletionTimestamp"))
        pc->problem = xasprintf("persistentvolumeclaim \"%s\" is being deleted", name);
    else if (streq(jstr_or(claim, "status.phase", ""), "Lost"))
        pc->problem = xasprintf("persistentvolumeclaim \"%s\" bound to non-existent persistentvolume \"%s\"", name,
                                jstr_or(claim, "spec.volumeName", ""));
    else if (is_taken(pc->store, claim, pod))
        pc->problem = xstrdup("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access "
                              "mode");
    else if (claim_is_bound(claim))
        add_bound(pc, claim);
    else if (waits(pc->store, claim))
        json_array_append(pc->waiting, claim);
    else
        pc->problem = xstrdup("pod has unbound immediate PersistentVolumeClaims");
}

/* Volumes that one of the waiting claims may get. */
static void add_free(struct pod_claims *pc)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(pc->store->volumes, NULL, &cursor));) {
        _cleanup_json_ json_t *volume = object_json(o);
        for (size_t i = 0; i < json_array_size(pc->waiting); i++)
            if (volume_serves(volume, json_array_get(pc->waiting, i))) {
                json_array_append(pc->free, volume);
                break;
            }
    }
}

struct pod_claims *pod_claims_new(const struct claims_store *s, const json_t *pod)
{
    struct pod_claims *pc = NULL;
    const json_t *volumes = jget(pod, "spec.volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        const json_t *volume = json_array_get(volumes, i);
        _cleanup_free_ char *name = volume_claim_name(jstr_or(pod, "metadata.name", ""), volume);
        if (!name)
            continue;
        if (!pc) {
            pc = NEW(struct pod_claims);
            *pc = (struct pod_claims){.store = s, .bound = json_array(), .waiting = json_array(), .free = json_array()};
        }
        if (!pc->problem)
            add_claim(pc, pod, name, jget(volume, "ephemeral") != NULL);
    }
    if (pc && json_array_size(pc->waiting))
        add_free(pc);
    return pc;
}

void pod_claims_free(struct pod_claims *pc)
{
    if (!pc)
        return;
    free(pc->problem);
    json_decref(pc->bound);
    json_decref(pc->waiting);
    json_decref(pc->free);
    free(pc);
}

/* --- what a node offers --- */

static bool is_allowed(const json_t *class, const struct sched_node *n)
{
    const json_t *terms = jget(class, "allowedTopologies");
    for (size_t i = 0; i < json_array_size(terms); i++) {
        const json_t *wanted = jget(json_array_get(terms, i), "matchLabelExpressions");
        size_t met = 0;
        for (size_t k = 0; k < json_array_size(wanted); k++) {
            const json_t *row = json_array_get(wanted, k), *values = jget(row, "values");
            const char *has = str_or(json_string_value(json_object_get(n->labels, jstr_or(row, "key", ""))), "");
            bool found = false;
            for (size_t v = 0; v < json_array_size(values); v++)
                found |= streq(str_or(json_string_value(json_array_get(values, v)), ""), has);
            met += found;
        }
        if (met == json_array_size(wanted))
            return true;
    }
    return !json_array_size(terms);
}

static bool can_be_made(const struct pod_claims *pc, const json_t *claim, const struct sched_node *n)
{
    _cleanup_json_ json_t *class = get(pc->store->classes, "", storage_class_of(claim));
    return class && !streq(jstr_or(class, "provisioner", ""), "kubernetes.io/no-provisioner") && is_allowed(class, n);
}

/* The smallest volume for the claim that the node reaches, but for those in `used`; NULL: none. Borrowed. */
static const json_t *find_free(const struct pod_claims *pc, const json_t *claim, const struct sched_node *n,
                               const json_t *used)
{
    json_t **reached = xcalloc(json_array_size(pc->free) + 1, sizeof(json_t *));
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(pc->free); i++) {
        json_t *volume = json_array_get(pc->free, i);
        if (!jfind(used, "uid", jstr_or(volume, "metadata.uid", "")) && volume_reaches(volume, n->name, n->labels))
            reached[count++] = volume;
    }
    size_t best = volume_choose(reached, count, claim, false);
    const json_t *found = best < count ? reached[best] : NULL;
    free(reached);
    return found;
}

static void use(json_t *used, const json_t *volume)
{
    json_array_append_new(used, json_pack("{ss}", "uid", jstr_or(volume, "metadata.uid", "")));
}

const char *claims_refuse(const struct pod_claims *pc, const struct sched_node *n)
{
    _cleanup_json_ json_t *used = json_array();
    if (pc->problem)
        return pc->problem;
    for (size_t i = 0; i < json_array_size(pc->bound); i++)
        if (!volume_reaches(json_array_get(pc->bound, i), n->name, n->labels))
            return "node(s) had volume node affinity conflict";
    for (size_t i = 0; i < json_array_size(pc->waiting); i++) {
        const json_t *claim = json_array_get(pc->waiting, i), *volume = find_free(pc, claim, n, used);
        if (volume)
            use(used, volume);
        else if (!can_be_made(pc, claim, n))
            return "node(s) didn't find available persistent volumes to bind";
    }
    return NULL;
}

const char *claims_chosen_node(const struct pod_claims *pc)
{
    const char *node = NULL;
    for (size_t i = 0; i < json_array_size(pc->waiting) && !node; i++)
        node = annotation_of(json_array_get(pc->waiting, i), SELECTED_NODE);
    return node;
}

/* --- settling --- */

static void keep_volume(struct controller *c, const json_t *volume, const json_t *claim)
{
    _cleanup_json_ json_t *patch = json_pack(
        "{s{ss, s{ss}}, s{s{ss, ss, ss, ss, ss}}}", "metadata", "resourceVersion",
        jstr_or(volume, "metadata.resourceVersion", ""), "annotations", BOUND_BY_CONTROLLER, "yes", "spec", "claimRef",
        "apiVersion", "v1", "kind", "PersistentVolumeClaim", "namespace", jstr_or(claim, "metadata.namespace", ""),
        "name", jstr_or(claim, "metadata.name", ""), "uid", jstr_or(claim, "metadata.uid", ""));
    controller_patch(c, &kind_persistentvolume, "", jstr(volume, "metadata.name"), NULL, PATCH_MERGE, patch);
}

static void select_node(struct controller *c, const json_t *claim, const char *node)
{
    _cleanup_json_ json_t *patch =
        json_pack("{s{ss, s{ss}}}", "metadata", "resourceVersion", jstr_or(claim, "metadata.resourceVersion", ""),
                  "annotations", SELECTED_NODE, node);
    if (streq(str_or(annotation_of(claim, SELECTED_NODE), ""), node))
        return;
    controller_patch(c, &kind_persistentvolumeclaim, jstr(claim, "metadata.namespace"), jstr(claim, "metadata.name"),
                     NULL, PATCH_MERGE, patch);
}

static bool is_kept_for(const struct pod_claims *pc, const json_t *claim)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(pc->store->volumes, NULL, &cursor));) {
        _cleanup_json_ json_t *volume = object_json(o);
        if (volume_is_claimed_by(volume, claim))
            return true;
    }
    return false;
}

bool claims_settle(const struct pod_claims *pc, struct controller *c, const struct sched_node *n)
{
    _cleanup_json_ json_t *used = json_array();
    for (size_t i = 0; i < json_array_size(pc->waiting); i++) {
        const json_t *claim = json_array_get(pc->waiting, i);
        if (is_kept_for(pc, claim))
            continue; /* being bound */
        const json_t *volume = find_free(pc, claim, n, used);
        if (volume) {
            use(used, volume);
            keep_volume(c, volume, claim);
        } else {
            select_node(c, claim, n->name);
        }
    }
    return json_array_size(pc->waiting) == 0;
}
