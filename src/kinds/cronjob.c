/* CronJobs: Jobs made by the clock. batch/v1beta1 differs in name only. Rules: pkg/apis/batch/validation/validation.go.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/jobspec.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"
#include "kinds/schedule.h"

#define NAME_MAX_LEN 52 /* a Job's name may have 63, and the controller appends a dash and ten digits */

static const struct field job_template_fields[] = {
    {"metadata", F_OBJECT, .sub = meta_fields, .dflt = "{}", .doc = "Labels and annotations of the Jobs."},
    {"spec", F_OBJECT, .sub = job_spec_fields, .dflt = "{}", .doc = "The Jobs."},
    {0},
};

static const struct field spec_fields[] = {
    {"schedule", F_STR, REQ, .doc = "Minute, hour, day of the month, month, day of the week; or @hourly and the like."},
    {"timeZone", F_STR, .doc = "Zone in which the schedule is meant; missing: that of the controller, UTC."},
    {"startingDeadlineSeconds", F_INT64, .max = NO_MAX, .doc = "How late a Job may start; later it is left out."},
    {"concurrencyPolicy", F_STR, OPT, .dflt = "\"Allow\"", .oneof = ONE_OF("Allow", "Forbid", "Replace"),
     .doc = "Allow; Forbid leaves a Job out while one runs; Replace deletes the one that runs."},
    {"suspend", F_BOOL, .dflt = "false", .doc = "No Job is made while this is true."},
    {"jobTemplate", F_OBJECT, REQ, .sub = job_template_fields, .doc = "The Jobs to be made."},
    {"successfulJobsHistoryLimit", F_INT, .dflt = "3", .max = NO_MAX, .doc = "How many complete Jobs are kept."},
    {"failedJobsHistoryLimit", F_INT, .dflt = "1", .max = NO_MAX, .doc = "How many failed Jobs are kept."},
    {0},
};

static const struct field status_fields[] = {
    {"active", F_LIST, OPT | ATOMIC, LIST_OF(object_reference_fields), .doc = "Jobs that run."},
    {"lastScheduleTime", F_TIME, .doc = "Time of the schedule for which a Job was made last."},
    {"lastSuccessfulTime", F_TIME, .doc = "When a Job was complete last."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "Which Jobs, and when."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

/* --- columns --- */

CELL_TEXT(cell_schedule, "spec.schedule", "");
CELL_TEXT(cell_time_zone, "spec.timeZone", "<none>");

static json_t *cell_suspend(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *suspend = jget(obj, "spec.suspend");
    return json_string(!suspend ? "<unset>" : json_is_true(suspend) ? "True" : "False");
}

static json_t *cell_active(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_integer((json_int_t)json_array_size(jget(obj, "status.active")));
}

static json_t *cell_last_schedule(const json_t *obj, int64_t now_usec)
{
    if (!jget(obj, "status.lastScheduleTime"))
        return json_string("<none>");
    return cell_since(obj, "status.lastScheduleTime", now_usec);
}

static json_t *cell_containers(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_joined(jget(obj, "spec.jobTemplate.spec.template.spec.containers"), "name");
}

static json_t *cell_images(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_joined(jget(obj, "spec.jobTemplate.spec.template.spec.containers"), "image");
}

static json_t *cell_selector(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_label_selector(jget(obj, "spec.jobTemplate.spec.selector"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Schedule", "string", "", 0, cell_schedule},
    {"Timezone", "string", "", 0, cell_time_zone},
    {"Suspend", "boolean", "", 0, cell_suspend},
    {"Active", "integer", "", 0, cell_active},
    {"Last Schedule", "string", "", 0, cell_last_schedule},
    {"Age", "string", "", 0, cell_age},
    {"Containers", "string", "", 1, cell_containers},
    {"Images", "string", "", 1, cell_images},
    {"Selector", "string", "", 1, cell_selector},
    {0},
};

/* --- rules --- */

static void default_more(json_t *obj)
{
    json_t *pod = jget(obj, "spec.jobTemplate.spec.template.spec");
    if (pod)
        pod_spec_default(pod);
}

static void check_schedule(struct status_causes *c, const json_t *spec, const json_t *old)
{
    const char *text = jstr_or(spec, "schedule", "");
    struct schedule parsed;
    struct err err;
    if (!*text || (old && streq(text, jstr_or(old, "spec.schedule", ""))))
        return;
    if (strstr(text, "TZ"))
        rule_broken_text(c, CAUSE_INVALID, text,
                         jget(spec, "timeZone") ? "cannot use both timeZone field and TZ or CRON_TZ in schedule"
                                                : "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
                         "spec.schedule");
    else if (schedule_parse(text, &parsed, &err) < 0)
        rule_broken_text(c, CAUSE_INVALID, text, err.msg, "spec.schedule");
}

static void check_time_zone(struct status_causes *c, const json_t *spec)
{
    const char *name = jstr(spec, "timeZone");
    char why[160];
    if (!name)
        return;
    if (!*name) {
        rule_broken_text(c, CAUSE_INVALID, name, "timeZone must be nil or non-empty string", "spec.timeZone");
        return;
    }
    if (strcasecmp(name, "Local") == 0)
        rule_broken_text(c, CAUSE_INVALID, name,
                         "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
                         "spec.timeZone");
    struct zone *zone = zone_load(name);
    if (!zone) {
        snprintf(why, sizeof(why), "unknown time zone %.100s", name);
        rule_broken_text(c, CAUSE_INVALID, name, why, "spec.timeZone");
    }
    zone_free(zone);
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const json_t *spec = jget(obj, "spec"), *template = jget(spec, "jobTemplate.spec");
    const char *name = jstr_or(obj, "metadata.name", "");
    check_schedule(causes, spec, old);
    if (!old || !streq_or_null(jstr(spec, "timeZone"), jstr(old, "spec.timeZone")))
        check_time_zone(causes, spec);
    if (!old && strlen(name) > NAME_MAX_LEN)
        rule_broken_text(causes, CAUSE_INVALID, name, "must be no more than 52 characters", "metadata.name");
    if (jbool(template, "manualSelector", false))
        rule_broken_text(causes, CAUSE_NOT_SUPPORTED, "true", "supported values: \"nil\", \"false\"",
                         "spec.jobTemplate.spec.manualSelector");
    if (jget(template, "selector"))
        rule_broken(causes, CAUSE_INVALID, jget(template, "selector"), "`selector` will be auto-generated",
                    "spec.jobTemplate.spec.selector");
    if (template)
        job_spec_validate(template, "spec.jobTemplate.spec", causes);
}

/* Nothing differs but the version. */
static void same(json_t *obj)
{
    (void)obj;
}

#define CRONJOB(in_version)                                                                                            \
    .group = "batch", .version = (in_version), .kind = "CronJob", .plural = "cronjobs", .singular = "cronjob",         \
    .list_kind = "CronJobList", .short_names = (const char *const[]){"cj", NULL},                                      \
    .categories = (const char *const[]){"all", NULL}, .namespaced = true, .verbs = V_ALL, .fields = fields,            \
    .columns = columns, .check_name = check_dns_subdomain, .has_status = true, .has_generation = true

const struct kind kind_cronjob = {CRONJOB("v1"), .default_more = default_more, .validate = validate};
const struct kind kind_cronjob_v1beta1 = {CRONJOB("v1beta1"), .stored = &kind_cronjob, .to_stored = same,
                                          .from_stored = same};
