/* Schemas of types from the kind tables, for both OpenAPI versions. */
#pragma once
#include "kinds/kind.h"

enum openapi_version { OPENAPI_V2, OPENAPI_V3 };

/* Adds the kind, its list and every type they are made of to `schemas`, by upstream's names. */
void openapi_add_kind(json_t *schemas, const struct kind *k, enum openapi_version v);
/* {"$ref": …} to the kind's schema, or its list's. New reference. */
json_t *openapi_kind_ref(const struct kind *k, bool list, enum openapi_version v);
/* {"group", "kind", "version"}: the value of x-kubernetes-group-version-kind. New reference. */
json_t *openapi_gvk(const struct kind *k, const char *kind_name);
