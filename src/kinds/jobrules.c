/* What Jobs must hold to. Rules: pkg/apis/batch/validation/validation.go. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/jobspec.h"
#include "kinds/labels.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

/* Upstream: maxParallelismForIndexedJob, completionsSoftLimit. */
#define INDEXED_MAX 100000

/* --- podFailurePolicy --- */

static bool has_container(const json_t *spec, const char *name)
{
    return jfind(jget(spec, "template.spec.containers"), "name", name) ||
           jfind(jget(spec, "template.spec.initContainers"), "name", name);
}

static void check_exit_codes(struct status_causes *c, const json_t *spec, const json_t *codes, const char *at)
{
    const json_t *values = jget(codes, "values"), *value;
    const char *container = jstr(codes, "containerName");
    bool in = streq(jstr_or(codes, "operator", ""), "In"), ordered = true;
    json_int_t last = INT32_MIN;
    size_t i;
    if (container && !has_container(spec, container))
        rule_broken_text(c, CAUSE_INVALID, container,
                         "must be one of the container or initContainer names in the pod template", "%s.containerName",
                         at);
    if (!json_array_size(values))
        rule_broken(c, CAUSE_INVALID, values ?: json_null(), "at least one value is required", "%s.values", at);
    json_array_foreach(values, i, value) {
        if (in && json_integer_value(value) == 0)
            rule_broken(c, CAUSE_INVALID, value, "must not be 0 for the In operator", "%s.values[%zu]", at, i);
        ordered &= json_integer_value(value) >= last;
        last = json_integer_value(value);
    }
    if (!ordered)
        rule_broken(c, CAUSE_INVALID, values, "must be ordered", "%s.values", at);
}

static void check_failure_policy(struct status_causes *c, const json_t *spec, const char *path)
{
    size_t i;
    json_t *rule;
    json_array_foreach(jget(spec, "podFailurePolicy.rules"), i, rule) {
        char at[RULE_PATH_SIZE], codes_at[RULE_PATH_SIZE];
        const json_t *codes = jget(rule, "onExitCodes");
        bool conditions = json_array_size(jget(rule, "onPodConditions"));
        snprintf(at, sizeof(at), "%.200s.podFailurePolicy.rules[%zu]", path, i);
        snprintf(codes_at, sizeof(codes_at), "%.300s.onExitCodes", at);
        if (streq(jstr_or(rule, "action", ""), "FailIndex") && !jget(spec, "backoffLimitPerIndex"))
            rule_broken_text(c, CAUSE_INVALID, "FailIndex", "requires the backoffLimitPerIndex to be set", "%s.action",
                             at);
        if (codes)
            check_exit_codes(c, spec, codes, codes_at);
        if (codes && conditions)
            rule_broken(c, CAUSE_INVALID, NULL, "specifying both OnExitCodes and OnPodConditions is not supported",
                        "%s", at);
        if (!codes && !conditions)
            rule_broken(c, CAUSE_INVALID, NULL, "specifying one of OnExitCodes and OnPodConditions is required", "%s",
                        at);
    }
    const char *policy = jstr_or(spec, "podReplacementPolicy", "");
    bool all = !jget(spec, "podFailurePolicy");
    if (*policy && !streq(policy, "Failed") && !(all && streq(policy, "TerminatingOrFailed")))
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, policy,
                         all ? "supported values: \"Failed\", \"TerminatingOrFailed\"" : "supported values: \"Failed\"",
                         "%s.podReplacementPolicy", path);
}

/* --- successPolicy and Indexed Jobs --- */

