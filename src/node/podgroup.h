/* What a pod may use as a whole, as lines for its control group (upstream: cm/helpers_linux.go ResourceConfigForPod).
 * The containers' own limits are the runtime's affair (spec.h). Pure but for podgroup_make. */
#pragma once
#include <jansson.h>

#include "node/cgroup.h"

#define PODGROUP_VALUE_SIZE 48

struct podgroup {
    char cpu_weight[PODGROUP_VALUE_SIZE]; /* by what the pod requests: how pods share a CPU that all of them want */
    char cpu_max[PODGROUP_VALUE_SIZE];    /* the sums of limits, where every container has one; else "max …" */
    char memory_max[PODGROUP_VALUE_SIZE];
};

void podgroup_of(const json_t *pod, struct podgroup *ret);
/* Makes the pod's group with these values; where limits cannot be had (cgroups.limits), nothing. Blocking, any thread.
 */
int podgroup_make(const struct cgroups *g, const char *path, const json_t *pod, struct err *err);
