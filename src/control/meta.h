/* What controllers do with metadata and status: owners, differences as patches, conditions. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "client/controller.h"

/* The owner reference with controller: true, or NULL. */
const json_t *controller_ref(const json_t *obj);
/* A new reference {apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true} to obj. */
json_t *controller_ref_new(const json_t *obj);
/* Index key function: the uid of the controller; objects without one are found under ORPHANS_OF their
 * namespace. */
void by_controller(const struct object *o, informer_emit_fn *emit, void *emit_arg);
#define ORPHANS_OF "orphans of "

/* Index key function: the node a pod is bound to. */
void by_node(const struct object *o, informer_emit_fn *emit, void *emit_arg);

bool is_deleting(const json_t *obj);
bool has_finalizer(const json_t *obj, const char *name);
int64_t jtime(const json_t *obj, const char *path); /* microseconds; 0 when missing or not a time */

/* The merge patch that makes `to` out of `from`; NULL when they are equal. */
json_t *merge_diff(const json_t *from, const json_t *to);
/* Awaited patch from one version to another, nothing when they are equal. sub: NULL or "status". guarded: refused when
 * the object is no longer at from's resourceVersion. Returns whether there was a difference. */
bool patch_difference(struct controller *c, const struct kind *k, const json_t *from, const json_t *to, const char *sub,
                      bool guarded);
/* The same for .status alone; to_status is what it shall be. */
bool patch_status(struct controller *c, const struct kind *k, const json_t *obj, const json_t *to_status);
/* Takes this owner away / adds one, guarded. */
void patch_owner_out(struct controller *c, const struct kind *k, const json_t *obj, const char *owner_uid);
void patch_owner_in(struct controller *c, const struct kind *k, const json_t *obj, const json_t *owner);
void patch_finalizer_out(struct controller *c, const struct kind *k, const json_t *obj, const char *finalizer);
/* Deletes this very object (precondition: its uid). policy: propagationPolicy or NULL; grace: seconds or -1. */
void delete_exactly(struct controller *c, const struct kind *k, const char *ns, const char *name, const char *uid,
                    const char *policy, int grace);

/* Conditions: arrays of {type, status, reason, message, lastTransitionTime}. */
json_t *condition_find(const json_t *obj, const char *type); /* in status.conditions; borrowed */
