/* HorizontalPodAutoscalers (upstream: pkg/controller/podautoscaler). Every 15 s each asks for the scale of its target
 * and for what the pods use; what that leads to is decided by the pure files hpametrics.h and hpapace.h. The two
 * questions go past the informers, to whatever serves them; the answers are kept until the round is decided. */
#include <string.h>

#include "api/selector.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "control/hpametrics.h"
#include "control/hpapace.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define ROUND_MS 15000

enum stage { AT_REST, SCALE_ASKED, SCALE_KNOWN, METRICS_ASKED, METRICS_KNOWN, RESCALE_ASKED, RESCALE_KNOWN };

struct autoscalers {
    struct controller *controller;
    struct informer *autoscalers, *pods;
    struct map rounds;  /* key -> struct round */
    struct list asking; /* questions without an answer */
};

/* One autoscaler's round, and its memory of those before. */
struct round {
    enum stage stage;
    int64_t next_ms; /* when it may begin */
    int code;        /* of the answer about the scale */
    json_t *scale;   /* or the Status */
    json_t *metrics; /* PodMetrics by name */
    /* What was decided, until the target has taken it or not. */
    json_t *status; /* of the autoscaler, as it shall be then */
    int64_t from, to;
    char *why, *refusal; /* refusal: NULL when it was taken */
    struct hpa_memory memory;
};

/* --- questions --- */

struct question {
    struct list link;        /* autoscalers->asking */
    struct autoscalers *all; /* NULL: the controller is gone */
    char *ns, *name;
};

static void round_free(void *p)
{
    struct round *r = p;
    json_decref(r->scale);
    json_decref(r->metrics);
    json_decref(r->status);
    free(r->why);
    free(r->refusal);
    hpa_memory_done(&r->memory);
    free(r);
}

static struct question *question_new(struct autoscalers *all, const json_t *doc)
{
    struct question *q = NEW(struct question);
    q->all = all;
    q->ns = xstrdup(jstr_or(doc, "metadata.namespace", ""));
    q->name = xstrdup(jstr_or(doc, "metadata.name", ""));
    list_append(&all->asking, &q->link);
    return q;
}

/* The round it belongs to, if that still wants an answer. */
static struct round *round_of(const struct question *q, enum stage expected)
{
    _cleanup_free_ char *key = make_object_key(q->ns, q->name);
    struct round *r = q->all ? map_get(&q->all->rounds, key) : NULL;
    return r && r->stage == expected ? r : NULL;
}

static void question_done(struct question *q)
{
    if (q->all)
        controller_enqueue(q->all->controller, q->ns, q->name);
    list_remove(&q->link);
    free(q->ns);
    free(q->name);
    free(q);
}

static void on_scale(void *arg, int code, const json_t *body)
{
    struct question *q = arg;
    struct round *r = round_of(q, SCALE_ASKED);
    if (r) {
        json_decref(r->scale);
        r->code = code;
        r->scale = json_deep_copy(body);
        r->stage = SCALE_KNOWN;
    }
    question_done(q);
}

static const struct kind *target_kind(const json_t *doc)
{
    const json_t *ref = jget(doc, "spec.scaleTargetRef");
    return kind_by_api_version(jstr_or(ref, "apiVersion", ""), jstr_or(ref, "kind", ""));
}

static char *scale_path(const json_t *doc)
{
    return kind_path(target_kind(doc), jstr(doc, "metadata.namespace"), jstr_or(doc, "spec.scaleTargetRef.name", ""),
                     "scale");
}

static void ask_scale(struct autoscalers *all, struct round *r, const json_t *doc)
{
    struct client *client = controller_client(all->controller);
    _cleanup_free_ char *path = scale_path(doc);
    r->stage = SCALE_ASKED;
    client->ops->request(client, "GET", path, NULL, NULL, on_scale, question_new(all, doc));
}

