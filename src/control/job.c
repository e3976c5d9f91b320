/* Jobs: pods that run to their end, as often as is wanted. A pod that has ended carries a finalizer until it is in the
 * Job's numbers, so that none is counted twice or never, whoever deletes it and whenever the program stops: its uid
 * goes to status.uncountedTerminatedPods, then the finalizer goes, then the uid becomes part of the number (upstream:
 * pkg/controller/job). An Indexed Job's successes are counted by their index. A pod that shall go without being counted
 * loses the finalizer first: one that runs without it is deleted. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/str.h"
#include "control/family.h"
#include "control/indexes.h"
#include "control/jobpod.h"
#include "control/jobpolicy.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define BURST_MAX 500 /* pods made, deleted or counted in one go, as upstream */
/* A failed pod is replaced after this, doubling with each failure since the last success. */
#define BACKOFF_MIN_USEC (10 * 1000000LL)
#define BACKOFF_MAX_USEC (600 * 1000000LL)

struct jobs {
    struct family family;
    struct map failing; /* "ns/name" of Jobs whose last creation failed */
};

enum pod_role {
    ROLE_ACTIVE,
    ROLE_ENDING, /* being deleted, and replaced only when it has failed */
    ROLE_SUCCEEDED,
    ROLE_FAILED,
    ROLE_DROPPED, /* counted, or not to be counted */
};

struct job_pod {
    struct member m;
    json_t *doc;
    enum pod_role role;
    bool tracked;             /* has the finalizer */
    bool noted;               /* its uid or index is in the stored status */
    int64_t index;            /* -1: none */
    enum job_verdict verdict; /* of a failed one */
};

/* One Job as it is being reconciled. */
struct job {
    struct controller *c;
    struct jobs *js;
    const json_t *doc;
    const char *ns, *name;
    int64_t now;
    struct job_pod *pods;
    size_t n;
    json_t *status; /* what it shall be */
    bool indexed;
    bool per_index;      /* failures count by index */
    bool failed_only;    /* see job_replaces_failed_only() */
    struct indexes done; /* with those that succeed now */
    struct indexes lost; /* that have failed for good, with those that do so now */
    char *verdict;       /* podFailurePolicy fails the Job: why; NULL: it does not */
    int64_t ending, active, ready, terminating, succeeded, failed;
};

/* --- the pods --- */

static bool is_tracked_pod(const json_t *owner, const struct object *pod)
{
    (void)owner;
    _cleanup_json_ json_t *doc = object_json(pod);
    return has_finalizer(doc, JOB_TRACKED);
}

static int64_t index_of(const json_t *pod)
{
    int64_t i = -1;
    const char *text = json_string_value(json_object_get(jget(pod, "metadata.annotations"), JOB_INDEX));
    if (text)
        str_to_i64(text, 0, INT32_MAX, &i);
    return i;
}

static bool among(const json_t *list, const char *uid)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (streq(str_or(json_string_value(json_array_get(list, i)), ""), uid))
            return true;
    return false;
}

/* A pod that is being deleted before it could succeed has failed. */
static enum pod_role role_of(const struct job *j, const struct job_pod *p)
{
    const struct pod_state *s = p->m.state;
    bool will_say = j->failed_only && jget(p->doc, "spec.nodeName"); /* its agent does, once it has ended */
    if (s->phase == POD_SUCCEEDED)
        return ROLE_SUCCEEDED;
    if (s->phase == POD_FAILED || (s->deleting && !will_say))
        return ROLE_FAILED;
    return s->deleting ? ROLE_ENDING : ROLE_ACTIVE;
}

static void judge_pod(struct job *j, struct job_pod *p)
{
    char *why;
    p->verdict = job_verdict(j->doc, p->doc, &why);
    if (why && !j->verdict)
        j->verdict = why;
    else
        free(why);
    if (j->per_index &&
        (p->verdict == VERDICT_FAIL_INDEX ||
         (p->verdict == VERDICT_COUNT && job_index_failures(p->doc) > jint(j->doc, "spec.backoffLimitPerIndex", 0))))
        indexes_add(&j->lost, p->index);
}

