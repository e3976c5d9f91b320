/* Deployments: one ReplicaSet per pod template, sized step by step (rollout.h) until the newest has all replicas. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/deployment_status.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/podstate.h"
#include "control/revision.h"
#include "control/rollout.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/labels.h"

struct deployments {
    struct informer *deployments, *sets, *pods;
    int sets_by_controller, pods_by_controller, pod_digest;
    struct map scaled_from; /* "ns/replicaset" of a resize on its way -> number before it, plus 1 */
};

/* One Deployment as it is being reconciled. */
struct rolling {
    struct controller *c;
    struct deployments *ds;
    const json_t *doc;
    const char *ns, *uid;
    int64_t now;
    json_t *status; /* what it shall be */
    json_t **sets;  /* documents, side by side with numbers.sets */
    struct rollout numbers;
};

/* --- finding the ReplicaSets --- */

static void add_set(struct rolling *r, json_t *set_new)
{
    size_t n = r->numbers.n++;
    r->sets = xrealloc(r->sets, (n + 1) * sizeof(json_t *));
    r->sets[n] = set_new;
    r->numbers.sets = xrealloc(r->numbers.sets, (n + 1) * sizeof(struct rollout_set));
    int64_t replicas = jint(set_new, "spec.replicas", 1);
    r->numbers.sets[n] = (struct rollout_set){
        .name = jstr(set_new, "metadata.name"),
        .replicas = replicas,
        .to = replicas,
        .actual = jint(set_new, "status.replicas", 0),
        .ready = jint(set_new, "status.readyReplicas", 0),
        .available = jint(set_new, "status.availableReplicas", 0),
        .desired_mark = annotation_int(set_new, DESIRED_ANNOTATION, -1),
        .max_mark = annotation_int(set_new, MAX_ANNOTATION, -1),
        .created_usec = jtime(set_new, "metadata.creationTimestamp"),
    };
}

static bool selects(const struct rolling *r, const json_t *set)
{
    return label_selector_matches(jget(r->doc, "spec.selector"), jget(set, "metadata.labels"));
}

static void collect_own(struct rolling *r)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(r->ds->sets, r->ds->sets_by_controller, r->uid, &cursor));) {
        json_t *set = object_json(o);
        if (selects(r, set)) {
            add_set(r, set);
            continue;
        }
        if (!is_deleting(r->doc))
            patch_owner_out(r->c, &kind_replicaset, set, r->uid);
        json_decref(set);
    }
}

static void adopt_orphans(struct rolling *r)
{
    _cleanup_free_ char *key = xasprintf("%s%s", ORPHANS_OF, r->ns);
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(r->ds->sets, r->ds->sets_by_controller, key, &cursor));) {
        json_t *set = object_json(o);
        if (!selects(r, set) || is_deleting(set)) {
            json_decref(set);
            continue;
        }
        _cleanup_json_ json_t *owner = controller_ref_new(r->doc);
        patch_owner_in(r->c, &kind_replicaset, set, owner);
        add_set(r, set);
    }
}

/* The oldest set with the Deployment's template is the new one. */
static void mark_new_set(struct rolling *r)
{
    struct rollout_set *found = NULL;
    for (size_t i = 0; i < r->numbers.n; i++) {
        struct rollout_set *s = &r->numbers.sets[i];
        if (!same_template(jget(r->sets[i], "spec.template"), jget(r->doc, "spec.template")))
            continue;
        if (!found || s->created_usec < found->created_usec ||
            (s->created_usec == found->created_usec && strcmp(s->name, found->name) < 0))
            found = s;
    }
    if (found)
        found->is_new = true;
}

static int64_t next_revision(const struct rolling *r)
{
    int64_t highest = 0;
    for (size_t i = 0; i < r->numbers.n; i++)
        if (!r->numbers.sets[i].is_new && revision_of(r->sets[i]) > highest)
            highest = revision_of(r->sets[i]);
    return highest + 1;
}

/* --- writing --- */

static void set_revision(struct rolling *r, int64_t revision)
{
    if (revision_of(r->doc) == revision)
        return;
    _cleanup_json_ json_t *to = json_deep_copy(r->doc);
    annotate_int(to, REVISION_ANNOTATION, revision);
    patch_difference(r->c, &kind_deployment, r->doc, to, NULL, false);
}

