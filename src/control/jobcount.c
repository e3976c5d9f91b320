/* Counting a Job's pods that have ended, each once, whoever deletes it and whenever the program stops: its uid goes to
 * status.uncountedTerminatedPods, then its finalizer goes, then the uid becomes part of the number (upstream:
 * pkg/controller/job). An Indexed Job's successes are counted by their index. */
#include <string.h>

#include "base/str.h"
#include "control/jobpod.h"
#include "control/jobwork.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

static const struct job_pod *pod_of_uid(const struct job *j, const char *uid)
{
    for (size_t i = 0; i < j->n; i++)
        if (streq(j->pods[i].m.pod->uid, uid))
            return &j->pods[i];
    return NULL;
}

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

void job_count(struct job *j)
{
    size_t noted = 0;
    json_t *succeeded = flush(j, "succeeded", "succeeded"), *failed = flush(j, "failed", "failed");
    for (size_t i = 0; i < j->n; i++) {
        struct job_pod *p = &j->pods[i];
        if (p->role == ROLE_ACTIVE) {
            j->active++;
            j->ready += p->m.state->ready;
        } else if (p->role != ROLE_DROPPED && p->role != ROLE_ENDING && noted++ < JOB_BURST_MAX) {
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
