/* What ReplicaSets and ReplicationControllers have in common: keeping a number of pods. They differ in the kind and in
 * how the selector is written. */
#pragma once
#include "client/controller.h"

struct replicas_type {
    const struct kind *kind;
    bool (*selects)(const json_t *selector, const json_t *labels);
};

void *replicas_start(struct controller *c, const struct replicas_type *type);
void replicas_stop(void *state);
void replicas_reconcile(struct controller *c, const char *ns, const char *name);
void replicas_answered(struct controller *c, const char *ns, const char *name, const struct controller_call *call,
                       int code, const json_t *body);
void replicas_map_pod(struct controller *c, struct object *pod);