static void mark_size(const struct rolling *r, json_t *set)
{
    annotate_int(set, DESIRED_ANNOTATION, r->numbers.replicas);
    annotate_int(set, MAX_ANNOTATION, r->numbers.replicas + r->numbers.max_surge);
}

/* Brings one ReplicaSet to its planned number, and the new one up to date with the Deployment. */
static void write_set(struct rolling *r, size_t i, bool sizing)
{
    const struct rollout_set *s = &r->numbers.sets[i];
    _cleanup_json_ json_t *to = json_deep_copy(r->sets[i]);
    if (s->is_new) {
        inherit_annotations(to, r->doc, next_revision(r));
        if (jint(to, "spec.minReadySeconds", 0) != jint(r->doc, "spec.minReadySeconds", 0))
            jset_int(to, "spec.minReadySeconds", jint(r->doc, "spec.minReadySeconds", 0));
        set_revision(r, revision_of(to));
    }
    if (s->to != s->replicas)
        jset_int(to, "spec.replicas", s->to);
    if (s->to != s->replicas || (sizing && s->to > 0))
        mark_size(r, to);
    if (!patch_difference(r->c, &kind_replicaset, r->sets[i], to, NULL, false) || s->to == s->replicas)
        return;
    _cleanup_free_ char *key = make_object_key(r->ns, s->name);
    map_put(&r->ds->scaled_from, key, (void *)(uintptr_t)(s->replicas + 1));
}

static void write_sets(struct rolling *r, bool sizing)
{
    for (size_t i = 0; i < r->numbers.n; i++)
        if (r->numbers.sets[i].is_new || sizing || r->numbers.sets[i].to != r->numbers.sets[i].replicas)
            write_set(r, i, sizing);
}

/* A set of this name that is not ours makes the hash useless: count it, so that the next one differs. */
static bool name_is_taken(struct rolling *r, const char *name)
{
    if (!informer_get(r->ds->sets, r->ns, name))
        return false;
    jset_int(r->status, "collisionCount", jint(r->status, "collisionCount", 0) + 1);
    return true;
}

static void create_new_set(struct rolling *r)
{
    _cleanup_json_ json_t *set = replica_set_new(r->doc);
    const char *name = jstr(set, "metadata.name");
    if (name_is_taken(r, name))
        return;
    int64_t revision = next_revision(r);
    jset_int(set, "spec.replicas", rollout_new_replicas(&r->numbers, 0));
    inherit_annotations(set, r->doc, revision);
    mark_size(r, set);
    controller_create(r->c, &kind_replicaset, r->ns, set);
    set_revision(r, revision);
    if (jget(r->doc, "spec.progressDeadlineSeconds")) {
        _cleanup_free_ char *message = xasprintf("Created new replica set \"%s\"", name);
        deployment_condition(r->status, "Progressing", "True", "NewReplicaSetCreated", message, r->now);
    }
}

static void announce(struct controller *c, const json_t *d, const char *set, int64_t from, int64_t to)
{
    if (from != to)
        controller_event(c, d, "Normal", "ScalingReplicaSet", "Scaled %s replica set %s from %lld to %lld",
                         to > from ? "up" : "down", set, (long long)from, (long long)to);
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    struct deployments *ds = controller_state(c);
    struct object *o = informer_get(ds->deployments, ns, name);
    if (call->kind != &kind_replicaset || !o)
        return;
    _cleanup_json_ json_t *d = object_json(o);
    bool created = streq(call->method, "POST"), ok = code >= 200 && code < 300;
    if (created && !ok && code != 409 && !jfind(jget(body, "details.causes"), "reason", "NamespaceTerminating"))
        controller_event(c, d, "Warning", "ReplicaSetCreateError", "Failed to create new replica set: %s",
                         jstr_or(body, "message", "no answer"));
    _cleanup_free_ char *key = make_object_key(ns, str_or(call->name, jstr_or(body, "metadata.name", "")));
    uintptr_t from = (uintptr_t)map_del(&ds->scaled_from, key);
    if (ok && (created || from))
        announce(c, d, jstr_or(body, "metadata.name", ""), created ? 0 : (int64_t)from - 1,
                 jint(body, "spec.replicas", 0));
}

