/* RFC 6902 JSON Patch and RFC 7386 JSON Merge Patch. Both return a new document, or NULL with the reason; the original
 * is left alone (parts may be shared). */
#pragma once
#include "json/json.h"

#define JSON_PATCH_OPS_MAX 10000 /* upstream's limit, against quadratic patches */

json_t *json_patch_apply(const json_t *doc, const json_t *ops, struct err *err);
json_t *json_merge_patch(const json_t *doc, const json_t *patch);
