/* Jobs: pods that run to their end, as often as is wanted. What is done with one: jobwork.h. A pod carries a finalizer
 * until it is in the Job's numbers. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "control/jobpod.h"
#include "control/jobwork.h"
#include "control/list.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

#define POD_KEY "pod/" /* before a pod's name: the key of one that has lost its Job */

struct jobs {
    struct family family;
    struct map failing; /* "ns/name" of Jobs whose last creation failed */
};

/* --- its pods --- */

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

static void load_pods(struct job *j, const struct family *family)
{
    _cleanup_free_ struct member *members = family_claim(family, j->c, j->doc, is_tracked_pod, &j->n);
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

/* --- a Job --- */

static void set_count(struct job *j, const char *member, int64_t n)
{
    jset(j->status, member, n ? json_integer(n) : NULL);
}

static void work(struct job *j)
{
    job_note_suspension(j);
    job_count(j);
    job_judge(j);
    job_manage(j);
    job_conclude(j);
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

/* --- pods that have lost their Job --- */

/* Another Job of the same name is not theirs. */
static bool is_lost(const struct jobs *js, const json_t *pod)
{
    const json_t *ref = controller_ref(pod), *labels = jget(pod, "metadata.labels");
    const char *name =
        ref ? jstr(ref, "name") : json_string_value(json_object_get(labels, "batch.kubernetes.io/job-name"));
    if (!has_finalizer(pod, JOB_TRACKED) || (ref && !streq(jstr_or(ref, "kind", ""), "Job")))
        return false;
    const struct object *job =
        informer_get(js->family.owners, jstr_or(pod, "metadata.namespace", ""), str_or(name, ""));
    return !job || (ref && !streq(job->uid, jstr_or(ref, "uid", "")));
}

static void free_if_lost(struct controller *c, const struct object *o)
{
    if (!o)
        return;
    _cleanup_json_ json_t *pod = object_json(o);
    if (is_lost(controller_state(c), pod))
        patch_finalizer_out(c, &kind_pod, pod, JOB_TRACKED);
}

static void free_lost(struct controller *c, const char *ns)
{
    struct jobs *js = controller_state(c);
    void *cursor = NULL;
    for (struct object *o; (o = informer_next(js->family.pods, ns, &cursor));)
        free_if_lost(c, o);
}

/* --- reconcile --- */

static void reconcile(struct controller *c, const char *ns, const char *name)
{
    struct jobs *js = controller_state(c);
    if (strncmp(name, POD_KEY, strlen(POD_KEY)) == 0) {
        free_if_lost(c, informer_get(js->family.pods, ns, name + strlen(POD_KEY)));
        return;
    }
    struct object *o = informer_get(js->family.owners, ns, name);
    _cleanup_free_ char *key = make_object_key(ns, name);
    if (!o) {
        map_del(&js->failing, key);
        free_lost(c, ns);
        return;
    }
    _cleanup_json_ json_t *doc = object_json(o);
    const char *manager = jstr_or(doc, "spec.managedBy", "kubernetes.io/job-controller");
    const json_t *status = jget(doc, "status");
    struct job j = {.c = c, .doc = doc, .ns = ns, .name = name, .now = controller_now_usec(c)};
    if (!streq(manager, "kubernetes.io/job-controller"))
        return;
    j.status = status ? json_deep_copy(status) : json_object();
    j.indexed = streq(jstr_or(doc, "spec.completionMode", ""), "Indexed");
    j.per_index = j.indexed && jget(doc, "spec.backoffLimitPerIndex");
    j.failed_only = job_replaces_failed_only(doc);
    j.hesitant = map_get(&js->failing, key) != NULL;
    indexes_init(&j.done, j.indexed ? (size_t)jint(doc, "spec.completions", 0) : 0,
                 jstr(doc, "status.completedIndexes"));
    indexes_init(&j.lost, j.done.size, jstr(doc, "status.failedIndexes"));
    load_pods(&j, &js->family);
    if (is_deleting(doc) || job_is_finished(doc)) {
        let_go(&j);
        job_expire(&j);
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
    _cleanup_json_ json_t *doc = object_json(pod);
    family_map_doc(&js->family, c, doc);
    if (!is_lost(js, doc))
        return;
    _cleanup_free_ char *key = xasprintf(POD_KEY "%s", pod->name);
    controller_enqueue(c, pod->ns, key);
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
