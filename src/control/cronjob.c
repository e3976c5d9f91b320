/* CronJobs: a Job for every run of the schedule (upstream: pkg/controller/cronjob). The name of a Job says for which
 * minute it is, so no run is made twice. What is active and what was made last is read off the Jobs themselves, which
 * carry the time they are for: a status that was lost on the way is made up for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "control/list.h"
#include "control/meta.h"
#include "control/runs.h"
#include "json/json.h"
#include "kinds/kind.h"

#define SCHEDULED "batch.kubernetes.io/cronjob-scheduled-timestamp"
#define SECOND 1000000LL
#define LATER_MS 100 /* after the minute has begun, as upstream: clocks differ a little */

struct cronjobs {
    struct informer *cronjobs, *jobs;
    int by_owner;
};

struct child {
    struct object *job; /* borrowed from the informer */
    json_t *doc;
    const char *end;   /* "Complete", "Failed"; NULL: it runs */
    int64_t scheduled; /* the run it is for; 0: it is not the controller's */
    int64_t started;
};

/* One CronJob as it is being reconciled. */
struct cron {
    struct controller *c;
    const json_t *doc;
    const char *ns, *name;
    int64_t now; /* seconds */
    struct zone *zone;
    struct child *children;
    size_t n;
    json_t *status; /* what it shall be */
};

/* --- its Jobs --- */

static const char *end_of(const json_t *job)
{
    static const char *const ends[] = {"Complete", "Failed"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (streq(jstr_or(condition_find(job, ends[i]), "status", ""), "True"))
            return ends[i];
    return NULL;
}

static char *job_name(const char *cronjob, int64_t scheduled)
{
    return xasprintf("%s-%lld", cronjob, (long long)(scheduled / 60));
}

static int64_t scheduled_of(const struct cron *k, const json_t *job)
{
    const char *text = json_string_value(json_object_get(jget(job, "metadata.annotations"), SCHEDULED));
    int64_t usec;
    if (!text || !time_parse(text, &usec))
        return 0;
    _cleanup_free_ char *name = job_name(k->name, usec / SECOND);
    return streq(name, jstr_or(job, "metadata.name", "")) ? usec / SECOND : 0;
}

static int older_first(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    if (x->started != y->started)
        return x->started < y->started ? -1 : 1;
    return strcmp(x->job->name, y->job->name);
}

static void load_children(struct cron *k, const struct cronjobs *cs)
{
    void *cursor = NULL;
    size_t room = 0;
    const char *uid = jstr_or(k->doc, "metadata.uid", "");
    for (struct object *o; (o = informer_by_index(cs->jobs, cs->by_owner, uid, &cursor));) {
        if (k->n == room)
            k->children = xrealloc(k->children, (room = room ? 2 * room : 8) * sizeof(*k->children));
        struct child *child = &k->children[k->n++];
        *child = (struct child){.job = o, .doc = object_json(o)};
        child->end = end_of(child->doc);
        child->scheduled = scheduled_of(k, child->doc);
        child->started = jtime(child->doc, "status.startTime");
    }
    if (k->n)
        qsort(k->children, k->n, sizeof(*k->children), older_first);
}

static bool was_active(const struct cron *k, const struct child *child)
{
    return jfind(jget(k->doc, "status.active"), "uid", child->job->uid) != NULL;
}

static json_t *reference_to(const struct child *child)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kind", "Job", "namespace", child->job->ns, "name",
                     child->job->name, "uid", child->job->uid, "apiVersion", "batch/v1", "resourceVersion",
                     jstr_or(child->doc, "metadata.resourceVersion", ""));
}

static void set_later(json_t *status, const char *member, int64_t usec)
{
    char text[TIME_TEXT_SIZE];
    if (usec > jtime(status, member))
        jset_str(status, member, time_format(usec, text));
}

