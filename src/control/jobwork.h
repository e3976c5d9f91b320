/* A Job as it is being reconciled, and the steps of that, each a file: its pods are loaded (job.c), those that have
 * ended are counted, the Job is judged by the numbers, pods are made or let go, and the end is said. */
#pragma once
#include "control/family.h"
#include "control/indexes.h"
#include "control/jobpolicy.h"

#define JOB_BURST_MAX 500 /* pods made, deleted or counted in one go, as upstream */

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

struct job {
    struct controller *c;
    const json_t *doc;
    const char *ns, *name;
    int64_t now;
    struct job_pod *pods;
    size_t n;
    json_t *status; /* what it shall be */
    bool indexed;
    bool per_index;      /* failures count by index */
    bool failed_only;    /* see job_replaces_failed_only() */
    bool hesitant;       /* its last creation failed: one at a time */
    struct indexes done; /* with those that succeed now */
    struct indexes lost; /* that have failed for good, with those that do so now */
    char *verdict;       /* podFailurePolicy fails the Job: why; NULL: it does not */
    int64_t ending, active, ready, terminating, succeeded, failed;
};

/* jobcount.c: pods that have ended become part of the numbers. */
void job_count(struct job *j);

/* jobend.c: conditions, in the status that shall be. */
bool job_has(const struct job *j, const char *type);
bool job_is_finished(const json_t *job);
void job_note_suspension(struct job *j);
void job_judge(struct job *j);    /* whether it shall end, and how */
void job_conclude(struct job *j); /* the end is said when every pod has ended and is in the numbers */
void job_expire(struct job *j);   /* a finished one goes after its time to live */

/* jobscale.c: as many pods as it takes. */
void job_manage(struct job *j);
