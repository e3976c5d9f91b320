/* DaemonSets: one pod on every node that fits. Pods are meant for their node by node affinity and bound by the
 * scheduler, so that its limits hold for them too (upstream: pkg/controller/daemon). */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/daemonplan.h"
#include "control/family.h"
#include "control/ledger.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/rollout.h"
#include "json/json.h"
#include "kinds/kind.h"

/* Pods created or deleted in one go, as upstream: keeps one large set from starving the others. */
#define BURST_MAX 250
/* Failed pods of one node are replaced at once, then after this, doubling. */
#define RETRY_MIN_MS 1000
#define RETRY_MAX_MS (15 * 60 * 1000)

struct retry {
    int64_t delay_ms, until_ms;
};

struct daemons {
    struct family family;
    struct ledger_store ledger;
    struct informer *nodes;
    struct map node_facts; /* name -> hash of what decides about pods */
    struct map failing;    /* "ns/name" of sets whose last creation failed */
    struct map retries;    /* "ns/name/node" -> struct retry */
};

/* One set as it is being reconciled. */
struct daemon {
    struct controller *c;
    struct daemons *ds;
    const json_t *doc;
    const char *ns, *name;
    struct daemon_plan plan;
    json_t *spec; /* of the pods, with the tolerations that all daemons have */
};

/* --- what there is --- */

static void add_pods(struct daemon *d)
{
    size_t n;
    int64_t min_ready = jint(d->doc, "spec.minReadySeconds", 0), now = controller_now_usec(d->c);
    _cleanup_free_ struct member *pods = family_claim(&d->ds->family, d->c, d->doc, NULL, &n);
    for (size_t i = 0; i < n; i++) {
        const struct pod_state *p = pods[i].state;
        const char *hash = member_label(&pods[i], REVISION_HASH_LABEL);
        struct daemon_pod pod = {.object = pods[i].pod, .state = p, .available = pod_available(p, min_ready, now)};
        pod.is_new = hash && d->plan.hash && streq(hash, d->plan.hash);
        _cleanup_json_ json_t *doc = *pod_node(p) ? NULL : object_json(pods[i].pod);
        daemon_plan_add_pod(&d->plan, &pod, doc ? daemon_target(doc) : pod_node(p));
        int64_t due = p->ready_usec + min_ready * 1000000;
        if (p->ready && !pod.available && due > now)
            controller_enqueue_after(d->c, d->ns, d->name, (due - now) / 1000 + 1);
    }
}

static void add_nodes(struct daemon *d)
{
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(d->ds->nodes, NULL, &cursor));) {
        _cleanup_json_ json_t *node = object_json(o);
        daemon_plan_add_node(&d->plan, o->name, daemon_fits(d->spec, node));
    }
}

/* --- writing --- */

static void create_pod(struct daemon *d, const char *node)
{
    _cleanup_json_ json_t *pod = pod_from_template(d->doc, jget(d->doc, "spec.template"));
    _cleanup_free_ char *prefix = xasprintf("%s-", d->name);
    jset_str(pod, "metadata.generateName", prefix);
    jset(pod, "spec", json_deep_copy(d->spec));
    daemon_aim(pod, node);
    jset_str(pod, "metadata.labels." REVISION_HASH_LABEL, d->plan.hash);
    controller_create(d->c, &kind_pod, d->ns, pod);
}

/* A pod that has ended on its node goes, so that another one can come: not in an endless hurry. */
static bool may_replace(struct daemon *d, const struct daemon_pod *pod)
{
    _cleanup_free_ char *key = xasprintf("%s/%s/%s", d->ns, d->name, pod->node);
    struct retry *r = map_get(&d->ds->retries, key);
    int64_t now = controller_mono_ms(d->c);
    if (r && now < r->until_ms) {
        controller_enqueue_after(d->c, d->ns, d->name, r->until_ms - now);
        return false;
    }
    if (!r) {
        r = NEW(struct retry);
        map_put(&d->ds->retries, key, r);
    }
    bool calm = now > r->until_ms + 2 * RETRY_MAX_MS;
    r->delay_ms = calm || !r->delay_ms ? RETRY_MIN_MS : 2 * r->delay_ms;
    r->delay_ms = r->delay_ms < RETRY_MAX_MS ? r->delay_ms : RETRY_MAX_MS;
    r->until_ms = now + r->delay_ms;
    return true;
}