/* What the Jobs say about the past: who is active, the last run, the last success. */
static void observe(struct cron *k)
{
    json_t *active = json_array();
    for (size_t i = 0; i < k->n; i++) {
        const struct child *child = &k->children[i];
        const json_t *known = jfind(jget(k->doc, "status.active"), "uid", child->job->uid);
        set_later(k->status, "lastScheduleTime", child->scheduled * SECOND);
        if (!child->end && (known || child->scheduled))
            json_array_append_new(active, known ? json_deep_copy(known) : reference_to(child));
        else if (!child->end)
            controller_event(k->c, k->doc, "Warning", "UnexpectedJob",
                             "Saw a job that the controller did not create or forgot: %s", child->job->name);
        else if (known)
            controller_event(k->c, k->doc, "Normal", "SawCompletedJob", "Saw completed job: %s, condition: %s",
                             child->job->name, child->end);
        if (child->end && streq(child->end, "Complete"))
            set_later(k->status, "lastSuccessfulTime", jtime(child->doc, "status.completionTime"));
    }
    size_t i, j;
    json_t *known;
    json_array_foreach(jget(k->doc, "status.active"), i, known) {
        for (j = 0; j < k->n && !streq(k->children[j].job->uid, jstr_or(known, "uid", "")); j++)
            ;
        if (j == k->n)
            controller_event(k->c, k->doc, "Normal", "MissingJob", "Active job went missing: %s",
                             jstr_or(known, "name", ""));
    }
    jset(k->status, "active", json_array_size(active) ? json_incref(active) : NULL);
    json_decref(active);
}

static void delete_job(struct cron *k, const struct child *child)
{
    delete_exactly(k->c, &kind_job, k->ns, child->job->name, child->job->uid, "Background", -1);
    controller_event(k->c, k->doc, "Normal", "SuccessfulDelete", "Deleted job %s", child->job->name);
}

/* Of those that have ended this way, the oldest above the limit go. */
static void forget(struct cron *k, const char *end, int64_t limit)
{
    int64_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        n += k->children[i].end && streq(k->children[i].end, end);
    for (size_t i = 0; i < k->n && n > limit && limit >= 0; i++)
        if (k->children[i].end && streq(k->children[i].end, end) && !is_deleting(k->children[i].doc)) {
            delete_job(k, &k->children[i]);
            n--;
        }
}

/* --- a new one --- */

/* In the CronJob's own zone, as upstream writes it. */
static void format_local(const struct cron *k, int64_t t, char *out, size_t size)
{
    int32_t offset = zone_offset(k->zone, t), minutes = abs(offset) / 60;
    struct tm local;
    time_t shown = t + offset;
    gmtime_r(&shown, &local);
    size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &local);
    if (offset)
        snprintf(out + n, size - n, "%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
    else
        snprintf(out + n, size - n, "Z");
}

static json_t *new_job(const struct cron *k, int64_t scheduled)
{
    char when[64];
    const json_t *template = jget(k->doc, "spec.jobTemplate");
    _cleanup_free_ char *name = job_name(k->name, scheduled);
    json_t *annotations = jget(template, "metadata.annotations"), *labels = jget(template, "metadata.labels");
    json_t *job = json_pack("{s:s, s:s, s:{s:s, s:s, s:[o]}}", "apiVersion", "batch/v1", "kind", "Job", "metadata",
                            "name", name, "namespace", k->ns, "ownerReferences", controller_ref_new(k->doc));
    format_local(k, scheduled, when, sizeof(when));
    jset(job, "metadata.annotations", annotations ? json_deep_copy(annotations) : json_object());
    json_object_set_new(jget(job, "metadata.annotations"), SCHEDULED, json_string(when));
    if (labels)
        jset(job, "metadata.labels", json_deep_copy(labels));
    jset(job, "spec", json_deep_copy(jget(template, "spec")));
    return job;
}

static void run(struct cron *k, int64_t scheduled)
{
    const char *policy = jstr_or(k->doc, "spec.concurrencyPolicy", "Allow");
    if (streq(policy, "Forbid") && jget(k->status, "active")) {
        controller_event(k->c, k->doc, "Normal", "JobAlreadyActive",
                         "Not starting job because prior execution is running and concurrency policy is Forbid");
        return;
    }
    for (size_t i = 0; i < k->n && streq(policy, "Replace"); i++) {
        const struct child *child = &k->children[i];
        if (!child->end && (child->scheduled || was_active(k, child)) && !is_deleting(child->doc))
            delete_job(k, child);
    }
    _cleanup_json_ json_t *job = new_job(k, scheduled);
    controller_create(k->c, &kind_job, k->ns, job);
}