static void on_metrics(void *arg, int code, struct object *const *objs, size_t n, uint64_t rv)
{
    struct question *q = arg;
    struct round *r = round_of(q, METRICS_ASKED);
    (void)code, (void)rv; /* without an answer there are no metrics */
    if (r) {
        json_decref(r->metrics);
        r->metrics = json_object();
        for (size_t i = 0; i < n; i++)
            json_object_set_new(r->metrics, objs[i]->name, object_json(objs[i]));
        r->stage = METRICS_KNOWN;
    }
    question_done(q);
}

static void ask_metrics(struct autoscalers *all, struct round *r, const json_t *doc)
{
    struct client *client = controller_client(all->controller);
    _cleanup_free_ char *path = kind_path(&kind_podmetrics, jstr(doc, "metadata.namespace"), NULL, NULL);
    r->stage = METRICS_ASKED;
    client->ops->list(client, &kind_podmetrics, path, on_metrics, question_new(all, doc));
}

static void on_rescaled(void *arg, int code, const json_t *body)
{
    struct question *q = arg;
    struct round *r = round_of(q, RESCALE_ASKED);
    if (r) {
        r->refusal = code == 200 ? NULL : xstrdup(jstr_or(body, "message", "no answer"));
        r->stage = RESCALE_KNOWN;
    }
    question_done(q);
}

static void ask_rescale(struct autoscalers *all, struct round *r, const json_t *doc)
{
    struct client *client = controller_client(all->controller);
    _cleanup_json_ json_t *patch = json_pack("{s:{s:I}}", "spec", "replicas", (json_int_t)r->to);
    r->stage = RESCALE_ASKED;
    client_patch(client, target_kind(doc), jstr(doc, "metadata.namespace"),
                 jstr_or(doc, "spec.scaleTargetRef.name", ""), "scale", PATCH_MERGE, patch, on_rescaled,
                 question_new(all, doc));
}

/* --- the status --- */

struct outcome {
    struct controller *c;
    const json_t *doc;
    json_t *status; /* what it shall be */
};

static void set_condition(struct outcome *o, const char *type, bool value, const char *reason, const char *message)
{
    char now[TIME_TEXT_SIZE];
    json_t *list = jget(o->status, "conditions"), *old = jfind(list, "type", type);
    const char *text = value ? "True" : "False";
    if (!list)
        jset(o->status, "conditions", list = json_array());
    bool same = old && streq(jstr_or(old, "status", ""), text);
    if (!old)
        json_array_append_new(list, old = json_pack("{s:s}", "type", type));
    jset_str(old, "status", text);
    if (!same)
        jset_str(old, "lastTransitionTime", time_format(controller_now_usec(o->c), now));
    jset_str(old, "reason", reason);
    jset_str(old, "message", message);
}

static void fail(struct outcome *o, const char *condition, const char *reason, const char *prefix, const char *why)
{
    _cleanup_free_ char *message = xasprintf("%s: %s", prefix, why);
    set_condition(o, condition, false, reason, message);
    controller_event(o->c, o->doc, "Warning", reason, "%s", why);
}

/* --- the decision --- */

static json_t *pods_of(const struct autoscalers *all, const json_t *doc, const char *selector_text)
{
    struct err err;
    json_t *pods = json_array();
    struct selector *selector = *selector_text ? selector_parse(selector_text, &err) : NULL;
    void *cursor = NULL;
    for (struct object *o; selector && (o = informer_next(all->pods, jstr_or(doc, "metadata.namespace", ""), &cursor));)
        if (selector_matches(selector, o))
            json_array_append_new(pods, object_json(o));
    selector_free(selector);
    return pods;
}

