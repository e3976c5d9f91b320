/* Spreads endpoints over EndpointSlices with as few writes as will do. Pure: what there is and what shall be come in,
 * changes go out (upstream: k8s.io/endpointslice reconciler). */
#pragma once
#include <jansson.h>
#include <stddef.h>

#include "client/controller.h"

#define SERVICE_NAME_LABEL "kubernetes.io/service-name"
#define MANAGED_BY_LABEL "endpointslice.kubernetes.io/managed-by"

/* Exactly one of old and to may be NULL: a creation, or a deletion. Borrowed. */
typedef void slices_emit_fn(void *arg, const json_t *old, const json_t *to);

/* existing: the slices of one Service, one address type and one manager. groups: array of {ports: […], endpoints: […]},
 * the ports of each group different. blank: a slice with everything but ports and endpoints; its labels, annotations
 * and owners are given to all slices. An empty slice is kept when there is no endpoint, unless none_if_empty. */
void slices_plan(const json_t *existing, const json_t *groups, const json_t *blank, size_t max_per_slice,
                 bool none_if_empty, slices_emit_fn *emit, void *arg);

/* Index of an EndpointSlice informer by "ns/SERVICE" of the label. */
void slices_by_service(const struct object *o, informer_emit_fn *emit, void *emit_arg);
/* Those of one Service, manager and address type: a new array of documents. */
json_t *slices_of_service(const struct informer *slices, int index, const char *ns, const char *service,
                          const char *manager, const char *address_type);
/* slices_emit_fn with the controller as arg: an awaited write. */
void slices_write(void *arg, const json_t *old, const json_t *to);
/* Enqueues the Service of a slice if `manager` manages it. */
void slices_map(struct controller *c, struct object *slice, const char *manager);
