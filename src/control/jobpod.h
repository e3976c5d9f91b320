/* The pods of a Job as it makes them, and what it reads off them. */
#pragma once
#include <jansson.h>
#include <stdint.h>

#define JOB_TRACKED "batch.kubernetes.io/job-tracking" /* finalizer of pods that are not yet in the numbers */
#define JOB_INDEX "batch.kubernetes.io/job-completion-index"

/* index -1: none. failures: of this index so far; -1: not counted by index. */
json_t *job_pod_new(const json_t *job, int64_t index, int64_t failures);
/* The latest sign of life. */
int64_t job_pod_ended_usec(const json_t *pod);
