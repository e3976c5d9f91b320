/* What a Job's policies say about its pods and its indexes. Pure. */
#pragma once
#include <jansson.h>

#include "control/indexes.h"

enum job_verdict { VERDICT_COUNT, VERDICT_IGNORE, VERDICT_FAIL_INDEX, VERDICT_FAIL_JOB };

/* Of podFailurePolicy about a failed pod. *ret_why: for VERDICT_FAIL_JOB the message, which the caller frees; else
 * NULL.
 */
enum job_verdict job_verdict(const json_t *job, const json_t *pod, char **ret_why);
/* How often the index of this failed pod has failed, this time included. */
int64_t job_index_failures(const json_t *pod);
#define JOB_INDEX_FAILURES "batch.kubernetes.io/job-index-failure-count"
/* The first rule of successPolicy that is met; -1: none. */
int job_success_rule(const json_t *job, const struct indexes *done);
/* Pods are replaced when they have failed, not already when they are being deleted. */
bool job_replaces_failed_only(const json_t *job);
