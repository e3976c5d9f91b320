/* What a Deployment says about itself: counts, and the conditions Available, Progressing and ReplicaFailure with
 * upstream's reasons and messages. Pure: time comes in (upstream: pkg/controller/deployment/{progress,sync}.go). */
#pragma once
#include <jansson.h>

#include "control/rollout.h"

/* Sets the condition in status unless one with this status and reason is there. */
void deployment_condition(json_t *status, const char *type, const char *value, const char *reason, const char *message,
                          int64_t now_usec);
void deployment_condition_remove(json_t *status, const char *type);
/* A pausing or resuming user stops or restarts the clock of the progress deadline. */
void deployment_note_pause(const json_t *deployment, json_t *status, int64_t now_usec);
/* Counts and Available. */
void deployment_count(const json_t *deployment, const struct rollout *r, json_t *status, int64_t now_usec);
/* Progressing, after deployment_count(); the Deployment's own status is what was known before. */
void deployment_progress(const json_t *deployment, const struct rollout *r, json_t *status, int64_t now_usec);
bool deployment_complete(const json_t *deployment, const json_t *status);
/* Milliseconds until the progress deadline must be looked at again; -1: never. */
int64_t deployment_check_after_ms(const json_t *deployment, const json_t *status, int64_t now_usec);