/* --- strategies --- */

static int by_revision(const void *pa, const void *pb)
{
    const json_t *a = *(json_t *const *)pa, *b = *(json_t *const *)pb;
    int64_t ra = revision_of(a), rb = revision_of(b);
    if (ra != rb)
        return ra < rb ? -1 : 1;
    return strcmp(jstr_or(a, "metadata.creationTimestamp", ""), jstr_or(b, "metadata.creationTimestamp", ""));
}

static bool is_spent(const json_t *set)
{
    return !jint(set, "status.replicas", 0) && !jint(set, "spec.replicas", 1) && !is_deleting(set) &&
           jint(set, "metadata.generation", 0) <= jint(set, "status.observedGeneration", 0);
}

/* Old sets beyond revisionHistoryLimit go, the lowest revisions first. */
static void trim_history(struct rolling *r)
{
    _cleanup_free_ json_t **old = xcalloc(r->numbers.n + 1, sizeof(json_t *));
    size_t n = 0;
    for (size_t i = 0; i < r->numbers.n; i++)
        if (!r->numbers.sets[i].is_new && !is_deleting(r->sets[i]))
            old[n++] = r->sets[i];
    int64_t surplus = (int64_t)n - jint(r->doc, "spec.revisionHistoryLimit", INT32_MAX);
    qsort(old, n, sizeof(json_t *), by_revision);
    for (int64_t i = 0; i < surplus; i++)
        if (is_spent(old[i]))
            delete_exactly(r->c, &kind_replicaset, r->ns, jstr(old[i], "metadata.name"), jstr(old[i], "metadata.uid"),
                           NULL, -1);
}

static bool has_running_pods(const struct rolling *r, const json_t *set)
{
    void *cursor = NULL;
    const char *uid = jstr_or(set, "metadata.uid", "");
    for (struct object *o; (o = informer_by_index(r->ds->pods, r->ds->pods_by_controller, uid, &cursor));)
        if (!pod_finished(informer_digest(r->ds->pods, r->ds->pod_digest, o)))
            return true;
    return false;
}

static bool old_pods_running(const struct rolling *r)
{
    for (size_t i = 0; i < r->numbers.n; i++) {
        const struct rollout_set *s = &r->numbers.sets[i];
        if (!s->is_new && (s->actual > 0 || has_running_pods(r, r->sets[i])))
            return true;
    }
    return false;
}

/* Everything old goes before anything new comes. */
static void recreate(struct rolling *r)
{
    bool shrinking = false;
    for (size_t i = 0; i < r->numbers.n; i++) {
        struct rollout_set *s = &r->numbers.sets[i];
        shrinking |= !s->is_new && s->replicas > 0;
        s->to = s->is_new ? s->replicas : 0;
    }
    if (shrinking || old_pods_running(r)) {
        write_sets(r, false);
        return;
    }
    struct rollout_set *new_set = rollout_new_set(&r->numbers);
    if (!new_set) {
        create_new_set(r);
        return;
    }
    new_set->to = r->numbers.replicas;
    write_sets(r, false);
}

static void roll(struct rolling *r)
{
    if (!rollout_new_set(&r->numbers)) {
        create_new_set(r);
        return;
    }
    rollout_step(&r->numbers);
    write_sets(r, false);
}

/* Counts as they are, conditions, and the ReplicaSets' own trouble. */
static void write_status(struct rolling *r, bool progressing)
{
    deployment_count(r->doc, &r->numbers, r->status, r->now);
    if (progressing)
        deployment_progress(r->doc, &r->numbers, r->status, r->now);
    json_t *failure = NULL, *noted = jfind(jget(r->status, "conditions"), "type", "ReplicaFailure");
    for (size_t i = 0; i < r->numbers.n && !failure; i++)
        failure = condition_find(r->sets[i], "ReplicaFailure");
    if (failure && !noted)
        deployment_condition(r->status, "ReplicaFailure", "True", jstr_or(failure, "reason", ""),
                             jstr_or(failure, "message", ""), r->now);
    else if (!failure && noted)
        deployment_condition_remove(r->status, "ReplicaFailure");
    patch_status(r->c, &kind_deployment, r->doc, r->status);
    int64_t after = deployment_check_after_ms(r->doc, r->status, r->now);
    if (progressing && after > 0)
        controller_enqueue_after(r->c, r->ns, jstr(r->doc, "metadata.name"), after);
}

