/* Which nodes can take a pod, and why the others cannot. A table of pure functions, asked in upstream's order; the
 * first that refuses a node gives the reasons. */
#pragma once
#include "base/map.h"
#include "sched/nearness.h"
#include "sched/spread.h"

/* What is worked out once for a pod, before nodes are asked one by one. Good until the cluster changes. */
struct decision {
    const struct sched_pod *pod;
    struct nearness near;
    struct spread spread;
};
void decision_begin(struct decision *d, const struct cluster *c, const struct sched_pod *p);
void decision_done(struct decision *d);

/* What a refusal has to do with, so what change may end it. */
enum cause {
    CAUSE_NODE = 1,
    CAUSE_ROOM = 2,    /* pods that are there */
    CAUSE_COMPANY = 4, /* pods that are not */
    CAUSE_STORAGE = 8  /* claims, volumes, classes */
};

/* Reasons with the number of nodes that gave each. */
struct refusals {
    struct map counts; /* text -> number, as a pointer */
    unsigned causes;
};
void refusals_add(struct refusals *why, const char *reason);
/* `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`; empties it. The caller frees. */
char *refusals_text(struct refusals *why, size_t n_nodes);
void refusals_done(struct refusals *why);

enum fit { FIT_YES, FIT_NO, FIT_NEVER /* whatever pods go from the node */ };
enum fit node_fits(const struct decision *d, const struct sched_node *n, struct refusals *why);
