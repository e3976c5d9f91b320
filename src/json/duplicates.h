/* Members that a JSON text names twice in one object: parsers keep the last, people want to be told. Pure. */
#pragma once
#include <jansson.h>

#include "base/err.h"

/* As jparse(), but the last of several members with one name counts. *ret_duplicates: their places ("spec.a[0].b"), an
 * array of texts, NULL when there are none. */
json_t *jparse_last(const char *text, size_t len, json_t **ret_duplicates, struct err *err);
