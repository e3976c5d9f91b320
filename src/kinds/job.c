/* Jobs: pods that run to their end, a number of times. */
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/jobspec.h"
#include "kinds/podspec.h"

static const struct field exit_codes_fields[] = {
    {"containerName", F_STR, .doc = "Container that is looked at; missing: all."},
    {"operator", F_STR, REQ, .oneof = ONE_OF("In", "NotIn"), .doc = "In or NotIn."},
    {"values", F_LIST, UNIQUE, .sub = int_item, .max_len = 255, .list_keys = "", .doc = "Exit codes, ascending."},
    {0},
};

static const struct field condition_pattern_fields[] = {
    {"type", F_STR, .check = check_qualified_name, .doc = "Type of the pod's condition."},
    {"status", F_STR, REQ, .dflt = "\"True\"", .oneof = ONE_OF("False", "True", "Unknown"),
     .doc = "True, False or Unknown."},
    {0},
};

static const struct field failure_rule_fields[] = {
    {"action", F_STR, REQ, .oneof = ONE_OF("Count", "FailIndex", "FailJob", "Ignore"),
     .doc = "FailJob, FailIndex, Ignore (the pod does not count) or Count (it counts as usual)."},
    {"onExitCodes", F_OBJECT, .sub = exit_codes_fields, .doc = "Matches pods by how their containers ended."},
    {"onPodConditions", F_LIST, OPT | ATOMIC, LIST_OF(condition_pattern_fields), .max_len = 20,
     .doc = "Matches pods that have one of these conditions."},
    {0},
};

static const struct field failure_policy_fields[] = {
    {"rules", F_LIST, ATOMIC, LIST_OF(failure_rule_fields), .max_len = 20,
     .doc = "The first one that matches a failed pod counts."},
    {0},
};

static const struct field success_rule_fields[] = {
    {"succeededIndexes", F_STR, .max_len = 65536,
     .doc = "Indexes of which all, or succeededCount, must succeed: \"0,3-5\"."},
    {"succeededCount", F_INT, .max = NO_MAX, .doc = "How many must succeed."},
    {0},
};

static const struct field success_policy_fields[] = {
    {"rules", F_LIST, ATOMIC, LIST_OF(success_rule_fields), .max_len = 20,
     .doc = "The Job is done when one of them is met."},
    {0},
};

const struct field job_spec_fields[] = {
    {"parallelism", F_INT, .max = NO_MAX, .doc = "How many pods may run at once."},
    {"completions", F_INT, .max = NO_MAX, .doc = "How many pods must succeed; missing: the first success is enough."},
    {"activeDeadlineSeconds", F_INT64, .max = NO_MAX, .doc = "Seconds after which the Job fails."},
    {"podFailurePolicy", F_OBJECT, .sub = failure_policy_fields, .doc = "What failed pods mean for the Job."},
    {"successPolicy", F_OBJECT, .sub = success_policy_fields, .doc = "When an Indexed Job is done early."},
    {"backoffLimit", F_INT, .max = NO_MAX, .doc = "How many pods may fail before the Job fails; 6 if missing."},
    {"backoffLimitPerIndex", F_INT, .max = NO_MAX, .doc = "How many pods of an index may fail before the index fails."},
    {"maxFailedIndexes", F_INT, .max = NO_MAX, .doc = "How many indexes may fail before the Job fails."},
    {"selector", F_OBJECT, ATOMIC, .sub = label_selector_fields,
     .doc = "Labels of the pods that count; made by the server."},
    {"manualSelector", F_BOOL, .doc = "The selector is the user's business."},
    {"template", F_OBJECT, REQ, .sub = pod_template_spec_fields, .doc = "The pods to be run."},
    {"ttlSecondsAfterFinished", F_INT, .max = NO_MAX, .doc = "Seconds after its end until the Job is deleted."},
    {"completionMode", F_STR, .oneof = ONE_OF("NonIndexed", "Indexed"),
     .doc = "Indexed gives every pod a number of its own, from 0 to completions - 1."},
    {"suspend", F_BOOL, .doc = "No pod runs while this is true."},
    {"podReplacementPolicy", F_STR,
     .doc = "TerminatingOrFailed or Failed: when another pod is made for one that is being deleted."},
    {"managedBy", F_STR, .check = check_qualified_name,
     .doc = "Who runs the Job; missing or kubernetes.io/job-controller: this cluster."},
    {0},
};

