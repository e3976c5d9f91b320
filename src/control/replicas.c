/* See replicas.h. Pods are found by their controller's uid; orphans that the selector matches are adopted, own pods
 * that it no longer matches are let go. Creation starts slowly (1, 2, 4 … pods at a time, each batch only when the one
 * before has gone well), so that a template that cannot work costs few requests. */
#include "control/replicas.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "control/family.h"
#include "control/meta.h"
#include "control/podstate.h"
#include "control/ranking.h"
#include "json/json.h"
#include "kinds/kind.h"

/* Pods created or deleted in one go, as upstream: keeps one large set from starving the others. */
#define BURST_MAX 500

/* Pods being created for one key. */
struct burst {
    int left, batch, open;
    char *why; /* the last creation failed: the server's message */
};

struct replicas {
    const struct replicas_type *type;
    struct informer *sets, *pods;
    int sets_by_controller, pods_by_controller, pod_digest;
    struct map bursts; /* by "ns/name" */
};

/* One set as it is being reconciled. */
struct set {
    struct controller *c;
    struct replicas *r;
    const json_t *doc;
    const char *ns, *name, *uid;
    struct ranked_pod *pods; /* active ones that are its own */
    size_t n, cap;
};

void *replicas_start(struct controller *c, const struct replicas_type *type)
{
    struct replicas *r = NEW(struct replicas);
    r->type = type;
    r->sets = controller_informer(c, type->kind);
    r->pods = controller_informer(c, &kind_pod);
    r->sets_by_controller = informer_add_index(r->sets, by_controller);
    r->pods_by_controller = informer_add_index(r->pods, by_controller);
    r->pod_digest = pod_states(r->pods);
    return r;
}

static void burst_free(void *p)
{
    struct burst *b = p;
    free(b->why);
    free(b);
}

void replicas_stop(void *state)
{
    struct replicas *r = state;
    map_done_with(&r->bursts, burst_free);
    free(r);
}

void replicas_map_pod(struct controller *c, struct object *pod)
{
    struct replicas *r = controller_state(c);
    _cleanup_json_ json_t *doc = object_json(pod);
    const json_t *ref = controller_ref(doc);
    if (ref) {
        if (streq(jstr_or(ref, "kind", ""), r->type->kind->kind))
            controller_enqueue(c, pod->ns, jstr_or(ref, "name", ""));
        return;
    }
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(r->sets, pod->ns, &cursor));) {
        _cleanup_json_ json_t *set = object_json(o);
        if (r->type->selects(jget(set, "spec.selector"), jget(doc, "metadata.labels")))
            controller_enqueue(c, o->ns, o->name);
    }
}

/* --- which pods are its own --- */

static void add_pod(struct set *s, const struct object *pod, const struct pod_state *state)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->pods = xrealloc(s->pods, s->cap * sizeof(*s->pods));
    }
    s->pods[s->n++] = (struct ranked_pod){pod->name, pod->uid, state, 0};
}

static bool selects(const struct set *s, const struct pod_state *p)
{
    return s->r->type->selects(jget(s->doc, "spec.selector"), json_object_get(p->facts, "labels"));
}

static void claim_own(struct set *s)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(s->r->pods, s->r->pods_by_controller, s->uid, &cursor));) {
        const struct pod_state *p = informer_digest(s->r->pods, s->r->pod_digest, o);
        if (!pod_active(p))
            continue;
        if (selects(s, p)) {
            add_pod(s, o, p);
        } else if (!is_deleting(s->doc)) {
            _cleanup_json_ json_t *pod = object_json(o);
            patch_owner_out(s->c, &kind_pod, pod, s->uid);
        }
    }
}

static void claim_orphans(struct set *s)
{
    _cleanup_free_ char *key = xasprintf("%s%s", ORPHANS_OF, s->ns);
    void *cursor = NULL;
    for (struct object *o; (o = informer_by_index(s->r->pods, s->r->pods_by_controller, key, &cursor));) {
        const struct pod_state *p = informer_digest(s->r->pods, s->r->pod_digest, o);
        if (!pod_active(p) || !selects(s, p))
            continue;
        _cleanup_json_ json_t *pod = object_json(o), *owner = controller_ref_new(s->doc);
        patch_owner_in(s->c, &kind_pod, pod, owner);
        add_pod(s, o, p);
    }
}

