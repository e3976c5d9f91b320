/* Making room: which pods of lower priority would have to go so that one that fits nowhere fits. Pure (upstream:
 * framework/preemption, plugins/defaultpreemption). */
#pragma once
#include "sched/filters.h"

/* A PodDisruptionBudget, as far as it matters here. */
struct budget {
    const char *ns;
    const json_t *selector;
    int64_t allowed;
};

struct room {
    struct sched_node *node;
    struct sched_pod **victims; /* of the cluster; the most important first */
    size_t n;
};

/* True: in *ret; the caller frees ret->victims. False: *ret_why says why not. The cluster is tried out on, and as
 * before afterwards. */
bool preempt(struct cluster *cluster, const struct sched_pod *p, const struct budget *budgets, size_t n_budgets,
             struct room *ret, char **ret_why);
