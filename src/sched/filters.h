/* Which nodes can take a pod, and why the others cannot. A table of pure functions, asked in upstream's order; the
 * first that refuses a node gives the reasons. */
#pragma once
#include "base/map.h"
#include "sched/nodeinfo.h"

/* Reasons with the number of nodes that gave each. */
struct refusals {
    struct map counts; /* text -> number, as a pointer */
};
bool node_fits(const struct sched_pod *p, const struct sched_node *n, struct refusals *why);
/* `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`; empties it. The caller frees. */
char *refusals_text(struct refusals *why, size_t n_nodes);