/* --- more pods --- */

static void create_batch(struct controller *c, const char *ns, const json_t *set, struct burst *b)
{
    _cleanup_json_ json_t *pod = pod_from_template(set, jget(set, "spec.template"));
    _cleanup_free_ char *prefix = xasprintf("%s-", jstr_or(set, "metadata.name", ""));
    jset_str(pod, "metadata.generateName", prefix);
    int n = b->batch < b->left ? b->batch : b->left;
    b->left -= n;
    b->open += n;
    b->batch *= 2;
    while (n-- > 0)
        controller_create(c, &kind_pod, ns, pod);
}

static struct burst *burst_of(struct replicas *r, const char *ns, const char *name, bool make)
{
    _cleanup_free_ char *key = make_object_key(ns, name);
    struct burst *b = map_get(&r->bursts, key);
    if (!b && make) {
        b = NEW(struct burst);
        map_put(&r->bursts, key, b);
    }
    return b;
}

static void forget_burst(struct replicas *r, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_object_key(ns, name);
    struct burst *b = map_del(&r->bursts, key);
    if (b)
        burst_free(b);
}

static void creation_answered(struct controller *c, const char *ns, const char *name, int code, const json_t *body)
{
    struct replicas *r = controller_state(c);
    struct burst *b = burst_of(r, ns, name, false);
    struct object *o = informer_get(r->sets, ns, name);
    if (!b || !o)
        return;
    _cleanup_json_ json_t *set = object_json(o);
    b->open--;
    if (code == 201 || code == 200) {
        controller_event(c, set, "Normal", "SuccessfulCreate", "Created pod: %s", jstr_or(body, "metadata.name", ""));
    } else {
        free(b->why);
        b->why = xstrdup(jstr_or(body, "message", "no answer"));
        if (!jfind(jget(body, "details.causes"), "reason", "NamespaceTerminating"))
            controller_event(c, set, "Warning", "FailedCreate", "Error creating: %s", b->why);
    }
    if (!b->open && !b->why && b->left)
        create_batch(c, ns, set, b);
}

/* --- fewer pods --- */

/* Counts, for every pod, the active pods of the same Deployment on its node: of all sets that its controller controls.
 */
static void count_doubled_up(struct set *s)
{
    struct map per_node = {0}; /* node -> count, as a pointer */
    const char *owner = jstr(controller_ref(s->doc), "uid");
    void *at_set = NULL, *at_pod;
    struct object *self = informer_get(s->r->sets, s->ns, s->name);
    for (struct object *set = self; set;) {
        at_pod = NULL;
        for (struct object *o; (o = informer_by_index(s->r->pods, s->r->pods_by_controller, set->uid, &at_pod));) {
            const struct pod_state *p = informer_digest(s->r->pods, s->r->pod_digest, o);
            if (pod_active(p))
                map_put(&per_node, pod_node(p), (void *)((uintptr_t)map_get(&per_node, pod_node(p)) + 1));
        }
        do
            set = owner ? informer_by_index(s->r->sets, s->r->sets_by_controller, owner, &at_set) : NULL;
        while (set == self && set);
    }
    for (size_t i = 0; i < s->n; i++)
        s->pods[i].doubled_up = (int)(uintptr_t)map_get(&per_node, pod_node(s->pods[i].state));
    map_done(&per_node);
}

static void delete_pods(struct set *s, size_t n)
{
    if (n < s->n) {
        count_doubled_up(s);
        rank_for_deletion(s->pods, s->n, controller_now_usec(s->c));
    }
    for (size_t i = 0; i < n && i < BURST_MAX; i++)
        delete_exactly(s->c, &kind_pod, s->ns, s->pods[i].name, s->pods[i].uid, NULL, -1);
}

static void deletion_answered(struct controller *c, const char *ns, const char *name, const char *pod, int code,
                              const json_t *body)
{
    struct replicas *r = controller_state(c);
    struct object *o = informer_get(r->sets, ns, name);
    if (!o || code == 404 || code == 409)
        return;
    _cleanup_json_ json_t *set = object_json(o);
    if (code == 200)
        controller_event(c, set, "Normal", "SuccessfulDelete", "Deleted pod: %s", pod);
    else
        controller_event(c, set, "Warning", "FailedDelete", "Error deleting: %s",
                         jstr_or(body, "message", "no answer"));
}