/* Makes the run that is due, if one is, and comes back for the next. */
static void follow_schedule(struct cron *k)
{
    const char *text = jstr_or(k->doc, "spec.schedule", ""), *zone_name = jstr_or(k->doc, "spec.timeZone", "");
    struct schedule schedule;
    struct runs runs;
    struct err err;
    k->zone = zone_load(zone_name);
    if (!k->zone) {
        controller_event(k->c, k->doc, "Warning", "UnknownTimeZone", "invalid timeZone: \"%s\": unknown time zone %s",
                         zone_name, zone_name);
        return;
    }
    if (schedule_parse(text, &schedule, &err) < 0) {
        controller_event(k->c, k->doc, "Warning", "UnparseableSchedule", "unparseable schedule: \"%s\" : %s", text,
                         err.msg);
        return;
    }
    int64_t made = jtime(k->status, "lastScheduleTime") / SECOND,
            deadline = jint(k->doc, "spec.startingDeadlineSeconds", -1);
    int64_t since = made ? made : jtime(k->doc, "metadata.creationTimestamp") / SECOND;
    if (runs_due(&schedule, k->zone, since, deadline, k->now, &runs, &err) < 0) {
        controller_event(k->c, k->doc, "Warning", "InvalidSchedule", "invalid schedule: %s : %s", text, err.msg);
        return;
    }
    if (runs.missed > RUNS_MISSED_MAX)
        controller_event(
            k->c, k->doc, "Warning", "TooManyMissedTimes",
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    if (runs.due > made)
        run(k, runs.due);
    if (runs.next)
        controller_enqueue_after(k->c, k->ns, k->name, (runs.next - k->now) * 1000 + LATER_MS);
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct cronjobs *cs = controller_state(c);
    struct object *o = informer_get(cs->cronjobs, ns, name);
    if (!o)
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    const json_t *status = jget(doc, "status");
    struct cron k = {.c = c, .doc = doc, .ns = ns, .name = name, .now = controller_now_usec(c) / SECOND};
    if (is_deleting(doc))
        return;
    k.status = status ? json_deep_copy(status) : json_object();
    load_children(&k, cs);
    observe(&k);
    forget(&k, "Complete", jint(doc, "spec.successfulJobsHistoryLimit", -1));
    forget(&k, "Failed", jint(doc, "spec.failedJobsHistoryLimit", -1));
    patch_status(c, &kind_cronjob, doc, k.status);
    if (!jbool(doc, "spec.suspend", false))
        follow_schedule(&k);
    for (size_t i = 0; i < k.n; i++)
        json_decref(k.children[i].doc);
    free(k.children);
    zone_free(k.zone);
    json_decref(k.status);
}

static void map_job(struct controller *c, struct object *job)
{
    _cleanup_json_ json_t *doc = object_json(job);
    const json_t *ref = controller_ref(doc);
    if (ref && streq(jstr_or(ref, "kind", ""), "CronJob"))
        controller_enqueue(c, job->ns, jstr_or(ref, "name", ""));
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    struct cronjobs *cs = controller_state(c);
    struct object *o = informer_get(cs->cronjobs, ns, name);
    if (!o || call->kind != &kind_job || !streq(call->method, "POST"))
        return;
    _cleanup_json_ json_t *doc = object_json(o);
    if (code >= 200 && code < 300)
        controller_event(c, doc, "Normal", "SuccessfulCreate", "Created job %s", jstr_or(body, "metadata.name", ""));
    else if (code != 409) /* it is there already */
        controller_event(c, doc, "Warning", "FailedCreate", "Error creating job: %s", jstr_or(body, "message", ""));
}

static void *start(struct controller *c)
{
    struct cronjobs *cs = NEW(struct cronjobs);
    cs->cronjobs = controller_informer(c, &kind_cronjob);
    cs->jobs = controller_informer(c, &kind_job);
    cs->by_owner = informer_add_index(cs->jobs, by_controller);
    return cs;
}

static const struct controller_watch watches[] = {{&kind_cronjob, NULL}, {&kind_job, map_job}, {NULL, NULL}};

const struct controller_def cronjob_controller = {
    .name = "cronjob-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = free,
    .answered = answered,
};
