/* POST pods/NAME/eviction: a deletion that a PodDisruptionBudget may refuse. What is granted is taken from the budget
 * before the pod is deleted, so that evictions at the same time cannot share one permission. Rules:
 * pkg/registry/core/pod/storage/eviction.go. */
#include "base/clock.h"
#include "base/str.h"
#include "kinds/budget.h"
#include "kinds/labels.h"
#include "server/delete.h"

/* Upstream's limit: so many evictions wait for the controller at most. */
#define DISRUPTED_MAX 2000
#define VIOLATES "Cannot evict pod as it would violate the pod's disruption budget."
/* The controller has not seen the budget's last change; by then it will have. */
#define RETRY_SECONDS 10

/* --- which budget --- */

struct search {
    const json_t *pod;
    struct object *found; /* borrowed */
    size_t n;
};

static bool consider(void *arg, struct object *o)
{
    struct search *s = arg;
    _cleanup_json_ json_t *budget = object_json(o);
    if (label_selector_matches(jget(budget, "spec.selector"), jget(s->pod, "metadata.labels"))) {
        s->found = o;
        s->n++;
    }
    return true;
}

/* The budget as it is with the writes under way; NULL: none. New reference. */
static json_t *find_budget(const struct request *r, const json_t *pod, json_t **ret_status)
{
    struct search s = {.pod = pod};
    store_each(r->server->store, &kind_poddisruptionbudget, r->what.ns, NULL, NULL, consider, &s);
    if (s.n > 1) {
        *ret_status = json_pack("{s:s, s:s, s:{}, s:s, s:s, s:i}", "kind", "Status", "apiVersion", "v1", "metadata",
                                "status", "Failure", "message",
                                "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
                                "not support.",
                                "code", 500);
        return NULL;
    }
    const struct object *latest =
        s.found ? store_latest(r->server->store, s.found->kind, s.found->ns, s.found->name) : NULL;
    return latest ? object_json(latest) : NULL;
}

/* --- whether it allows it --- */

/* Pods that do not run, or end already, disrupt nothing by going. */
static bool needs_no_budget(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return streq(phase, "Succeeded") || streq(phase, "Failed") || streq(phase, "Pending") ||
           jget(pod, "metadata.deletionTimestamp");
}

/* A pod that is not ready may go if the policy says so, or if enough others are. */
static bool may_go_unready(const json_t *pod, const json_t *budget)
{
    const json_t *ready = jfind(jget(pod, "status.conditions"), "type", "Ready");
    int64_t desired = jint(budget, "status.desiredHealthy", 0);
    if (streq(jstr_or(ready, "status", ""), "True"))
        return false;
    return streq(jstr_or(budget, "spec.unhealthyPodEvictionPolicy", ""), "AlwaysAllow") ||
           (desired > 0 && jint(budget, "status.currentHealthy", 0) >= desired);
}

static json_t *violation(int64_t retry_seconds, char *why_take)
{
    json_t *status = status_new(STATUS_TOO_MANY_REQUESTS, VIOLATES);
    jset(status, "details.causes", json_pack("[{s:s, s:s}]", "reason", "DisruptionBudget", "message", why_take));
    if (retry_seconds)
        jset_int(status, "details.retryAfterSeconds", retry_seconds);
    free(why_take);
    return status;
}

static json_t *refusal(const json_t *budget)
{
    const json_t *condition = jfind(jget(budget, "status.conditions"), "type", "DisruptionAllowed");
    const char *name = jstr_or(budget, "metadata.name", "");
    if (streq(jstr_or(condition, "reason", ""), "SyncFailed"))
        return violation(0, xasprintf("The disruption budget %s does not allow evicting pods currently because it "
                                      "failed sync: %s",
                                      name, jstr_or(condition, "message", "")));
    return violation(0, xasprintf("The disruption budget %s needs %lld healthy pods and has %lld currently", name,
                                  (long long)jint(budget, "status.desiredHealthy", 0),
                                  (long long)jint(budget, "status.currentHealthy", 0)));
}

