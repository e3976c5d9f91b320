/* What Jobs and the templates of Jobs have in common. Inside the room only. */
#pragma once
#include "api/status.h"
#include "kinds/kind.h"

extern const struct field job_spec_fields[];
void job_spec_default(json_t *spec);
/* path: where the spec is ("spec", "spec.jobTemplate.spec"). */
void job_spec_validate(const json_t *spec, const char *path, struct status_causes *causes);
