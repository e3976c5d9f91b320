/* See deployment_status.h. */
#include "control/deployment_status.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "control/meta.h"
#include "json/json.h"

/* Upstream's word for "none": a deadline of MaxInt32 is no deadline. */
#define NO_DEADLINE INT32_MAX

static json_t *find(const json_t *status, const char *type)
{
    return jfind(jget(status, "conditions"), "type", type);
}

void deployment_condition_remove(json_t *status, const char *type)
{
    json_t *list = jget(status, "conditions"), *item;
    size_t i;
    json_array_foreach(list, i, item) {
        if (!streq(jstr_or(item, "type", ""), type))
            continue;
        json_array_remove(list, i);
        break;
    }
    if (!json_array_size(list))
        jset(status, "conditions", NULL);
}

static void put_condition(json_t *status, const char *type, const char *value, const char *reason, const char *message,
                          int64_t now_usec, bool keep_transition)
{
    char now[TIME_TEXT_SIZE], since[TIME_TEXT_SIZE];
    time_format(now_usec, now);
    const json_t *old = find(status, type);
    snprintf(since, sizeof(since), "%s", keep_transition ? jstr_or(old, "lastTransitionTime", now) : now);
    deployment_condition_remove(status, type);
    if (!jget(status, "conditions"))
        jset(status, "conditions", json_array());
    json_array_append_new(jget(status, "conditions"),
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status", value, "lastUpdateTime",
                                    now, "lastTransitionTime", since, "reason", reason, "message", message));
}

void deployment_condition(json_t *status, const char *type, const char *value, const char *reason, const char *message,
                          int64_t now_usec)
{
    const json_t *old = find(status, type);
    bool same_value = old && streq(jstr_or(old, "status", ""), value);
    if (same_value && streq(jstr_or(old, "reason", ""), reason))
        return;
    put_condition(status, type, value, reason, message, now_usec, same_value);
}

static bool has_deadline(const json_t *d)
{
    int64_t seconds = jint(d, "spec.progressDeadlineSeconds", NO_DEADLINE);
    return seconds != NO_DEADLINE;
}

static bool has_reason(const json_t *condition, const char *reason)
{
    return condition && streq(jstr_or(condition, "reason", ""), reason);
}

void deployment_note_pause(const json_t *d, json_t *status, int64_t now_usec)
{
    const json_t *progressing = find(status, "Progressing");
    if (!has_deadline(d) || has_reason(progressing, "ProgressDeadlineExceeded"))
        return;
    bool paused = jbool(d, "spec.paused", false), noted = has_reason(progressing, "DeploymentPaused");
    if (paused && !noted)
        deployment_condition(status, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now_usec);
    else if (!paused && noted)
        deployment_condition(status, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now_usec);
}

static void set_count(json_t *status, const char *key, int64_t n)
{
    jset(status, key, n ? json_integer(n) : NULL);
}

void deployment_count(const json_t *d, const struct rollout *r, json_t *status, int64_t now_usec)
{
    const struct rollout_set *new_set = rollout_new_set(r);
    int64_t available = rollout_sum(r, SUM_AVAILABLE), unavailable = rollout_sum(r, SUM_SPEC) - available;
    jset_int(status, "observedGeneration", jint(d, "metadata.generation", 0));
    set_count(status, "replicas", rollout_sum(r, SUM_ACTUAL));
    set_count(status, "updatedReplicas", new_set ? new_set->actual : 0);
    set_count(status, "readyReplicas", rollout_sum(r, SUM_READY));
    set_count(status, "availableReplicas", available);
    set_count(status, "unavailableReplicas", unavailable > 0 ? unavailable : 0);
    if (available >= r->replicas - r->max_unavailable)
        deployment_condition(status, "Available", "True", "MinimumReplicasAvailable",
                             "Deployment has minimum availability.", now_usec);
    else
        deployment_condition(status, "Available", "False", "MinimumReplicasUnavailable",
                             "Deployment does not have minimum availability.", now_usec);
}

bool deployment_complete(const json_t *d, const json_t *status)
{
    int64_t wanted = jint(d, "spec.replicas", 1);
    return jint(status, "updatedReplicas", 0) == wanted && jint(status, "replicas", 0) == wanted &&
           jint(status, "availableReplicas", 0) == wanted &&
           jint(status, "observedGeneration", 0) >= jint(d, "metadata.generation", 0);
}

static int64_t old_replicas(const json_t *status)
{
    return jint(status, "replicas", 0) - jint(status, "updatedReplicas", 0);
}

static bool has_moved(const json_t *before, const json_t *status)
{
    static const char *const rising[] = {"updatedReplicas", "readyReplicas", "availableReplicas"};
    for (size_t i = 0; i < ARRAY_LEN(rising); i++)
        if (jint(status, rising[i], 0) > jint(before, rising[i], 0))
            return true;
    return old_replicas(status) < old_replicas(before);
}

static int64_t deadline_usec(const json_t *d, const json_t *progressing)
{
    return jtime(progressing, "lastUpdateTime") + jint(d, "spec.progressDeadlineSeconds", NO_DEADLINE) * 1000000;
}

static bool timed_out(const json_t *d, const json_t *progressing, int64_t now_usec)
{
    if (!progressing || has_reason(progressing, "NewReplicaSetAvailable"))
        return false;
    return has_reason(progressing, "ProgressDeadlineExceeded") || deadline_usec(d, progressing) < now_usec;
}

void deployment_progress(const json_t *d, const struct rollout *r, json_t *status, int64_t now_usec)
{
    if (!has_deadline(d)) {
        deployment_condition_remove(status, "Progressing");
        return;
    }
    const json_t *now_known = find(status, "Progressing");
    bool was_complete = has_reason(now_known, "NewReplicaSetAvailable");
    if (was_complete && jint(status, "replicas", 0) == jint(status, "updatedReplicas", 0))
        return;
    const struct rollout_set *new_set = rollout_new_set(r);
    _cleanup_free_ char *who = xasprintf("%s \"%s\"", new_set ? "ReplicaSet" : "Deployment",
                                         new_set ? new_set->name : jstr_or(d, "metadata.name", ""));
    char message[400];
    if (deployment_complete(d, status)) {
        snprintf(message, sizeof(message), "%s has successfully progressed.", who);
        deployment_condition(status, "Progressing", "True", "NewReplicaSetAvailable", message, now_usec);
    } else if (has_moved(jget(d, "status"), status)) {
        snprintf(message, sizeof(message), "%s is progressing.", who);
        put_condition(status, "Progressing", "True", "ReplicaSetUpdated", message, now_usec,
                      now_known && streq(jstr_or(now_known, "status", ""), "True"));
    } else if (timed_out(d, now_known, now_usec)) {
        snprintf(message, sizeof(message), "%s has timed out progressing.", who);
        deployment_condition(status, "Progressing", "False", "ProgressDeadlineExceeded", message, now_usec);
    }
}

int64_t deployment_check_after_ms(const json_t *d, const json_t *status, int64_t now_usec)
{
    const json_t *progressing = find(status, "Progressing");
    if (!has_deadline(d) || !progressing || deployment_complete(d, status) ||
        has_reason(progressing, "ProgressDeadlineExceeded") || has_reason(progressing, "NewReplicaSetAvailable"))
        return -1;
    int64_t left = deadline_usec(d, progressing) - now_usec;
    return left > 0 ? left / 1000 + 1000 : 1;
}