/* "0,3-5": how many they are; -1 and a message when that is no list of indexes below completions. */
static int64_t count_indexes(const char *text, int64_t completions, char why[CHECK_SCRATCH_SIZE])
{
    _cleanup_free_ char **ranges = str_split(text, ',', NULL);
    int64_t last = -1, n = 0;
    for (char **r = ranges; *r; r++) {
        int64_t first, end;
        _cleanup_free_ char **ends = str_split(*r, '-', NULL);
        const char *to = ends[1] ? ends[1] : ends[0];
        if ((ends[1] && ends[2]) || !str_to_i64(ends[0], 0, INT32_MAX, &first) || !str_to_i64(to, 0, INT32_MAX, &end)) {
            snprintf(why, CHECK_SCRATCH_SIZE,
                     "error parsing succeededIndexes: cannot convert string to integer for index: \"%.100s\"", *r);
            return -1;
        }
        if (end >= completions || first > end || first <= last) {
            snprintf(why, CHECK_SCRATCH_SIZE, "error parsing succeededIndexes: %s: \"%.100s\"",
                     end >= completions ? "too large index" : "non-increasing order", *r);
            return -1;
        }
        n += end - first + 1;
        last = end;
    }
    return n;
}

static void check_success_rule(struct status_causes *c, const json_t *rule, int64_t completions, const char *at)
{
    const char *indexes = jstr(rule, "succeededIndexes");
    const json_t *count = jget(rule, "succeededCount");
    char why[CHECK_SCRATCH_SIZE];
    int64_t n = indexes ? count_indexes(indexes, completions, why) : -1;
    if (!indexes && !count)
        rule_broken(c, CAUSE_REQUIRED, NULL, "at least one of succeededCount or succeededIndexes must be specified",
                    "%s", at);
    if (indexes && n < 0)
        rule_broken_text(c, CAUSE_INVALID, indexes, why, "%s.succeededIndexes", at);
    if (count && json_integer_value(count) > completions) {
        snprintf(why, sizeof(why), "must be less than or equal to %lld (the number of specified completions)",
                 (long long)completions);
        rule_broken(c, CAUSE_INVALID, count, why, "%s.succeededCount", at);
    }
    if (count && n >= 0 && json_integer_value(count) > n) {
        snprintf(why, sizeof(why),
                 "must be less than or equal to %lld (the number of indexes in the specified succeededIndexes field)",
                 (long long)n);
        rule_broken(c, CAUSE_INVALID, count, why, "%s.succeededCount", at);
    }
}

static void check_success_policy(struct status_causes *c, const json_t *spec, const char *path)
{
    const json_t *policy = jget(spec, "successPolicy"), *rule;
    size_t i;
    if (policy && !json_array_size(jget(policy, "rules")))
        rule_broken(c, CAUSE_REQUIRED, NULL, "at least one rules must be specified when the successPolicy is specified",
                    "%s.successPolicy.rules", path);
    json_array_foreach(jget(policy, "rules"), i, rule) {
        char at[RULE_PATH_SIZE];
        snprintf(at, sizeof(at), "%.300s.successPolicy.rules[%zu]", path, i);
        check_success_rule(c, rule, jint(spec, "completions", 0), at);
    }
}

static void check_at_most(struct status_causes *c, const json_t *spec, const char *member, const char *path)
{
    if (jint(spec, member, 0) > INDEXED_MAX)
        rule_broken(c, CAUSE_INVALID, jget(spec, member),
                    "must be less than or equal to 100000 when completion mode is Indexed", "%s.%s", path, member);
}

static void check_indexed(struct status_causes *c, const json_t *spec, const char *path)
{
    const json_t *failed = jget(spec, "maxFailedIndexes"), *completions = jget(spec, "completions");
    if (!completions)
        rule_broken(c, CAUSE_REQUIRED, NULL, "when completion mode is Indexed", "%s.completions", path);
    check_at_most(c, spec, "parallelism", path);
    check_at_most(c, spec, "completions", path);
    check_at_most(c, spec, "maxFailedIndexes", path);
    if (failed && completions && json_integer_value(failed) > json_integer_value(completions))
        rule_broken(c, CAUSE_INVALID, failed, "must be less than or equal to completions", "%s.maxFailedIndexes", path);
    check_success_policy(c, spec, path);
}

