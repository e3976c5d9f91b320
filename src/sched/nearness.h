/* Affinity and anti-affinity between pods: what is counted once for a pod, and what it says about a node. Pure
 * (upstream: plugins/interpodaffinity). */
#pragma once
#include "sched/nodeinfo.h"

/* Each: "KEY\nVALUE" of a node label -> a number. */
struct nearness {
    struct map near;     /* placed pods that match all of the pod's required terms */
    struct map away;     /* those that one of its anti-affinity terms matches */
    struct map repelled; /* those whose anti-affinity terms match it */
    struct map weights;  /* preferences of both sides; nearness_weigh() */
    bool meets_itself;   /* the first of a group may not wait for another */
};

void nearness_count(struct nearness *c, const struct sched_pod *p, const struct cluster *cluster);
void nearness_weigh(struct nearness *c, const struct sched_pod *p, const struct cluster *cluster);
void nearness_done(struct nearness *c);

bool is_near(const struct nearness *c, const struct sched_pod *p, const struct sched_node *n);
bool is_away(const struct nearness *c, const struct sched_pod *p, const struct sched_node *n);
bool is_tolerated(const struct nearness *c, const struct sched_node *n); /* by the pods that are there */
int64_t nearness_score(const struct nearness *c, const struct sched_node *n);
