/* Topology spread: how evenly the pods that a constraint selects lie over domains (nodes with the same value of a
 * label). Pods without constraints of their own are spread from their siblings, by node and by zone. Pure (upstream:
 * plugins/podtopologyspread). */
#pragma once
#include "sched/nodeinfo.h"

struct spread_rule {
    const char *key;
    json_t *selector; /* NULL: the siblings */
    int64_t max_skew, min_domains;
    bool heeds_affinity, heeds_taints;
    struct map counts; /* value of the label -> pods + 1 */
    int64_t least;     /* in any domain */
    double weight;     /* in scores: a pod more in one of many domains says more */
    bool counts_itself;
};

/* The constraints of one pod that are of one sort: hard (DoNotSchedule) or soft. */
struct spread {
    struct spread_rule *rules;
    size_t n;
    bool by_default;
};

/* selectors: of the Services that select the pod; for soft ones. */
void spread_count(struct spread *s, const struct sched_pod *p, const json_t *selectors, const struct cluster *cluster,
                  bool hard);
void spread_done(struct spread *s);
bool spread_has_labels(const struct spread *s, const struct sched_node *n); /* of all rules */
bool spread_holds(const struct spread *s, const struct sched_node *n);      /* of all rules, with this pod as well */
/* The more, the fuller the node's domains are; SCORE_WORST without the labels that the pod's own rules want. */
int64_t spread_score(const struct spread *s, const struct sched_node *n);
#define SCORE_WORST INT64_MAX