void replicas_answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                       int code, const json_t *body)
{
    if (call->kind != &kind_pod)
        return;
    if (streq(call->method, "POST"))
        creation_answered(c, ns, name, code, body);
    else if (streq(call->method, "DELETE"))
        deletion_answered(c, ns, name, call->name, code, body);
}

/* --- status --- */

static bool has_all_labels(const json_t *wanted, const json_t *labels)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)wanted, key, value)
        if (!json_equal(value, json_object_get(labels, key)))
            return false;
    return true;
}

static void set_unless_zero(json_t *status, const char *key, int64_t n)
{
    jset(status, key, n ? json_integer(n) : NULL);
}

static void set_failure(struct set *s, json_t *status, const char *why)
{
    json_t *old = condition_find(s->doc, "ReplicaFailure");
    if (!why) {
        jset(status, "conditions", NULL); /* it is the only type */
        return;
    }
    char now[TIME_TEXT_SIZE];
    time_format(controller_now_usec(s->c), now);
    jset(status, "conditions",
         json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "type", "ReplicaFailure", "status", "True", "reason", "FailedCreate",
                   "message", why, "lastTransitionTime", old ? jstr_or(old, "lastTransitionTime", now) : now));
}

static void update_status(struct set *s, const char *why)
{
    int64_t min_ready = jint(s->doc, "spec.minReadySeconds", 0), now = controller_now_usec(s->c), next = 0;
    const json_t *labels = jget(s->doc, "spec.template.metadata.labels");
    int ready = 0, available = 0, labeled = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct pod_state *p = s->pods[i].state;
        ready += p->ready;
        available += pod_available(p, min_ready, now);
        labeled += has_all_labels(labels, json_object_get(p->facts, "labels"));
        int64_t due = p->ready_usec + min_ready * 1000000;
        if (p->ready && due > now && (!next || due < next))
            next = due;
    }
    json_t *old = jget(s->doc, "status");
    _cleanup_json_ json_t *status = old ? json_deep_copy(old) : json_object();
    jset_int(status, "replicas", (int64_t)s->n);
    set_unless_zero(status, "fullyLabeledReplicas", labeled);
    set_unless_zero(status, "readyReplicas", ready);
    set_unless_zero(status, "availableReplicas", available);
    jset_int(status, "observedGeneration", jint(s->doc, "metadata.generation", 0));
    set_failure(s, status, why);
    patch_status(s->c, s->r->type->kind, s->doc, status);
    if (next)
        controller_enqueue_after(s->c, s->ns, s->name, (next - now) / 1000 + 1);
}

/* --- reconcile --- */

/* Brings the number of pods closer to what is wanted. Returns why the last creation failed, or NULL. */
static char *adjust(struct set *s)
{
    struct burst *b = burst_of(s->r, s->ns, s->name, false);
    char *why = b ? TAKE(b->why) : NULL;
    int64_t diff = jint(s->doc, "spec.replicas", 1) - (int64_t)s->n;
    if (diff > 0) {
        b = burst_of(s->r, s->ns, s->name, true);
        *b = (struct burst){.left = diff < BURST_MAX ? (int)diff : BURST_MAX, .batch = 1};
        create_batch(s->c, s->ns, s->doc, b);
        return why;
    }
    forget_burst(s->r, s->ns, s->name);
    free(TAKE(why));
    if (diff < 0)
        delete_pods(s, (size_t)-diff);
    return NULL;
}

void replicas_reconcile(struct controller *c, const char *ns, const char *name)
{
    struct replicas *r = controller_state(c);
    struct object *o = informer_get(r->sets, ns, name);
    if (!o) {
        forget_burst(r, ns, name);
        return;
    }
    _cleanup_json_ json_t *doc = object_json(o);
    struct set s = {.c = c, .r = r, .doc = doc, .ns = ns, .name = name, .uid = o->uid};
    _cleanup_free_ char *why = NULL;
    claim_own(&s);
    if (!is_deleting(doc)) {
        claim_orphans(&s);
        why = adjust(&s);
    }
    update_status(&s, why);
    free(s.pods);
}
