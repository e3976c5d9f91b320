/* OpenAPI of kinds whose documents a schema describes. */
#pragma once
#include "api/openapi_types.h"

#define CUSTOM_NAME_SIZE 640
/* "com.example.stable.v1.CronTab", as upstream names them; the list's with List behind it. Returns out. */
char *openapi_custom_name(const struct kind *k, bool list, char out[CUSTOM_NAME_SIZE]);
/* The schema as it is published: version 2 knows less than ours and is told less. New reference. */
json_t *openapi_custom_schema(const struct kind *k, enum openapi_version v);
