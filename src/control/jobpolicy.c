/* See jobpolicy.h. Upstream: pkg/controller/job/pod_failure_policy.go, success_policy.go, backoff_utils.go. */
#include "control/jobpolicy.h"

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"

static bool among(const json_t *values, int64_t n)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (json_integer_value(json_array_get(values, i)) == n)
            return true;
    return false;
}

/* The container that makes the requirement true, or NULL. */
static const json_t *container_that_matches(const json_t *requirement, const json_t *pod)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    const char *only = jstr(requirement, "containerName");
    bool in = streq(jstr_or(requirement, "operator", ""), "In");
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        json_t *status;
        json_array_foreach(jget(pod, lists[l]), i, status) {
            int64_t code = jint(status, "state.terminated.exitCode", 0);
            if (code && (!only || streq(only, jstr_or(status, "name", ""))) &&
                among(jget(requirement, "values"), code) == in)
                return status;
        }
    }
    return NULL;
}

static const json_t *condition_that_matches(const json_t *patterns, const json_t *pod)
{
    size_t i;
    json_t *pattern;
    json_array_foreach(patterns, i, pattern) {
        const json_t *is = jfind(jget(pod, "status.conditions"), "type", jstr_or(pattern, "type", ""));
        if (is && streq(jstr_or(is, "status", ""), jstr_or(pattern, "status", "True")))
            return is;
    }
    return NULL;
}

static enum job_verdict action_of(const json_t *rule)
{
    const char *action = jstr_or(rule, "action", "");
    return streq(action, "Ignore")      ? VERDICT_IGNORE
           : streq(action, "FailIndex") ? VERDICT_FAIL_INDEX
           : streq(action, "FailJob")   ? VERDICT_FAIL_JOB
                                        : VERDICT_COUNT;
}

enum job_verdict job_verdict(const json_t *job, const json_t *pod, char **ret_why)
{
    size_t i;
    json_t *rule;
    const char *ns = jstr_or(pod, "metadata.namespace", ""), *name = jstr_or(pod, "metadata.name", "");
    *ret_why = NULL;
    json_array_foreach(jget(job, "spec.podFailurePolicy.rules"), i, rule) {
        const json_t *codes = jget(rule, "onExitCodes");
        const json_t *container = codes ? container_that_matches(codes, pod) : NULL;
        const json_t *condition = codes ? NULL : condition_that_matches(jget(rule, "onPodConditions"), pod);
        if (!container && !condition)
            continue;
        enum job_verdict verdict = action_of(rule);
        if (verdict == VERDICT_FAIL_JOB && container)
            *ret_why =
                xasprintf("Container %s for pod %s/%s failed with exit code %lld matching FailJob rule at index %zu",
                          jstr_or(container, "name", ""), ns, name,
                          (long long)jint(container, "state.terminated.exitCode", 0), i);
        else if (verdict == VERDICT_FAIL_JOB)
            *ret_why = xasprintf("Pod %s/%s has condition %s matching FailJob rule at index %zu", ns, name,
                                 jstr_or(condition, "type", ""), i);
        return verdict;
    }
    return VERDICT_COUNT;
}

int64_t job_index_failures(const json_t *pod)
{
    const char *text = json_string_value(json_object_get(jget(pod, "metadata.annotations"), JOB_INDEX_FAILURES));
    int64_t before = 0;
    if (text)
        str_to_i64(text, 0, INT32_MAX - 1, &before);
    return before + 1;
}

int job_success_rule(const json_t *job, const struct indexes *done)
{
    size_t i;
    json_t *rule;
    json_array_foreach(jget(job, "spec.successPolicy.rules"), i, rule) {
        const char *listed = jstr(rule, "succeededIndexes");
        struct indexes wanted;
        int64_t have = 0;
        indexes_init(&wanted, done->size, listed);
        for (size_t n = 0; n < done->size; n++)
            have += indexes_has(done, (int64_t)n) && (!listed || indexes_has(&wanted, (int64_t)n));
        int64_t needed = jint(rule, "succeededCount", listed ? indexes_count(&wanted) : (int64_t)done->size);
        indexes_done(&wanted);
        if (have >= needed && have > 0)
            return (int)i;
    }
    return -1;
}

bool job_replaces_failed_only(const json_t *job)
{
    return streq(jstr_or(job, "spec.podReplacementPolicy", ""), "Failed") || jget(job, "spec.podFailurePolicy");
}
