/* What the controllers of claims and volumes share: looking things up, and being told of what concerns them. */
#pragma once
#include "client/controller.h"

struct storage {
    struct informer *claims, *volumes, *classes, *pods;
    int volumes_by_claim; /* "NS/NAME" of spec.claimRef */
    int pods_by_claim;    /* "NS/NAME" of every claim that a pod mounts */
};
void storage_start(struct storage *s, struct controller *c);
/* New references; NULL when there is none. */
json_t *storage_get(struct informer *i, const char *ns, const char *name);
json_t *storage_class(const struct storage *s, const json_t *claim);
/* The claim that the volume is bound to or kept for, if it is still the same. */
json_t *storage_claim_of(const struct storage *s, const json_t *volume);
/* A pod that mounts the claim and for which accepts says yes. New reference. */
json_t *storage_pod_of(const struct storage *s, const json_t *claim, bool (*accepts)(const json_t *pod));

/* For watches: a volume's claim, a claim's volume, the claims of a pod. */
void storage_enqueue_claim_of(struct controller *c, struct object *volume);
void storage_enqueue_claims_of(struct controller *c, struct object *pod);
