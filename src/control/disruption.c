/* PodDisruptionBudgets: how many of the pods are ready, how many must be, and so how many may be evicted now. Evictions
 * take from that number at once (server/evict.c); the pods they name are not counted as ready any more even before
 * their end is seen here (upstream: pkg/controller/disruption). */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/podstate.h"
#include "control/rollout.h"
#include "json/json.h"
#include "kinds/budget.h"
#include "kinds/kind.h"
#include "kinds/labels.h"

/* Upstream's DeletionTimeout: an eviction that has not ended its pod by then has failed. */
#define DELETION_USEC (120LL * 1000000)

struct disruption {
    struct informer *budgets, *pods, *sets, *controllers, *deployments, *stateful;
    int pod_digest, controller_digest;
};

/* What one budget covers. */
struct cover {
    struct disruption *d;
    const char *ns;
    struct object **pods; /* borrowed */
    size_t n;
};

static const struct pod_state *state_of(const struct disruption *d, const struct object *pod)
{
    return informer_digest(d->pods, d->pod_digest, pod);
}

static void cover_init(struct cover *cover, struct disruption *d, const char *ns, const json_t *selector)
{
    *cover = (struct cover){.d = d, .ns = ns};
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(d->pods, ns, &cursor));) {
        if (!label_selector_matches(selector, json_object_get(state_of(d, o)->facts, "labels")))
            continue;
        if (!(cover->n & (cover->n + 1))) /* 0, 1, 3, 7 … members: room for as many again */
            cover->pods = xrealloc(cover->pods, (2 * cover->n + 2) * sizeof(struct object *));
        cover->pods[cover->n++] = o;
    }
}

/* --- how many pods there should be --- */

/* A digest: the owner reference that is the pod's controller. */
static void *make_controller(const struct object *o)
{
    _cleanup_json_ json_t *pod = object_json(o);
    const json_t *ref = controller_ref(pod);
    return ref ? json_deep_copy(ref) : json_null();
}

static void free_controller(void *digest)
{
    json_decref(digest);
}

/* The object a reference names, if it is still that one. New reference, or NULL. */
static json_t *referred(struct informer *i, const char *ns, const json_t *ref)
{
    struct object *o = informer_get(i, ns, jstr_or(ref, "name", ""));
    return o && streq(o->uid, jstr_or(ref, "uid", "")) ? object_json(o) : NULL;
}

/* Who decides on the number of pods: a ReplicaSet's Deployment, if it has one. */
static json_t *find_owner(const struct disruption *d, const char *ns, const json_t *ref)
{
    const char *kind = jstr_or(ref, "kind", "");
    struct informer *i = streq(kind, "ReplicaSet")              ? d->sets
                         : streq(kind, "ReplicationController") ? d->controllers
                         : streq(kind, "StatefulSet")           ? d->stateful
                                                                : NULL;
    json_t *owner = i ? referred(i, ns, ref) : NULL;
    const json_t *above = owner && i == d->sets ? controller_ref(owner) : NULL;
    json_t *deployment = above ? referred(d->deployments, ns, above) : NULL;
    if (!deployment)
        return owner;
    json_decref(owner);
    return deployment;
}

static char *no_scale_text(const json_t *ref, const char *pod)
{
    const struct kind *k = kind_by_api_version(jstr_or(ref, "apiVersion", ""), jstr_or(ref, "kind", ""));
    if (!k || k->scale)
        return xasprintf("found no controllers for pod \"%s\"", pod);
    return xasprintf("%s%s%s does not implement the scale subresource", k->plural, *k->group ? "." : "", k->group);
}

