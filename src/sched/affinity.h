/* Node selectors: nodeSelector and node affinity. Pure (upstream: component-helpers nodeaffinity). */
#pragma once
#include "sched/nodeinfo.h"

bool node_is_required(const struct sched_pod *p,
                      const struct sched_node *n); /* nodeSelector and required affinity match */
int64_t node_preference(const struct sched_pod *p, const struct sched_node *n); /* sum of the weights that match */