static void load_pods(struct job *j)
{
    _cleanup_free_ struct member *members = family_claim(&j->js->family, j->c, j->doc, is_tracked_pod, &j->n);
    struct indexes stored;
    indexes_init(&stored, j->done.size, jstr(j->doc, "status.completedIndexes"));
    j->pods = xcalloc(j->n + 1, sizeof(*j->pods));
    for (size_t i = 0; i < j->n; i++) {
        struct job_pod *p = &j->pods[i];
        p->m = members[i];
        p->doc = object_json(p->m.pod);
        p->tracked = has_finalizer(p->doc, JOB_TRACKED);
        p->role = p->tracked ? role_of(j, p) : ROLE_DROPPED;
        p->index = j->indexed ? index_of(p->doc) : -1;
        if (j->indexed && p->role == ROLE_SUCCEEDED)
            p->noted = indexes_has(&stored, p->index);
        else
            p->noted = among(jget(j->doc, "status.uncountedTerminatedPods.succeeded"), p->m.pod->uid) ||
                       among(jget(j->doc, "status.uncountedTerminatedPods.failed"), p->m.pod->uid);
        j->terminating += p->m.state->deleting && !pod_finished(p->m.state);
        j->ending += p->role == ROLE_ENDING;
        if (p->role == ROLE_FAILED || p->m.state->phase == POD_FAILED)
            judge_pod(j, p);
    }
    indexes_done(&stored);
}

static const struct job_pod *pod_of_uid(const struct job *j, const char *uid)
{
    for (size_t i = 0; i < j->n; i++)
        if (streq(j->pods[i].m.pod->uid, uid))
            return &j->pods[i];
    return NULL;
}

/* --- counting --- */

/* Uids whose pods have lost the finalizer, or are gone, become part of the number. Returns the list that is left. */
static json_t *flush(struct job *j, const char *list, const char *number)
{
    _cleanup_free_ char *path = xasprintf("status.uncountedTerminatedPods.%s", list);
    json_t *left = json_array(), *uid;
    size_t i;
    int64_t n = jint(j->status, number, 0);
    json_array_foreach(jget(j->doc, path), i, uid) {
        const struct job_pod *p = pod_of_uid(j, str_or(json_string_value(uid), ""));
        if (p && p->tracked)
            json_array_append(left, uid);
        else
            n++;
    }
    jset(j->status, number, n ? json_integer(n) : NULL);
    return left;
}

static void note(struct job *j, struct job_pod *p, json_t *succeeded, json_t *failed)
{
    if (p->noted || (p->role == ROLE_FAILED && p->verdict == VERDICT_IGNORE)) {
        patch_finalizer_out(j->c, &kind_pod, p->doc, JOB_TRACKED);
        return;
    }
    if (j->indexed && p->role == ROLE_SUCCEEDED) {
        if (p->index < 0 || (size_t)p->index >= j->done.size) {
            patch_finalizer_out(j->c, &kind_pod, p->doc, JOB_TRACKED); /* of an index that is no longer wanted */
            return;
        }
        indexes_add(&j->done, p->index);
        return;
    }
    json_array_append_new(p->role == ROLE_SUCCEEDED ? succeeded : failed, json_string(p->m.pod->uid));
}

static void count(struct job *j)
{
    size_t noted = 0;
    json_t *succeeded = flush(j, "succeeded", "succeeded"), *failed = flush(j, "failed", "failed");
    for (size_t i = 0; i < j->n; i++) {
        struct job_pod *p = &j->pods[i];
        if (p->role == ROLE_ACTIVE) {
            j->active++;
            j->ready += p->m.state->ready;
        } else if (p->role != ROLE_DROPPED && p->role != ROLE_ENDING && noted++ < BURST_MAX) {
            note(j, p, succeeded, failed);
        }
    }
    j->failed = jint(j->status, "failed", 0) + (int64_t)json_array_size(failed);
    if (j->indexed) {
        _cleanup_free_ char *text = indexes_text(&j->done);
        j->succeeded = indexes_count(&j->done);
        jset_str(j->status, "completedIndexes", *text ? text : NULL);
        jset(j->status, "succeeded", j->succeeded ? json_integer(j->succeeded) : NULL);
        if (j->per_index) {
            _cleanup_free_ char *lost = indexes_text(&j->lost);
            jset_str(j->status, "failedIndexes", lost);
        }
    } else {
        j->succeeded = jint(j->status, "succeeded", 0) + (int64_t)json_array_size(succeeded);
    }
    json_t *uncounted = json_object();
    if (json_array_size(succeeded))
        json_object_set(uncounted, "succeeded", succeeded);
    if (json_array_size(failed))
        json_object_set(uncounted, "failed", failed);
    json_decref(succeeded);
    json_decref(failed);
    jset(j->status, "uncountedTerminatedPods", uncounted);
}

