/* What the two who write a PodDisruptionBudget's status share: the controller and evictions. */
#pragma once
#include <jansson.h>

/* The condition DisruptionAllowed, as status.disruptionsAllowed says, or SyncFailed with why it could not be computed
 * (failure; else NULL). now: RFC 3339. */
void budget_set_condition(json_t *status, const char *failure, const char *now);
