/* How a Deployment knows its ReplicaSets apart: the hash of the pod template in names and labels, and the annotations
 * that number the revisions. Pure (upstream: pkg/controller/deployment/util). */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define HASH_LABEL "pod-template-hash"
#define REVISION_ANNOTATION "deployment.kubernetes.io/revision"
#define HISTORY_ANNOTATION "deployment.kubernetes.io/revision-history"
#define DESIRED_ANNOTATION "deployment.kubernetes.io/desired-replicas"
#define MAX_ANNOTATION "deployment.kubernetes.io/max-replicas"
#define TEMPLATE_HASH_SIZE 16

/* The label value for a template. collisions: status.collisionCount, to get another one when a name is taken. */
void template_hash(const json_t *template, int64_t collisions, char out[TEMPLATE_HASH_SIZE]);
/* Equal but for the hash label. */
bool same_template(const json_t *a, const json_t *b);
int64_t annotation_int(const json_t *obj, const char *key, int64_t otherwise);
static inline int64_t revision_of(const json_t *obj)
{
    return annotation_int(obj, REVISION_ANNOTATION, 0);
}
void annotate(json_t *obj, const char *key, const char *value);
void annotate_int(json_t *obj, const char *key, int64_t value);
/* Gives a ReplicaSet the Deployment's annotations and at least this revision. */
void inherit_annotations(json_t *replica_set, const json_t *deployment, int64_t revision);
/* A new ReplicaSet for the Deployment's template, without replicas and revision. */
json_t *replica_set_new(const json_t *deployment);