/* --- conditions --- */

static bool has(const struct job *j, const char *type)
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

static bool is_finished(const json_t *job)
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

/* Pods that are restarted in place never fail: their restarts count. */
static bool restarted_too_often(const struct job *j)
{
    int64_t limit = jint(j->doc, "spec.backoffLimit", 6), restarts = 0;
    if (!streq(jstr_or(j->doc, "spec.template.spec.restartPolicy", ""), "OnFailure"))
        return false;
    for (size_t i = 0; i < j->n; i++) {
        size_t k;
        json_t *s;
        if (j->pods[i].role == ROLE_ACTIVE)
            json_array_foreach(jget(j->pods[i].doc, "status.containerStatuses"), k, s)
                restarts += jint(s, "restartCount", 0);
    }
    return limit ? restarts >= limit : restarts > 0;
}

static void succeed(struct job *j, const char *reason, const char *message)
{
    set_condition(j, "SuccessCriteriaMet", "True", reason, message);
}

static void judge(struct job *j)
{
    int64_t lost = indexes_count(&j->lost);
    int rule = j->indexed ? job_success_rule(j->doc, &j->done) : -1;
    int64_t deadline = jint(j->doc, "spec.activeDeadlineSeconds", -1), start = jtime(j->status, "startTime");
    bool suspended = jbool(j->doc, "spec.suspend", false), counts = jget(j->doc, "spec.completions") != NULL;
    if (has(j, "FailureTarget") || has(j, "SuccessCriteriaMet"))
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

/* The end is said when every pod has ended and is in the numbers. */
static void conclude(struct job *j)
{
    if (j->active || j->terminating || json_object_size(jget(j->status, "uncountedTerminatedPods")))
        return;
    char now[TIME_TEXT_SIZE];
    bool success = has(j, "SuccessCriteriaMet");
    const json_t *why = jfind(jget(j->status, "conditions"), "type", success ? "SuccessCriteriaMet" : "FailureTarget");
    _cleanup_free_ char *reason = xstrdup(jstr_or(why, "reason", "")), *text = xstrdup(jstr_or(why, "message", ""));
    if (success) {
        set_condition(j, "Complete", "True", reason, text);
        jset_str(j->status, "completionTime", time_format(j->now, now));
        controller_event(j->c, j->doc, "Normal", "Completed", "Job completed");
    } else if (has(j, "FailureTarget")) {
        set_condition(j, "Failed", "True", reason, text);
        controller_event(j->c, j->doc, "Warning", reason, "%s", text);
    }
}

static void note_suspension(struct job *j)
{
    char now[TIME_TEXT_SIZE];
    bool suspend = jbool(j->doc, "spec.suspend", false), is = has(j, "Suspended");
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

/* --- more pods, fewer pods --- */

/* When the next pod may come, by the failures since the last success; index >= 0: those of this index. */
static int64_t next_usec(const struct job *j, int64_t index)
{
    int64_t success = 0, failure = 0, delay = BACKOFF_MIN_USEC / 2;
    for (size_t i = 0; i < j->n; i++)
        if (index < 0 && j->pods[i].m.state->phase == POD_SUCCEEDED) {
            int64_t t = job_pod_ended_usec(j->pods[i].doc);
            success = t > success ? t : success;
        }
    for (size_t i = 0; i < j->n; i++) {
        if (j->pods[i].m.state->phase != POD_FAILED || (index >= 0 && j->pods[i].index != index))
            continue;
        int64_t t = job_pod_ended_usec(j->pods[i].doc);
        if (t <= success)
            continue;
        failure = t > failure ? t : failure;
        delay = delay < BACKOFF_MAX_USEC / 2 ? 2 * delay : BACKOFF_MAX_USEC;
    }
    return failure ? failure + delay : 0;
}

/* How often this index has failed; ignored failures do not count. */
static int64_t failures_of(const struct job *j, int64_t index)
{
    int64_t most = 0;
    for (size_t i = 0; i < j->n && j->per_index; i++) {
        const struct job_pod *p = &j->pods[i];
        if (p->index != index || p->m.state->phase != POD_FAILED)
            continue;
        int64_t n = job_index_failures(p->doc) - (p->verdict == VERDICT_IGNORE);
        most = n > most ? n : most;
    }
    return most;
}

/* Whether it is too early for another pod, of this index or of any (-1): then it comes back. */
static bool must_wait(struct job *j, int64_t index)
{
    int64_t next = next_usec(j, index);
    if (next > j->now)
        controller_enqueue_after(j->c, j->ns, j->name, (next - j->now) / 1000 + 1);
    return next > j->now;
}

static void create_pod(struct job *j, int64_t index)
{
    _cleanup_json_ json_t *pod = job_pod_new(j->doc, index, j->per_index ? failures_of(j, index) : -1);
    controller_create(j->c, &kind_pod, j->ns, pod);
}

static void create_indexed(struct job *j, int64_t n)
{
    struct indexes taken;
    indexes_init(&taken, j->done.size, NULL);
    for (size_t i = 0; i < j->n; i++)
        if (j->pods[i].role == ROLE_ACTIVE || j->pods[i].role == ROLE_ENDING)
            indexes_add(&taken, j->pods[i].index);
    for (int64_t index = 0; n > 0 && (size_t)index < j->done.size; index++) {
        if (indexes_has(&j->done, index) || indexes_has(&j->lost, index) || indexes_has(&taken, index) ||
            (j->per_index && must_wait(j, index)))
            continue;
        create_pod(j, index);
        n--;
    }
    indexes_done(&taken);
}

static void create_pods(struct job *j, int64_t n)
{
    _cleanup_free_ char *key = make_object_key(j->ns, j->name);
    int64_t most = map_get(&j->js->failing, key) ? 1 : BURST_MAX;
    n = n < most ? n : most;
    if (!j->per_index && must_wait(j, -1))
        return;
    if (j->indexed)
        create_indexed(j, n);
    for (; n > 0 && !j->indexed; n--)
        create_pod(j, -1);
}

/* Later and not yet ready ones first; index twins before that. */
static void drop_pods(struct job *j, int64_t n)
{
    for (int ready = 0; ready < 2; ready++)
        for (size_t i = j->n; i-- > 0 && n > 0;) {
            struct job_pod *p = &j->pods[i];
            if (p->role != ROLE_ACTIVE || p->m.state->ready != ready)
                continue;
            patch_finalizer_out(j->c, &kind_pod, p->doc, JOB_TRACKED);
            p->role = ROLE_DROPPED;
            j->active--;
            n--;
        }
}

/* An index is worked on by one pod, and by none when it is done or no longer wanted. */
static void drop_twins(struct job *j)
{
    struct indexes seen;
    indexes_init(&seen, j->done.size, NULL);
    for (size_t i = 0; i < j->n && j->indexed; i++) {
        struct job_pod *p = &j->pods[i];
        bool wanted = p->index >= 0 && (size_t)p->index < j->done.size && !indexes_has(&j->done, p->index) &&
                      !indexes_has(&j->lost, p->index);
        if (p->role != ROLE_ACTIVE)
            continue;
        if (!wanted || indexes_has(&seen, p->index)) {
            patch_finalizer_out(j->c, &kind_pod, p->doc, JOB_TRACKED);
            p->role = ROLE_DROPPED;
            j->active--;
        }
        indexes_add(&seen, p->index);
    }
    indexes_done(&seen);
}

static int64_t wanted_pods(const struct job *j)
{
    int64_t parallelism = jint(j->doc, "spec.parallelism", 1);
    if (jbool(j->doc, "spec.suspend", false) || has(j, "SuccessCriteriaMet"))
        return 0;
    if (!jget(j->doc, "spec.completions"))
        return j->succeeded ? (j->active < parallelism ? j->active : parallelism) : parallelism;
    int64_t left = jint(j->doc, "spec.completions", 0) - j->succeeded - indexes_count(&j->lost);
    left = left > 0 ? left : 0;
    return left < parallelism ? left : parallelism;
}

static void manage(struct job *j)
{
    for (size_t i = 0; i < j->n; i++) { /* let go earlier */
        const struct job_pod *p = &j->pods[i];
        if (!p->tracked && pod_active(p->m.state))
            family_delete_pod(j->c, p->m.pod);
    }
    if (has(j, "FailureTarget")) { /* these count as failed */
        for (size_t i = 0; i < j->n; i++)
            if (j->pods[i].role == ROLE_ACTIVE)
                family_delete_pod(j->c, j->pods[i].m.pod);
        return;
    }
    drop_twins(j);
    int64_t wanted = wanted_pods(j);
    if (j->active > wanted)
        drop_pods(j, j->active - wanted);
    else if (j->active + j->ending < wanted)
        create_pods(j, wanted - j->active - j->ending);
}

/* --- reconcile --- */

static void expire(struct job *j)
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

static void set_count(struct job *j, const char *member, int64_t n)
{
    jset(j->status, member, n ? json_integer(n) : NULL);
}

static void work(struct job *j)
{
    note_suspension(j);
    count(j);
    judge(j);
    manage(j);
    conclude(j);
    set_count(j, "active", j->active);
    jset_int(j->status, "ready", j->ready);
    jset_int(j->status, "terminating", j->terminating);
    _cleanup_json_ json_t *to = json_copy((json_t *)j->doc);
    json_object_set(to, "status", j->status);
    patch_difference(j->c, &kind_job, j->doc, to, "status", true);
}

static void let_go(struct job *j)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->pods[i].tracked)
            patch_finalizer_out(j->c, &kind_pod, j->pods[i].doc, JOB_TRACKED);
}