static void work(struct rolling *r)
{
    if (is_deleting(r->doc)) {
        write_status(r, false);
        return;
    }
    deployment_note_pause(r->doc, r->status, r->now);
    if (jbool(r->doc, "spec.paused", false) || rollout_is_scaled(&r->numbers)) {
        rollout_scale(&r->numbers);
        write_sets(r, true);
        if (jbool(r->doc, "spec.paused", false))
            trim_history(r);
        write_status(r, false);
        return;
    }
    if (r->numbers.rolling)
        roll(r);
    else
        recreate(r);
    if (deployment_complete(r->doc, jget(r->doc, "status")))
        trim_history(r);
    write_status(r, true);
}

static bool selects_everything(const json_t *d)
{
    const json_t *selector = jget(d, "spec.selector");
    return !json_object_size(jget(selector, "matchLabels")) && !json_array_size(jget(selector, "matchExpressions"));
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct deployments *ds = controller_state(c);
    struct object *o = informer_get(ds->deployments, ns, name);
    if (!o)
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    if (selects_everything(doc)) {
        controller_event(c, doc, "Warning", "SelectingAll",
                         "This deployment is selecting all pods. A non-empty selector is required.");
        return;
    }
    json_t *status = jget(doc, "status");
    struct rolling r = {.c = c, .ds = ds, .doc = doc, .ns = ns, .uid = o->uid, .now = controller_now_usec(c)};
    r.status = status ? json_deep_copy(status) : json_object();
    rollout_init(&r.numbers, doc);
    collect_own(&r);
    if (!is_deleting(doc))
        adopt_orphans(&r);
    mark_new_set(&r);
    work(&r);
    for (size_t i = 0; i < r.numbers.n; i++)
        json_decref(r.sets[i]);
    free(r.sets);
    free(r.numbers.sets);
    json_decref(r.status);
}

/* --- who is concerned --- */

static void map_set(struct controller *c, struct object *set)
{
    struct deployments *ds = controller_state(c);
    _cleanup_json_ json_t *doc = object_json(set);
    const json_t *ref = controller_ref(doc);
    if (ref) {
        if (streq(jstr_or(ref, "kind", ""), "Deployment"))
            controller_enqueue(c, set->ns, jstr_or(ref, "name", ""));
        return;
    }
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(ds->deployments, set->ns, &cursor));) {
        _cleanup_json_ json_t *d = object_json(o);
        if (label_selector_matches(jget(d, "spec.selector"), jget(doc, "metadata.labels")))
            controller_enqueue(c, o->ns, o->name);
    }
}

/* Only the end of a pod concerns a Deployment directly: Recreate waits for it. */
static void map_pod(struct controller *c, struct object *pod)
{
    struct deployments *ds = controller_state(c);
    struct object *now = informer_get(ds->pods, pod->ns, pod->name);
    if (now && !pod_finished(informer_digest(ds->pods, ds->pod_digest, now)))
        return;
    _cleanup_json_ json_t *doc = object_json(pod);
    struct object *set = informer_get(ds->sets, pod->ns, jstr_or(controller_ref(doc), "name", ""));
    if (set)
        map_set(c, set);
}

static void *start(struct controller *c)
{
    struct deployments *ds = NEW(struct deployments);
    ds->deployments = controller_informer(c, &kind_deployment);
    ds->sets = controller_informer(c, &kind_replicaset);
    ds->pods = controller_informer(c, &kind_pod);
    ds->sets_by_controller = informer_add_index(ds->sets, by_controller);
    ds->pods_by_controller = informer_add_index(ds->pods, by_controller);
    ds->pod_digest = pod_states(ds->pods);
    return ds;
}

static void stop(void *state)
{
    struct deployments *ds = state;
    map_done(&ds->scaled_from);
    free(ds);
}

static const struct controller_watch watches[] = {
    {&kind_deployment, NULL}, {&kind_replicaset, map_set}, {&kind_pod, map_pod}, {NULL, NULL}};

const struct controller_def deployment_controller = {
    .name = "deployment-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
    .answered = answered,
};
