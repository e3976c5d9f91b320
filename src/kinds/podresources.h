/* What a pod as a whole asks for and may use, as limits and quotas count it. */
#pragma once
#include <jansson.h>

#include "base/quantity.h"

/* side: "requests" or "limits". Containers run together; init containers before them, one after the other, but those
 * that stay (sidecars). Returns whether any part of the pod says anything about the resource. */
bool pod_resource(const json_t *pod, const char *side, const char *resource, struct quantity *ret);
/* The amount in a map of quantities. false: there is none. */
bool resource_amount(const json_t *amounts, const char *resource, struct quantity *ret);
/* sum += more; the text keeps the format of what came first. */
void quantity_add(struct quantity *sum, const struct quantity *more);
