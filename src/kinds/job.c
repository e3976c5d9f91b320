/* Jobs: pods that run to their end, a number of times. */
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/jobspec.h"
#include "kinds/labels.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

/* Upstream: maxParallelismForIndexedJob, completionsSoftLimit. */
#define INDEXED_MAX 100000

#define UID_LABEL "batch.kubernetes.io/controller-uid"

const struct field job_spec_fields[] = {
    {"parallelism", F_INT, .max = NO_MAX, .doc = "How many pods may run at once."},
    {"completions", F_INT, .max = NO_MAX, .doc = "How many pods must succeed; missing: the first success is enough."},
    {"activeDeadlineSeconds", F_INT64, .max = NO_MAX, .doc = "Seconds after which the Job fails."},
    {"backoffLimit", F_INT, .dflt = "6", .max = NO_MAX, .doc = "How many pods may fail before the Job fails."},
    {"selector", F_OBJECT, ATOMIC, .sub = label_selector_fields,
     .doc = "Labels of the pods that count; made by the server."},
    {"manualSelector", F_BOOL, .doc = "The selector is the user's business."},
    {"template", F_OBJECT, REQ, .sub = pod_template_spec_fields, .doc = "The pods to be run."},
    {"ttlSecondsAfterFinished", F_INT, .max = NO_MAX, .doc = "Seconds after its end until the Job is deleted."},
    {"completionMode", F_STR, .dflt = "\"NonIndexed\"", .oneof = ONE_OF("NonIndexed", "Indexed"),
     .doc = "Indexed gives every pod a number of its own, from 0 to completions - 1."},
    {"suspend", F_BOOL, .dflt = "false", .doc = "No pod runs while this is true."},
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

static json_t *cell_selector(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_label_selector(jget(obj, "spec.selector"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Status", "string", "", 0, cell_status},
    {"Completions", "string", "", 0, cell_completions},
    {"Duration", "string", "", 0, cell_duration},
    {"Age", "string", "", 0, cell_age},
    {"Containers", "string", "", 1, cell_template_containers},
    {"Images", "string", "", 1, cell_template_images},
    {"Selector", "string", "", 1, cell_selector},
    {0},
};

static const struct field_label field_labels[] = {
    {"status.successful", "status.succeeded", "0"},
    {0},
};

/* --- defaults --- */

void job_spec_default(json_t *spec)
{
    if (!spec)
        return;
    pod_spec_default(jget(spec, "template.spec"));
    if (!jget(spec, "parallelism") && !jget(spec, "completions"))
        jset_int(spec, "completions", 1);
    if (!jget(spec, "parallelism"))
        jset_int(spec, "parallelism", 1);
}

static void default_more(json_t *obj)
{
    json_t *labels = jget(obj, "spec.template.metadata.labels");
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

/* --- rules --- */

void job_spec_validate(const json_t *spec, const char *path, struct status_causes *causes)
{
    char pod_path[RULE_PATH_SIZE];
    const char *policy = jstr_or(spec, "template.spec.restartPolicy", "");
    snprintf(pod_path, sizeof(pod_path), "%s.template.spec", path);
    if (jget(spec, "template.spec"))
        pod_spec_validate(jget(spec, "template.spec"), pod_path, causes);
    if (!*policy || streq(policy, "Always"))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "valid values: \"OnFailure\", \"Never\"", "%s.restartPolicy",
                    pod_path);
    if (!streq(jstr_or(spec, "completionMode", ""), "Indexed"))
        return;
    if (!jget(spec, "completions"))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "when completion mode is Indexed", "%s.completions", path);
    if (jint(spec, "parallelism", 0) > INDEXED_MAX)
        rule_broken(causes, CAUSE_INVALID, jget(spec, "parallelism"),
                    "must be less than or equal to 100000 when completion mode is Indexed", "%s.parallelism", path);
    if (jint(spec, "completions", 0) > INDEXED_MAX)
        rule_broken(causes, CAUSE_INVALID, jget(spec, "completions"),
                    "must be less than or equal to 100000 when completion mode is Indexed", "%s.completions", path);
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

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    static const char *const fixed[] = {"spec.completions", "spec.selector", "spec.template", "spec.completionMode",
                                        "spec.managedBy"};
    job_spec_validate(jget(obj, "spec"), "spec", causes);
    check_selector(obj, causes);
    for (size_t i = 0; old && i < ARRAY_LEN(fixed); i++)
        if (!is_equal(jget(obj, fixed[i]), jget(old, fixed[i])) && !may_change(obj, old, fixed[i]))
            causes_add(causes, CAUSE_INVALID, fixed[i], jget(obj, fixed[i]), "field is immutable");
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
    .validate = validate,
};
