/* How a Job ends: conditions from its numbers and from what its policies say. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "control/jobwork.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

bool job_has(const struct job *j, const char *type)
{
    return streq(jstr_or(jfind(jget(j->status, "conditions"), "type", type), "status", ""), "True");
}

static void set_condition(struct job *j, const char *type, const char *value, const char *reason, const char *message)
{
    char now[TIME_TEXT_SIZE];
    json_t *list = jget(j->status, "conditions"), *old = jfind(list, "type", type);
    time_format(j->now, now);
    if (!list)
        jset(j->status, "conditions", list = json_array());
    json_t *fresh = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "type", type, "status", value, "lastProbeTime", now,
                              "lastTransitionTime", now, "reason", reason, "message", message);
    if (old)
        json_object_update(old, fresh);
    else
        json_array_append(list, fresh);
    json_decref(fresh);
}

bool job_is_finished(const json_t *job)
{
    static const char *const ends[] = {"Complete", "Failed"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (streq(jstr_or(condition_find(job, ends[i]), "status", ""), "True"))
            return true;
    return false;
}

static void target_failure(struct job *j, const char *reason, const char *message)
{
    set_condition(j, "FailureTarget", "True", reason, message);
}

static int64_t restarts_of(const json_t *pod)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses"};
    int64_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        size_t k;
        json_t *s;
        json_array_foreach(jget(pod, lists[i]), k, s)
            n += jint(s, "restartCount", 0);
    }
    return n;
}

/* Pods that are restarted in place never fail: their restarts count. */
static bool restarted_too_often(const struct job *j)
{
    int64_t limit = jint(j->doc, "spec.backoffLimit", 6), restarts = 0;
    if (!streq(jstr_or(j->doc, "spec.template.spec.restartPolicy", ""), "OnFailure"))
        return false;
    for (size_t i = 0; i < j->n; i++)
        if (j->pods[i].role == ROLE_ACTIVE)
            restarts += restarts_of(j->pods[i].doc);
    return limit ? restarts >= limit : restarts > 0;
}

static void succeed(struct job *j, const char *reason, const char *message)
{
    set_condition(j, "SuccessCriteriaMet", "True", reason, message);
}

void job_judge(struct job *j)
{
    int64_t lost = indexes_count(&j->lost);
    int rule = j->indexed ? job_success_rule(j->doc, &j->done) : -1;
    int64_t deadline = jint(j->doc, "spec.activeDeadlineSeconds", -1), start = jtime(j->status, "startTime");
    bool suspended = jbool(j->doc, "spec.suspend", false), counts = jget(j->doc, "spec.completions") != NULL;
    if (job_has(j, "FailureTarget") || job_has(j, "SuccessCriteriaMet"))
        return;
    if (rule >= 0) {
        _cleanup_free_ char *text = xasprintf("Matched rules at index %d", rule);
        succeed(j, "SuccessPolicy", text);
    } else if (j->verdict) {
        target_failure(j, "PodFailurePolicy", j->verdict);
    } else if (j->failed > jint(j->doc, "spec.backoffLimit", 6) || restarted_too_often(j)) {
        target_failure(j, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    } else if (deadline >= 0 && start && !suspended && j->now >= start + deadline * 1000000) {
        target_failure(j, "DeadlineExceeded", "Job was active longer than specified deadline");
    } else if (counts ? j->succeeded >= jint(j->doc, "spec.completions", 0) : j->succeeded && !j->active) {
        succeed(j, "CompletionsReached", "Reached expected number of succeeded pods");
    } else if (lost > jint(j->doc, "spec.maxFailedIndexes", INT32_MAX)) {
        target_failure(j, "MaxFailedIndexesExceeded",
                       "Job has exceeded the specified maximal number of failed indexes");
    } else if (lost && lost + j->succeeded >= jint(j->doc, "spec.completions", 0)) {
        target_failure(j, "FailedIndexes", "Job has failed indexes");
    } else if (deadline >= 0 && start && !suspended) {
        controller_enqueue_after(j->c, j->ns, j->name, (start + deadline * 1000000 - j->now) / 1000 + 1);
    }
}

void job_conclude(struct job *j)
{
    if (j->active || j->terminating || json_object_size(jget(j->status, "uncountedTerminatedPods")))
        return;
    char now[TIME_TEXT_SIZE];
    bool success = job_has(j, "SuccessCriteriaMet");
    const json_t *why = jfind(jget(j->status, "conditions"), "type", success ? "SuccessCriteriaMet" : "FailureTarget");
    _cleanup_free_ char *reason = xstrdup(jstr_or(why, "reason", "")), *text = xstrdup(jstr_or(why, "message", ""));
    if (success) {
        set_condition(j, "Complete", "True", reason, text);
        jset_str(j->status, "completionTime", time_format(j->now, now));
        controller_event(j->c, j->doc, "Normal", "Completed", "Job completed");
    } else if (job_has(j, "FailureTarget")) {
        set_condition(j, "Failed", "True", reason, text);
        controller_event(j->c, j->doc, "Warning", reason, "%s", text);
    }
}

void job_note_suspension(struct job *j)
{
    char now[TIME_TEXT_SIZE];
    bool suspend = jbool(j->doc, "spec.suspend", false), is = job_has(j, "Suspended");
    if (suspend && !is) {
        set_condition(j, "Suspended", "True", "JobSuspended", "Job suspended");
        jset_str(j->status, "startTime", NULL);
        controller_event(j->c, j->doc, "Normal", "Suspended", "Job suspended");
    } else if (!suspend && is) {
        set_condition(j, "Suspended", "False", "JobResumed", "Job resumed");
        controller_event(j->c, j->doc, "Normal", "Resumed", "Job resumed");
    }
    if (!suspend && !jget(j->status, "startTime"))
        jset_str(j->status, "startTime", time_format(j->now, now));
}

void job_expire(struct job *j)
{
    int64_t ttl = jint(j->doc, "spec.ttlSecondsAfterFinished", -1);
    const json_t *end = condition_find(j->doc, "Complete");
    int64_t due = jtime(end ? end : condition_find(j->doc, "Failed"), "lastTransitionTime") + ttl * 1000000;
    if (ttl < 0 || is_deleting(j->doc))
        return;
    if (due > j->now)
        controller_enqueue_after(j->c, j->ns, j->name, (due - j->now) / 1000 + 1);
    else
        delete_exactly(j->c, &kind_job, j->ns, j->name, jstr_or(j->doc, "metadata.uid", ""), "Foreground", -1);
}