/* Pods whose Job is gone are held by nobody. */
static void free_orphans(struct controller *c, const char *ns, const char *name, const char *uid)
{
    struct jobs *js = controller_state(c);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(js->family.pods, ns, &cursor));) {
        _cleanup_json_ json_t *pod = object_json(o);
        const json_t *ref = controller_ref(pod), *labels = jget(pod, "metadata.labels");
        const char *label = json_string_value(json_object_get(labels, "batch.kubernetes.io/job-name"));
        const char *owner = ref ? jstr_or(ref, "name", "") : str_or(label, "");
        bool of_job = !ref || streq(jstr_or(ref, "kind", ""), "Job");
        if (of_job && streq(owner, name) && !(ref && uid && streq(jstr_or(ref, "uid", ""), uid)) &&
            has_finalizer(pod, JOB_TRACKED))
            patch_finalizer_out(c, &kind_pod, pod, JOB_TRACKED);
    }
}

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct jobs *js = controller_state(c);
    struct object *o = informer_get(js->family.owners, ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (!o) {
        map_del(&js->failing, key);
        free_orphans(c, ns, name, NULL);
        return;
    }
    _cleanup_json_ json_t *doc = object_json(o);
    const char *manager = jstr_or(doc, "spec.managedBy", "kubernetes.io/job-controller");
    const json_t *status = jget(doc, "status");
    struct job j = {.c = c, .js = js, .doc = doc, .ns = ns, .name = name, .now = controller_now_usec(c)};
    if (!streq(manager, "kubernetes.io/job-controller"))
        return;
    j.status = status ? json_deep_copy(status) : json_object();
    j.indexed = streq(jstr_or(doc, "spec.completionMode", ""), "Indexed");
    j.per_index = j.indexed && jget(doc, "spec.backoffLimitPerIndex");
    j.failed_only = job_replaces_failed_only(doc);
    indexes_init(&j.done, j.indexed ? (size_t)jint(doc, "spec.completions", 0) : 0,
                 jstr(doc, "status.completedIndexes"));
    indexes_init(&j.lost, j.done.size, jstr(doc, "status.failedIndexes"));
    load_pods(&j);
    if (is_deleting(doc) || is_finished(doc)) {
        let_go(&j);
        expire(&j);
    } else {
        work(&j);
    }
    for (size_t i = 0; i < j.n; i++)
        json_decref(j.pods[i].doc);
    free(j.pods);
    indexes_done(&j.done);
    indexes_done(&j.lost);
    free(j.verdict);
    json_decref(j.status);
}

static void map_pod(struct controller *c, struct object *pod)
{
    struct jobs *js = controller_state(c);
    family_map_pod(&js->family, c, pod);
}

static void answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                     int code, const json_t *body)
{
    struct jobs *js = controller_state(c);
    family_answered(&js->family, c, ns, name, call, code, body);
    if (call->kind != &kind_pod || !streq(call->method, "POST"))
        return;
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (code >= 200 && code < 300)
        map_del(&js->failing, key);
    else
        map_put(&js->failing, key, js);
}

static void *start(struct controller *c)
{
    struct jobs *js = NEW(struct jobs);
    family_start(&js->family, c, &kind_job);
    return js;
}

static void stop(void *state)
{
    struct jobs *js = state;
    map_done(&js->failing);
    free(js);
}

static const struct controller_watch watches[] = {{&kind_job, NULL}, {&kind_pod, map_pod}, {NULL, NULL}};

const struct controller_def job_controller = {
    .name = "job-controller",
    .watches = watches,
    .reconcile = reconcile,
    .start = start,
    .stop = stop,
    .answered = answered,
};