/* The sum of what the pods' owners want. *ret_unmanaged counts pods without one; returns NULL or why it is unknown. */
static char *expected_scale(const struct cover *cover, int64_t *ret_sum, size_t *ret_unmanaged)
{
    struct map seen = {0};
    char *failure = NULL;
    *ret_sum = 0;
    for (size_t i = 0; i < cover->n && !failure; i++) {
        const json_t *ref = informer_digest(cover->d->pods, cover->d->controller_digest, cover->pods[i]);
        const char *uid = jstr(ref, "uid");
        *ret_unmanaged += !uid;
        if (!uid || map_get(&seen, uid))
            continue;
        map_put(&seen, uid, cover->pods[i]);
        _cleanup_json_ json_t *owner = find_owner(cover->d, cover->ns, ref);
        const char *owner_uid = jstr_or(owner, "metadata.uid", "");
        if (!owner)
            failure = no_scale_text(ref, cover->pods[i]->name);
        else if (streq(owner_uid, uid) || !map_get(&seen, owner_uid)) /* ReplicaSets of one Deployment count once */
            *ret_sum += jint(owner, "spec.replicas", 1);
        map_put(&seen, owner_uid, cover->pods[i]);
    }
    map_done(&seen);
    return failure;
}

/* Returns NULL, or why the numbers are unknown. */
static char *wanted(const struct cover *cover, const json_t *budget, int64_t *ret_expected, int64_t *ret_healthy,
                    size_t *ret_unmanaged)
{
    const json_t *max = jget(budget, "spec.maxUnavailable"), *min = jget(budget, "spec.minAvailable");
    *ret_expected = (int64_t)cover->n;
    *ret_healthy = json_integer_value(min);
    if (!max && !json_is_string(min))
        return NULL;
    char *failure = expected_scale(cover, ret_expected, ret_unmanaged);
    int64_t amount = int_or_percent(max ? max : min, *ret_expected, true);
    *ret_healthy = !max ? amount : amount < *ret_expected ? *ret_expected - amount : 0;
    return failure;
}

/* --- how many there are --- */

/* Evictions granted whose pods are still there, as a new map; others are forgotten. */
static json_t *still_disrupted(struct controller *c, const struct cover *cover, const json_t *budget)
{
    const json_t *granted = jget(budget, "status.disruptedPods");
    json_t *kept = json_object();
    int64_t now = controller_now_usec(c);
    for (size_t i = 0; json_object_size(granted) && i < cover->n; i++) {
        const struct object *pod = cover->pods[i];
        json_t *since = json_object_get(granted, pod->name);
        int64_t at = 0;
        if (!since || state_of(cover->d, pod)->deleting || !time_parse(json_string_value(since), &at))
            continue;
        if (at + DELETION_USEC < now) {
            controller_event(c, budget, "Warning", "NotDeleted",
                             "Pod was expected by PDB %s/%s to be deleted but it wasn't", pod->ns,
                             jstr_or(budget, "metadata.name", ""));
            continue;
        }
        json_object_set(kept, pod->name, since);
        controller_enqueue_after(c, pod->ns, jstr_or(budget, "metadata.name", ""),
                                 (at + DELETION_USEC - now) / 1000 + 1);
    }
    return kept;
}

static int64_t count_healthy(const struct cover *cover, const json_t *disrupted)
{
    int64_t n = 0;
    for (size_t i = 0; i < cover->n; i++) {
        const struct pod_state *p = state_of(cover->d, cover->pods[i]);
        n += p->ready && !p->deleting && !json_object_get(disrupted, cover->pods[i]->name);
    }
    return n;
}

/* --- reconcile --- */

static void say(struct controller *c, const struct cover *cover, const json_t *budget, size_t unmanaged,
                const char *failure)
{
    if (!cover->n)
        controller_event(c, budget, "Normal", "NoPods", "No matching pods found");
    if (failure)
        controller_event(c, budget, "Warning", "CalculateExpectedPodCountFailed",
                         "Failed to calculate the number of expected pods: %s", failure);
    if (!unmanaged)
        return;
    _cleanup_free_ char *selector = label_selector_text(jget(budget, "spec.selector"));
    controller_event(
        c, budget, "Warning", "UnmanagedPods",
        "Pods selected by this PodDisruptionBudget (selector: %s) were found to be unmanaged. As a result, "
        "the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To "
        "account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.",
        selector);
}

