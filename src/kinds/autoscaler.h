/* What the versions of HorizontalPodAutoscaler share. */
#pragma once
#include "api/status.h"
#include "kinds/kind.h"

extern const struct field autoscaler_target_fields[]; /* spec.scaleTargetRef and whatever else is named like it */
extern const struct column autoscaler_columns[];
extern const char *const autoscaler_short_names[], *const autoscaler_categories[];
/* autoscalerrules.c */
void autoscaler_validate(const json_t *obj, const json_t *old, struct status_causes *causes);
