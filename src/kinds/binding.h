/* Claims and volumes: the names under which upstream's parts talk about them, and whether a volume serves a claim. For
 * admission, the controllers, the scheduler and the agents. Pure (upstream: component-helpers/storage/volume). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Annotations of claims and volumes. */
#define BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define BOUND_BY_CONTROLLER "pv.kubernetes.io/bound-by-controller"
#define PROVISIONED_BY "pv.kubernetes.io/provisioned-by"
#define STORAGE_PROVISIONER "volume.kubernetes.io/storage-provisioner"
#define STORAGE_PROVISIONER_BETA "volume.beta.kubernetes.io/storage-provisioner"
#define SELECTED_NODE "volume.kubernetes.io/selected-node"
#define CLASS_ANNOTATION "volume.beta.kubernetes.io/storage-class"
#define DEFAULT_CLASS "storageclass.kubernetes.io/is-default-class"
#define DEFAULT_CLASS_BETA "storageclass.beta.kubernetes.io/is-default-class"
/* Finalizers. */
#define CLAIM_PROTECTION "kubernetes.io/pvc-protection"
#define VOLUME_PROTECTION "kubernetes.io/pv-protection"

/* Directories of the nodes as volumes: the class every cluster has, its provisioner (also the finalizer by which a
 * node's agent learns that a directory may go), and the annotation by which a node says where they are. */
#define LOCAL_PATH_CLASS "local-path"
#define LOCAL_PATH_PROVISIONER "c8s.io/local-path"
#define LOCAL_PATH_DIRECTORY "c8s.io/local-path-directory"

const char *annotation_of(const json_t *obj, const char *key); /* NULL when missing */

/* Class of a claim or volume: the old annotation counts first; "" when it has none. */
const char *storage_class_of(const json_t *obj);
/* Whether the claim says anything about its class, even that there shall be none. */
bool claim_names_class(const json_t *claim);
bool class_is_default(const json_t *class);
bool class_waits(const json_t *class); /* for the first pod; NULL: no */

/* Whether the volume's claimRef means this claim; one without a uid is kept for whoever has the name. */
bool volume_is_claimed_by(const json_t *volume, const json_t *claim);
bool claim_is_bound(const json_t *claim); /* both sides know of it */
/* Why this volume cannot serve the claim, whoever has it; NULL when it can. */
const char *volume_mismatch(const json_t *volume, const json_t *claim);
/* Whether a free volume may be bound to the claim by choice: no mismatch, available, and the selector matches. */
bool volume_serves(const json_t *volume, const json_t *claim);
/* The volume kept for the claim, else the smallest that serves it (by name among equals). delayed: only a kept one.
 * Returns its number, or n when there is none. */
size_t volume_choose(json_t *const *volumes, size_t n, const json_t *claim, bool delayed);
/* Required node affinity of the volume. labels: the node's. */
bool volume_reaches(const json_t *volume, const char *node, const json_t *labels);

/* The claim that a volume of a pod's spec means: NULL when it means none. A generic ephemeral volume has a claim that
 * is named after pod and volume. The caller frees. */
char *volume_claim_name(const char *pod, const json_t *pod_volume);