/* How many pods the metrics ask for, in *ret with the reason; false: they cannot tell, and the status says so. */
static bool compute(struct autoscalers *all, const struct round *r, struct outcome *o, int64_t current, int64_t *ret,
                    struct hpa_verdict *v)
{
    const char *selector = jstr_or(r->scale, "status.selector", "");
    json_t *measured;
    if (!*selector) {
        set_condition(o, "ScalingActive", false, "InvalidSelector", "the HPA target's scale is missing a selector");
        controller_event(o->c, o->doc, "Warning", "SelectorRequired", "selector is required");
        return false;
    }
    _cleanup_json_ json_t *pods = pods_of(all, o->doc, selector);
    hpa_judge(jget(o->doc, "spec"), pods, r->metrics, current, controller_now_usec(o->c), v, &measured);
    jset(o->status, "currentMetrics", measured);
    *ret = v->replicas;
    if (!v->invalid || (*v->name && v->replicas >= current)) {
        _cleanup_free_ char *message =
            xasprintf("the HPA was able to successfully calculate a replica count from %s", v->name);
        set_condition(o, "ScalingActive", true, "ValidMetricFound", message);
        return true;
    }
    fail(o, "ScalingActive", v->failed, "the HPA was unable to compute the replica count", v->metric_err.msg);
    controller_event(o->c, o->doc, "Warning", "FailedComputeMetricsReplicas",
                     "invalid metrics (%zu invalid out of %zu), first error is: %s", v->invalid,
                     json_array_size(jget(o->doc, "spec.metrics")), v->first_err.msg);
    return false;
}

/* By the metrics, as fast as it may go; *ret_why says what moved it. */
static int64_t follow_metrics(struct autoscalers *all, struct round *r, struct outcome *o, int64_t current,
                              char **ret_why)
{
    struct hpa_verdict v;
    int64_t proposed;
    if (!compute(all, r, o, current, &proposed, &v))
        return current;
    struct hpa_pace pace = hpa_settle(&r->memory, jget(o->doc, "spec"), current, proposed, controller_mono_ms(o->c));
    set_condition(o, "AbleToScale", true, pace.able_reason, pace.able_message);
    set_condition(o, "ScalingLimited", pace.limited, pace.limit_reason, pace.limit_message);
    *ret_why = proposed > current ? xasprintf("%s above target", v.name) : xstrdup("All metrics below target");
    return pace.replicas;
}

static int64_t desired(struct autoscalers *all, struct round *r, struct outcome *o, int64_t current, char **ret_why)
{
    int64_t min = jint(o->doc, "spec.minReplicas", 1), max = jint(o->doc, "spec.maxReplicas", 1);
    if (current == 0 && min != 0) {
        set_condition(o, "ScalingActive", false, "ScalingDisabled",
                      "scaling is disabled since the replica count of the target is zero");
        return 0;
    }
    if (current > max) {
        *ret_why = xstrdup("Current number of replicas above Spec.MaxReplicas");
        return max;
    }
    if (current < min) {
        *ret_why = xstrdup("Current number of replicas below Spec.MinReplicas");
        return min;
    }
    return follow_metrics(all, r, o, current, ret_why);
}

static void report(struct outcome *o)
{
    patch_status(o->c, &kind_autoscaler, o->doc, o->status);
    json_decref(o->status);
}

static void decide(struct autoscalers *all, struct round *r, const json_t *doc)
{
    struct outcome o = {all->controller, doc, json_deep_copy(jget(doc, "status"))};
    o.status = o.status ? o.status : json_object();
    if (r->code != 200) {
        fail(&o, "AbleToScale", "FailedGetScale", "the HPA controller was unable to get the target's current scale",
             jstr_or(r->scale, "message", "no answer"));
        report(&o);
        return;
    }
    set_condition(&o, "AbleToScale", true, "SucceededGetScale",
                  "the HPA controller was able to get the target's current scale");
    free(TAKE(r->why));
    r->from = jint(r->scale, "spec.replicas", 0);
    r->to = desired(all, r, &o, r->from, &r->why);
    jset_int(o.status, "currentReplicas", r->from);
    if (r->to == r->from) {
        jset_int(o.status, "desiredReplicas", r->to);
        report(&o);
        return;
    }
    r->status = o.status;
    ask_rescale(all, r, doc);
}