static json_t *check_budget(const json_t *budget)
{
    const char *name = jstr_or(budget, "metadata.name", "");
    if (jint(budget, "status.observedGeneration", 0) < jint(budget, "metadata.generation", 0))
        return violation(RETRY_SECONDS,
                         xasprintf("The disruption budget %s is still being processed by the server.", name));
    if (json_object_size(jget(budget, "status.disruptedPods")) > DISRUPTED_MAX)
        return status_for(STATUS_FORBIDDEN, "policy", "poddisruptionbudget", name,
                          "poddisruptionbudget.policy \"%s\" is forbidden: DisruptedPods map too big - too many "
                          "evictions not confirmed by PDB controller",
                          name);
    return jint(budget, "status.disruptionsAllowed", 0) > 0 ? NULL : refusal(budget);
}

/* --- doing it --- */

static void reply_evicted(struct request *r, struct object *obj)
{
    (void)obj;
    request_reply_document(r, 201,
                           json_pack("{s:s, s:s, s:{}, s:s, s:i}", "kind", "Status", "apiVersion", "v1", "metadata",
                                     "status", "Success", "code", 201));
}

static void evict(struct request *r)
{
    char now[TIME_TEXT_SIZE];
    struct delete_options o = {0};
    json_t *status = delete_options_read(r, jget(r->body, "deleteOptions"), &o);
    _cleanup_json_ json_t *condition = json_pack(
        "{s:s, s:s, s:s, s:s, s:s}", "type", "DisruptionTarget", "status", "True", "reason", "EvictionByEvictionAPI",
        "message", "Eviction API: evicting", "lastTransitionTime", time_format(clock_wall_usec(), now));
    if (status)
        request_reply_status(r, status);
    else
        delete_object(r, &o, condition, reply_evicted);
    delete_options_done(&o);
}

static void on_granted(void *arg, struct object *obj, bool deleted, const struct err *err)
{
    struct request *r = arg;
    (void)obj, (void)deleted;
    if (err)
        request_reply_status(r, status_new(STATUS_INTERNAL, "Internal error occurred: %s", err->msg));
    else
        evict(r);
}

/* Writes the budget with one permission less; goes on when that is durable. */
static void take_permission(struct request *r, json_t *budget)
{
    char now[TIME_TEXT_SIZE];
    struct alloc_change change = {0};
    time_format(clock_wall_usec(), now);
    json_t *status = jget(budget, "status"), *disrupted = jget(status, "disruptedPods");
    jset_int(status, "disruptionsAllowed", jint(status, "disruptionsAllowed", 0) - 1);
    budget_set_condition(status, NULL, now);
    if (!disrupted)
        jset(status, "disruptedPods", disrupted = json_object());
    json_object_set_new(disrupted, r->what.name, json_string(now));
    json_t *failure = submit(r->server, &kind_poddisruptionbudget, budget, false, &change, on_granted, r);
    if (failure)
        request_reply_status(r, failure);
}

/* Whether nothing has to be asked or done: eviction is deletion. */
static bool is_dry(const struct request *r)
{
    return r->dry_run || json_array_size(jget(r->body, "deleteOptions.dryRun"));
}

void handle_evict(struct request *r)
{
    if (!streq(jstr_or(r->body, "metadata.name", r->what.name), r->what.name)) {
        request_reply_status(r, status_new(STATUS_BAD_REQUEST, "name in URL does not match name in Eviction object"));
        return;
    }
    struct object *old = request_latest(r);
    if (!old)
        return;
    json_t *status = NULL;
    _cleanup_json_ json_t *pod = object_json(old);
    _cleanup_json_ json_t *budget = needs_no_budget(pod) ? NULL : find_budget(r, pod, &status);
    bool asks = budget && !may_go_unready(pod, budget);
    if (asks)
        status = check_budget(budget);
    if (status)
        request_reply_status(r, status);
    else if (asks && !is_dry(r))
        take_permission(r, budget);
    else
        evict(r);
}