static void check_not_indexed(struct status_causes *c, const json_t *spec, const char *path)
{
    static const char *const members[] = {"backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (jget(spec, members[i]))
            rule_broken(c, CAUSE_INVALID, jget(spec, members[i]), "requires indexed completion mode", "%s.%s", path,
                        members[i]);
}

/* --- the whole --- */

static void check_template(struct status_causes *c, const json_t *spec, const char *path)
{
    char at[RULE_PATH_SIZE];
    const char *policy = jstr_or(spec, "template.spec.restartPolicy", "");
    snprintf(at, sizeof(at), "%.300s.template.spec", path);
    if (jget(spec, "template.spec"))
        pod_spec_validate(jget(spec, "template.spec"), at, c);
    if (!*policy || streq(policy, "Always"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "valid values: \"OnFailure\", \"Never\"", "%s.restartPolicy", at);
    else if (jget(spec, "podFailurePolicy") && !streq(policy, "Never"))
        rule_broken_text(c, CAUSE_INVALID, policy, "only \"Never\" is supported when podFailurePolicy is specified",
                         "%s.restartPolicy", at);
}

void job_spec_validate(const json_t *spec, const char *path, struct status_causes *c)
{
    check_template(c, spec, path);
    if (jget(spec, "maxFailedIndexes") && !jget(spec, "backoffLimitPerIndex"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "when maxFailedIndexes is specified", "%s.backoffLimitPerIndex", path);
    if (streq(jstr_or(spec, "completionMode", ""), "Indexed"))
        check_indexed(c, spec, path);
    else
        check_not_indexed(c, spec, path);
    check_failure_policy(c, spec, path);
}

static void check_selector(const json_t *obj, struct status_causes *causes)
{
    const json_t *selector = jget(obj, "spec.selector"), *labels = jget(obj, "spec.template.metadata.labels");
    if (!selector) {
        causes_add(causes, CAUSE_REQUIRED, "spec.selector", NULL, "%s", "");
        return;
    }
    rule_label_selector(causes, selector, "spec.selector");
    const char *uid = json_string_value(json_object_get(jget(selector, "matchLabels"), UID_LABEL));
    if (!jbool(obj, "spec.manualSelector", false) && !streq(str_or(uid, ""), jstr_or(obj, "metadata.uid", "")))
        causes_add(causes, CAUSE_INVALID, "spec.selector", selector, "`selector` not auto-generated");
    if (!label_selector_matches(selector, labels))
        causes_add(causes, CAUSE_INVALID, "spec.template.metadata.labels", labels,
                   "`selector` does not match template `labels`");
}

static bool is_equal(const json_t *a, const json_t *b)
{
    return a && b ? json_equal((json_t *)a, (json_t *)b) : a == b;
}

/* An Indexed Job may grow and shrink as long as all of it runs at once; a suspended one that never started may get
 * another template. */
static bool may_change(const json_t *obj, const json_t *old, const char *path)
{
    if (streq(path, "spec.completions"))
        return streq(jstr_or(obj, "spec.completionMode", ""), "Indexed") &&
               jint(obj, "spec.completions", 0) == jint(obj, "spec.parallelism", -1);
    if (streq(path, "spec.template"))
        return jbool(old, "spec.suspend", false) && !jget(old, "status.startTime");
    return false;
}

void job_validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    static const char *const fixed[] = {
        "spec.completions",    "spec.selector",         "spec.template",
        "spec.completionMode", "spec.podFailurePolicy", "spec.backoffLimitPerIndex",
        "spec.successPolicy",  "spec.managedBy",
    };
    job_spec_validate(jget(obj, "spec"), "spec", causes);
    check_selector(obj, causes);
    for (size_t i = 0; old && i < ARRAY_LEN(fixed); i++)
        if (!is_equal(jget(obj, fixed[i]), jget(old, fixed[i])) && !may_change(obj, old, fixed[i]))
            causes_add(causes, CAUSE_INVALID, fixed[i], jget(obj, fixed[i]), "field is immutable");
}
