/* Upstream's names of the types that kinds are made of: people and tools know them (decoding errors, `kubectl explain`,
 * OpenAPI definitions). A name is "core.v1.PodSpec": package, version, Go type. */
#pragma once
#include "kinds/kind.h"

#define TYPE_NAME_SIZE 160

char *type_name_of_kind(const struct kind *k, char out[TYPE_NAME_SIZE]);
/* The type of the object (or of the items or values) in a member of a type. `out` may be `parent`. */
char *type_name_of_member(const char *parent, const char *member, char out[TYPE_NAME_SIZE]);
/* The last part: "PodSpec". */
const char *type_name_short(const char *name);