static void delete_pod(struct daemon *d, struct daemon_pod *pod)
{
    bool failed = pod->state->phase == POD_FAILED;
    if (pod_finished(pod->state) && pod->why == DOOM_FINISHED) {
        if (failed && !may_replace(d, pod))
            return;
        controller_event(d->c, d->doc, failed ? "Warning" : "Normal", failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                         "Found %s daemon pod %s/%s on node %s, will try to %s it", failed ? "failed" : "succeeded",
                         d->ns, pod->object->name, pod->node, failed ? "kill" : "delete");
    }
    family_delete_pod(d->c, pod->object);
}

static void carry_out(struct daemon *d)
{
    _cleanup_free_ char *key = make_object_key(d->ns, d->name);
    size_t creations = 0, deletions = 0, most = map_get(&d->ds->failing, key) ? 1 : BURST_MAX;
    for (size_t i = 0; i < d->plan.n_nodes && creations < most; i++)
        if (d->plan.nodes[i].create) {
            create_pod(d, d->plan.nodes[i].name);
            creations++;
        }
    for (size_t i = 0; i < d->plan.n_pods && deletions < BURST_MAX; i++)
        if (d->plan.pods[i].why) {
            delete_pod(d, &d->plan.pods[i]);
            deletions++;
        }
}

