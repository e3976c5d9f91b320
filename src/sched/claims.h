/* The claims of a pod that looks for a node: which nodes reach the volumes it has, and where those that wait for it can
 * be made. A claim that waits is settled for a node before the pod is bound: by a volume kept for it, or by telling the
 * provisioner the node (upstream: plug-ins VolumeBinding and VolumeRestrictions). */
#pragma once
#include "client/controller.h"
#include "sched/nodeinfo.h"

struct claims_store {
    struct informer *claims, *volumes, *classes, *pods;
};
void claims_start(struct claims_store *s, struct controller *c);

struct pod_claims {
    const struct claims_store *store;
    char *problem;   /* why no node will do; NULL: ask for each */
    json_t *bound;   /* volumes */
    json_t *waiting; /* claims to be settled */
    json_t *free;    /* volumes that they may get */
};
/* NULL when the pod has none. */
struct pod_claims *pod_claims_new(const struct claims_store *s, const json_t *pod);
void pod_claims_free(struct pod_claims *pc); /* NULL is fine */
/* NULL, or why not on this node. */
const char *claims_refuse(const struct pod_claims *pc, const struct sched_node *n);
/* A node that was chosen before and is being waited for; NULL: none yet. Borrowed. */
const char *claims_chosen_node(const struct pod_claims *pc);
/* True when nothing waits; otherwise what is missing has been asked for, and a changed claim will tell. */
bool claims_settle(const struct pod_claims *pc, struct controller *c, const struct sched_node *n);