static json_t *next_status(struct controller *c, const struct cover *cover, const json_t *budget)
{
    char now[TIME_TEXT_SIZE];
    int64_t expected, desired;
    size_t unmanaged = 0;
    _cleanup_free_ char *failure = wanted(cover, budget, &expected, &desired, &unmanaged);
    json_t *old = jget(budget, "status"), *status = old ? json_deep_copy(old) : json_object();
    say(c, cover, budget, unmanaged, failure);
    time_format(controller_now_usec(c), now);
    if (failure) {
        jset_int(status, "disruptionsAllowed", 0);
        budget_set_condition(status, failure, now);
        return status;
    }
    json_t *disrupted = still_disrupted(c, cover, budget);
    int64_t healthy = count_healthy(cover, disrupted);
    jset_int(status, "observedGeneration", jint(budget, "metadata.generation", 0));
    jset_int(status, "disruptionsAllowed", expected > 0 && healthy > desired ? healthy - desired : 0);
    jset_int(status, "currentHealthy", healthy);
    jset_int(status, "desiredHealthy", desired);
    jset_int(status, "expectedPods", expected);
    jset(status, "disruptedPods", json_object_size(disrupted) ? json_incref(disrupted) : NULL);
    json_decref(disrupted);
    budget_set_condition(status, NULL, now);
    return status;
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct disruption *d = controller_state(c);
    struct object *o = informer_get(d->budgets, ns, name);
    if (!o)
        return;
    struct cover cover;
    _cleanup_json_ json_t *budget = object_json(o), *to = json_copy(budget);
    cover_init(&cover, d, ns, jget(budget, "spec.selector"));
    json_object_set_new(to, "status", next_status(c, &cover, budget));
    /* Guarded: an eviction may have taken from the number since this version. */
    patch_difference(c, &kind_poddisruptionbudget, budget, to, "status", true);
    free(cover.pods);
}

static void map_pod(struct controller *c, struct object *pod)
{
    struct disruption *d = controller_state(c);
    _cleanup_json_ json_t *doc = NULL;
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(d->budgets, pod->ns, &cursor));) {
        _cleanup_json_ json_t *budget = object_json(o);
        doc = doc ? doc : object_json(pod);
        if (label_selector_matches(jget(budget, "spec.selector"), jget(doc, "metadata.labels")))
            controller_enqueue(c, o->ns, o->name);
    }
}

/* Whoever sets a number of pods concerns the budgets of its namespace. */
static void map_owner(struct controller *c, struct object *owner)
{
    struct disruption *d = controller_state(c);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(d->budgets, owner->ns, &cursor));)
        controller_enqueue(c, o->ns, o->name);
}

static void *start(struct controller *c)
{
    struct disruption *d = NEW(struct disruption);
    d->budgets = controller_informer(c, &kind_poddisruptionbudget);
    d->pods = controller_informer(c, &kind_pod);
    d->sets = controller_informer(c, &kind_replicaset);
    d->controllers = controller_informer(c, &kind_replicationcontroller);
    d->deployments = controller_informer(c, &kind_deployment);
    d->stateful = controller_informer(c, &kind_statefulset);
    d->pod_digest = pod_states(d->pods);
    d->controller_digest = informer_add_digest(d->pods, make_controller, free_controller);
    return d;
}

static const struct controller_watch watches[] = {{&kind_poddisruptionbudget, NULL},
                                                  {&kind_pod, map_pod},
                                                  {&kind_replicaset, map_owner},
                                                  {&kind_replicationcontroller, map_owner},
                                                  {&kind_deployment, map_owner},
                                                  {&kind_statefulset, map_owner},
                                                  {NULL, NULL}};

const struct controller_def disruption_controller = {
    .name = "controllermanager",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
};
