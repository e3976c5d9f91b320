/* More pods for a Job, or fewer. One that shall go without being counted loses its finalizer first: one that runs
 * without it is deleted. */
#include "control/jobpod.h"
#include "control/jobwork.h"
#include "control/meta.h"
#include "json/json.h"
#include "kinds/kind.h"

/* A failed pod is replaced after this, doubling with each failure since the last success. */
#define BACKOFF_MIN_USEC (10 * 1000000LL)
#define BACKOFF_MAX_USEC (600 * 1000000LL)

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
    int64_t most = j->hesitant ? 1 : JOB_BURST_MAX;
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
    if (jbool(j->doc, "spec.suspend", false) || job_has(j, "SuccessCriteriaMet"))
        return 0;
    if (!jget(j->doc, "spec.completions"))
        return j->succeeded ? (j->active < parallelism ? j->active : parallelism) : parallelism;
    int64_t left = jint(j->doc, "spec.completions", 0) - j->succeeded - indexes_count(&j->lost);
    left = left > 0 ? left : 0;
    return left < parallelism ? left : parallelism;
}

void job_manage(struct job *j)
{
    for (size_t i = 0; i < j->n; i++) { /* let go earlier */
        const struct job_pod *p = &j->pods[i];
        if (!p->tracked && pod_active(p->m.state))
            family_delete_pod(j->c, p->m.pod);
    }
    if (job_has(j, "FailureTarget")) { /* these count as failed */
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