static void write_status(struct daemon *d, json_t *status)
{
    struct daemon_counts n = daemon_plan_counts(&d->plan);
    const struct {
        const char *member;
        int64_t n;
        bool always;
    } counts[] = {
        {"desiredNumberScheduled", n.desired, true},           {"currentNumberScheduled", n.current, true},
        {"numberMisscheduled", n.misscheduled, true},          {"numberReady", n.ready, true},
        {"updatedNumberScheduled", n.updated, false},          {"numberAvailable", n.available, false},
        {"numberUnavailable", n.desired - n.available, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        jset(status, counts[i].member, counts[i].n || counts[i].always ? json_integer(counts[i].n) : NULL);
    jset_int(status, "observedGeneration", jint(d->doc, "metadata.generation", 0));
    patch_status(d->c, &kind_daemonset, d->doc, status);
}

static bool has_pods(void *arg, const json_t *revision)
{
    const struct daemon *d = arg;
    for (size_t i = 0; i < d->plan.n_pods; i++) {
        const char *hash = jstr(json_object_get(d->plan.pods[i].state->facts, "labels"), REVISION_HASH_LABEL);
        if (hash && streq(hash, ledger_hash(revision)))
            return true;
    }
    return false;
}

static void read_strategy(struct daemon *d)
{
    int64_t desired = daemon_plan_counts(&d->plan).desired;
    const json_t *rolling = jget(d->doc, "spec.updateStrategy.rollingUpdate");
    d->plan.rolling = streq(jstr_or(d->doc, "spec.updateStrategy.type", "RollingUpdate"), "RollingUpdate");
    d->plan.max_surge = int_or_percent(jget(rolling, "maxSurge"), desired, true);
    d->plan.max_unavailable =
        jget(rolling, "maxUnavailable") ? int_or_percent(jget(rolling, "maxUnavailable"), desired, true) : 1;
}

static void work(struct daemon *d, json_t *status)
{
    struct ledger ledger = {0};
    if (!is_deleting(d->doc)) {
        ledger_sync(&ledger, &d->ds->ledger, d->c, d->doc, status);
        d->plan.hash = ledger.update ? ledger_hash(ledger.update) : NULL;
    }
    add_pods(d);
    add_nodes(d);
    daemon_plan_sort(&d->plan);
    if (d->plan.hash) {
        read_strategy(d);
        daemon_plan_make(&d->plan);
        carry_out(d);
        ledger_trim(&ledger, d->c, d->doc, has_pods, d);
    }
    if (d->plan.hash || is_deleting(d->doc) || jint(status, "collisionCount", 0))
        write_status(d, status);
    ledger_done(&ledger);
}

static void free_retries_of(struct daemons *ds, const char *ns, const char *name)
{
    _cleanup_free_ char *prefix = xasprintf("%s/%s/", ns, name);
    for (struct map_entry *e = NULL; (e = map_next(&ds->retries, e));)
        if (str_after(e->key, prefix))
            free(map_del(&ds->retries, e->key));
}

static void forget(struct daemons *ds, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_object_key(ns, name);
    map_del(&ds->failing, key);
    free_retries_of(ds, ns, name);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct daemons *ds = controller_state(c);
    struct object *o = informer_get(ds->family.owners, ns, name);
    if (!o) {
        forget(ds, ns, name);
        return;
    }
    _cleanup_json_ json_t *doc = object_json(o);
    const json_t *selector = jget(doc, "spec.selector"), *old = jget(doc, "status");
    if (!json_object_size(jget(selector, "matchLabels")) && !json_array_size(jget(selector, "matchExpressions"))) {
        controller_event(c, doc, "Warning", "SelectingAll",
                         "This daemon set is selecting all pods. A non-empty selector is required.");
        return;
    }
    _cleanup_json_ json_t *spec = daemon_pod_spec(jget(doc, "spec.template.spec"));
    _cleanup_json_ json_t *status = old ? json_deep_copy(old) : json_object();
    struct daemon d = {.c = c, .ds = ds, .doc = doc, .ns = ns, .name = name, .spec = spec};
    work(&d, status);
    daemon_plan_done(&d.plan);
}

/* --- who is concerned --- */

static void map_pod(struct controller *c, struct object *pod)
{
    struct daemons *ds = controller_state(c);
    family_map_pod(&ds->family, c, pod);
}

static void map_revision(struct controller *c, struct object *revision)
{
    ledger_map(c, revision, &kind_daemonset);
}

/* A node that only reports that it is alive concerns nobody. */
static void map_node(struct controller *c, struct object *node)
{
    struct daemons *ds = controller_state(c);
    struct object *now = informer_get(ds->nodes, "", node->name);
    uintptr_t hash = 0;
    if (now) {
        _cleanup_json_ json_t *doc = object_json(now);
        _cleanup_json_ json_t *facts = daemon_node_facts(doc);
        _cleanup_free_ char *text = jprint_sorted(facts);
        hash = (uintptr_t)hash_bytes(text, strlen(text)) | 1;
    }
    if ((uintptr_t)map_get(&ds->node_facts, node->name) == hash)
        return;
    if (hash)
        map_put(&ds->node_facts, node->name, (void *)hash);
    else
        map_del(&ds->node_facts, node->name);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(ds->family.owners, NULL, &cursor));)
        controller_enqueue(c, o->ns, o->name);
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    struct daemons *ds = controller_state(c);
    family_answered(&ds->family, c, ns, name, call, code, body);
    if (call->kind != &kind_pod || !streq(call->method, "POST"))
        return;
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (code >= 200 && code < 300)
        map_del(&ds->failing, key);
    else
        map_put(&ds->failing, key, ds);
}

static void *start(struct controller *c)
{
    struct daemons *ds = NEW(struct daemons);
    family_start(&ds->family, c, &kind_daemonset);
    ledger_start(&ds->ledger, c);
    ds->nodes = controller_informer(c, &kind_node);
    return ds;
}

static void stop(void *state)
{
    struct daemons *ds = state;
    map_done(&ds->node_facts);
    map_done(&ds->failing);
    map_done_with(&ds->retries, free);
    free(ds);
}

static const struct controller_watch watches[] = {{&kind_daemonset, NULL},
                                                  {&kind_pod, map_pod},
                                                  {&kind_node, map_node},
                                                  {&kind_controllerrevision, map_revision},
                                                  {NULL, NULL}};

const struct controller_def daemonset_controller = {
    .name = "daemonset-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
    .answered = answered,
};
