/* What Jobs and the templates of Jobs have in common. Inside the room only. */
#pragma once
#include "api/status.h"
#include "kinds/kind.h"

#define UID_LABEL "batch.kubernetes.io/controller-uid" /* by which a Job's selector finds its pods */

extern const struct field job_spec_fields[];
/* jobrules.c. path: where the spec is ("spec", "spec.jobTemplate.spec"). */
void job_spec_validate(const json_t *spec, const char *path, struct status_causes *causes);
void job_validate(const json_t *job, const json_t *old, struct status_causes *causes);
