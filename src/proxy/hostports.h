/* hostPorts: ports of the node that lead to one of its pods, as upstream's CNI plugin portmap makes them. They are
 * fronts like those of Services, after which they come. Pure. */
#pragma once
#include <jansson.h>

#include "proxy/plan.h"

/* NULL when the pod has none, or no address yet, or has ended. */
struct plan *hostports_plan(const struct site *site, const json_t *pod);
