/* The claims of a StatefulSet's pods: TEMPLATE-POD, made before the pod, kept when it goes, unless the set's retention
 * policy says otherwise: then the claim is owned by the pod that will go or by the set, and the garbage collector does
 * the rest (upstream: stateful_pod_control.go; KEP-1847). */
#pragma once
#include "client/controller.h"

/* Adds the volumes for the claims to the pod, in the place of others of their names. */
void set_claims_mount(const json_t *set, json_t *pod);
/* Whether the pod has all of its claims; those that are missing have been asked for. */
bool set_claims_exist(struct controller *c, struct informer *claims, const json_t *set, const char *pod);
/* Whether the claims are owned as the policy wants it; otherwise that has been asked for. leaving: the pod is one too
 * many. */
bool set_claims_are_owned(struct controller *c, struct informer *claims, const json_t *set, const json_t *pod,
                          bool leaving);
/* Whether the claim is called as one of the set's. */
bool set_claims_name(const json_t *set, const char *claim);