static const struct field job_condition_fields[] = {
    {"type", F_STR, .doc = "Complete, Failed, Suspended, FailureTarget or SuccessCriteriaMet."},
    {"status", F_STR, .doc = "True, False or Unknown."},
    {"lastProbeTime", F_TIME, .doc = "When it was last checked."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field uncounted_fields[] = {
    {"succeeded", F_LIST, OPT, STRINGS, .list_keys = "", .doc = "Uids of pods that have succeeded."},
    {"failed", F_LIST, OPT, STRINGS, .list_keys = "", .doc = "Uids of pods that have failed."},
    {0},
};

static const struct field job_status_fields[] = {
    {"conditions", F_LIST, OPT | ATOMIC, LIST_OF(job_condition_fields), .merge_key = "type",
     .doc = "Whether it has ended and why."},
    {"startTime", F_TIME, .doc = "When it was first worked on; anew after a suspension."},
    {"completionTime", F_TIME, .doc = "When it was complete."},
    {"active", F_INT, OPT, .doc = "Pods that wait or run."},
    {"succeeded", F_INT, OPT, .doc = "Pods that have succeeded."},
    {"failed", F_INT, OPT, .doc = "Pods that have failed."},
    {"terminating", F_INT, .doc = "Pods that are ending."},
    {"completedIndexes", F_STR, OPT, .doc = "Numbers that are done: \"0,3-5\"."},
    {"failedIndexes", F_STR, .doc = "Numbers that have failed: \"0,3-5\"."},
    {"uncountedTerminatedPods", F_OBJECT, .sub = uncounted_fields,
     .doc = "Pods that have ended and are not yet in the numbers."},
    {"ready", F_INT, .doc = "Active pods that are ready."},
    {0},
};

static const struct field job_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = job_spec_fields, .dflt = "{}", .doc = "Which pods, and how often."},
    {"status", F_OBJECT, .sub = job_status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

/* --- columns --- */

static bool has_condition(const json_t *job, const char *type)
{
    return streq(jstr_or(jfind(jget(job, "status.conditions"), "type", type), "status", ""), "True");
}

static json_t *cell_status(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    if (has_condition(obj, "Complete"))
        return json_string("Complete");
    if (has_condition(obj, "Failed"))
        return json_string("Failed");
    if (jget(obj, "metadata.deletionTimestamp"))
        return json_string("Terminating");
    static const char *const others[] = {"Suspended", "FailureTarget", "SuccessCriteriaMet"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (has_condition(obj, others[i]))
            return json_string(others[i]);
    return json_string("Running");
}

static json_t *cell_completions(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    long long done = (long long)jint(obj, "status.succeeded", 0), wanted = (long long)jint(obj, "spec.completions", 0);
    long long parallel = (long long)jint(obj, "spec.parallelism", 0);
    if (jget(obj, "spec.completions"))
        return json_sprintf("%lld/%lld", done, wanted);
    return parallel > 1 ? json_sprintf("%lld/1 of %lld", done, parallel) : json_sprintf("%lld/1", done);
}

static json_t *cell_duration(const json_t *obj, int64_t now_usec)
{
    int64_t start, end;
    char text[TIME_TEXT_SIZE];
    if (!time_parse(jstr_or(obj, "status.startTime", ""), &start))
        return json_string("");
    if (!time_parse(jstr_or(obj, "status.completionTime", ""), &end))
        end = now_usec;
    return json_string(time_human_duration(end - start, text));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Status", "string", "", 0, cell_status},
    {"Completions", "string", "", 0, cell_completions},
    {"Duration", "string", "", 0, cell_duration},
    {"Age", "string", "", 0, cell_age},
    COLUMNS_OF_TEMPLATE,
    {"Selector", "string", "", 1, cell_spec_selector},
    {0},
};

static const struct field_label field_labels[] = {
    {"status.successful", "status.succeeded", "0"},
    {0},
};

/* --- defaults --- */

static void default_member(json_t *spec, const char *name, json_t *value)
{
    if (json_object_get(spec, name))
        json_decref(value);
    else
        json_object_set_new(spec, name, value);
}

static void job_spec_default(json_t *spec)
{
    bool per_index = jget(spec, "backoffLimitPerIndex") != NULL;
    pod_spec_default(jget(spec, "template.spec"));
    if (!jget(spec, "parallelism"))
        default_member(spec, "completions", json_integer(1));
    default_member(spec, "parallelism", json_integer(1));
    default_member(spec, "backoffLimit", json_integer(per_index ? INT32_MAX : 6));
    default_member(spec, "completionMode", json_string("NonIndexed"));
    default_member(spec, "suspend", json_false());
    default_member(spec, "manualSelector", json_false());
    default_member(spec, "podReplacementPolicy",
                   json_string(jget(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed"));
}

static void default_more(json_t *obj)
{
    json_t *labels = jget(obj, "spec.template.metadata.labels");
    if (jget(obj, "spec"))
        job_spec_default(jget(obj, "spec"));
    if (json_object_size(labels) && !json_object_size(jget(obj, "metadata.labels")))
        jset(obj, "metadata.labels", json_deep_copy(labels));
}

/* Selector and labels by which no two Jobs ever share a pod. */
static void prepare(json_t *obj, const json_t *old)
{
    const char *uid = jstr(obj, "metadata.uid"), *name = jstr(obj, "metadata.name");
    if (old || jbool(obj, "spec.manualSelector", false) || !uid || !name || !jget(obj, "spec.template"))
        return;
    if (!jget(obj, "spec.template.metadata.labels"))
        jset(obj, "spec.template.metadata.labels", json_object());
    json_t *labels = jget(obj, "spec.template.metadata.labels");
    const struct {
        const char *key, *value;
    } own[] = {{"controller-uid", uid}, {"job-name", name}, {UID_LABEL, uid}, {"batch.kubernetes.io/job-name", name}};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (!json_object_get(labels, own[i].key))
            json_object_set_new(labels, own[i].key, json_string(own[i].value));
    if (!jget(obj, "spec.selector"))
        jset(obj, "spec.selector", json_object());
    if (!jget(obj, "spec.selector.matchLabels"))
        jset(obj, "spec.selector.matchLabels", json_object());
    if (!json_object_get(jget(obj, "spec.selector.matchLabels"), UID_LABEL))
        json_object_set_new(jget(obj, "spec.selector.matchLabels"), UID_LABEL, json_string(uid));
}

const struct kind kind_job = {
    .group = "batch",
    .version = "v1",
    .kind = "Job",
    .plural = "jobs",
    .singular = "job",
    .list_kind = "JobList",
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = job_fields,
    .columns = columns,
    .field_labels = field_labels,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .default_more = default_more,
    .prepare = prepare,
    .validate = job_validate,
};