static void conclude(struct autoscalers *all, struct round *r, const json_t *doc)
{
    struct outcome o = {all->controller, doc, TAKE(r->status)};
    _cleanup_free_ char *refusal = TAKE(r->refusal);
    _cleanup_free_ char *message =
        refusal ? xasprintf("the HPA controller was unable to update the target scale: %s", refusal)
                : xasprintf("the HPA controller was able to update the target scale to %lld", (long long)r->to);
    set_condition(&o, "AbleToScale", !refusal, refusal ? "FailedUpdateScale" : "SucceededRescale", message);
    if (refusal) {
        controller_event(o.c, doc, "Warning", "FailedRescale", "New size: %lld; reason: %s; error: %s",
                         (long long)r->to, r->why, refusal);
    } else {
        char now[TIME_TEXT_SIZE];
        controller_event(o.c, doc, "Normal", "SuccessfulRescale", "New size: %lld; reason: %s", (long long)r->to,
                         r->why);
        jset_str(o.status, "lastScaleTime", time_format(controller_now_usec(o.c), now));
        jset_int(o.status, "desiredReplicas", r->to);
        hpa_remember_change(&r->memory, r->from, r->to, controller_mono_ms(o.c));
    }
    report(&o);
}

/* --- rounds --- */

static struct round *round_for(struct autoscalers *all, const char *key)
{
    struct round *r = map_get(&all->rounds, key);
    if (!r)
        map_put(&all->rounds, key, r = NEW(struct round));
    return r;
}

static void begin(struct autoscalers *all, struct round *r, const json_t *doc)
{
    const json_t *ref = jget(doc, "spec.scaleTargetRef");
    const struct kind *k = target_kind(doc);
    r->next_ms = controller_mono_ms(all->controller) + ROUND_MS;
    if (k && k->scale) {
        ask_scale(all, r, doc);
        return;
    }
    json_decref(r->scale);
    r->code = 404;
    r->scale = json_pack("{s:o}", "message",
                         json_sprintf("no matches for kind \"%s\" in group \"%s\"", jstr_or(ref, "kind", ""),
                                      jstr_or(ref, "apiVersion", "")));
    decide(all, r, doc);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct autoscalers *all = controller_state(c);
    struct object *o = informer_get(all->autoscalers, ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (!o) {
        struct round *old = map_del(&all->rounds, key);
        if (old)
            round_free(old);
        return;
    }
    _cleanup_json_ json_t *doc = object_json(o);
    struct round *r = round_for(all, key);
    int64_t left = r->next_ms - controller_mono_ms(c);
    if (r->stage == SCALE_KNOWN && r->code == 200) {
        ask_metrics(all, r, doc);
    } else if (r->stage == SCALE_KNOWN || r->stage == METRICS_KNOWN) {
        r->stage = AT_REST;
        decide(all, r, doc);
        controller_enqueue_after(c, ns, name, left > 0 ? left : 0);
    } else if (r->stage == RESCALE_KNOWN) {
        r->stage = AT_REST;
        conclude(all, r, doc);
        controller_enqueue_after(c, ns, name, left > 0 ? left : 0);
    } else if (r->stage == AT_REST && left <= 0) {
        begin(all, r, doc);
        controller_enqueue_after(c, ns, name, ROUND_MS);
    } else if (r->stage == AT_REST) {
        controller_enqueue_after(c, ns, name, left);
    }
}

static void *start(struct controller *c)
{
    struct autoscalers *all = NEW(struct autoscalers);
    all->controller = c;
    all->autoscalers = controller_informer(c, &kind_autoscaler);
    all->pods = controller_informer(c, &kind_pod);
    list_init(&all->asking);
    return all;
}

static void stop(void *state)
{
    struct autoscalers *all = state;
    LIST_EACH(it, &all->asking) {
        struct question *q = container_of(it, struct question, link);
        list_remove(it);
        q->all = NULL;
    }
    map_done_with(&all->rounds, round_free);
    free(all);
}

static const struct controller_watch watches[] = {{&kind_autoscaler, NULL}, {NULL, NULL}};

const struct controller_def autoscaler_controller = {
    .name = "horizontal-pod-autoscaler",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
};
