/* How good a fitting node is. A table of pure functions with weights; each gives 0 to 100 after it has been put in
 * proportion to the other candidates. */
#pragma once
#include "sched/nodeinfo.h"

/* selectors: array of the selectors of the Services that select the pod; used to spread pods without a controller.
 * Writes one score for each candidate. */
void score_nodes(const struct cluster *c, const struct sched_pod *p, const json_t *selectors,
                 struct sched_node *const *candidates, size_t n, int64_t *ret_scores);
