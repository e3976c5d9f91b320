/* The FlowSchemas and PriorityLevelConfigurations that every cluster has (upstream: the mandatory and the suggested
 * ones, apiserver pkg/apis/flowcontrol/bootstrap). Pure. */
#pragma once
#include "kinds/kind.h"

/* The i-th of them, levels before the schemas that name them; NULL behind the last. New reference. */
json_t *flow_default(size_t i, const struct kind **ret_kind);
