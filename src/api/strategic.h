/* Strategic merge patch: merge keys, retainKeys, $patch: delete|replace|merge, $deleteFromPrimitiveList,
 * $setElementOrder, $retainKeys (apimachinery pkg/util/strategicpatch). */
#pragma once
#include "base/err.h"
#include "kinds/kind.h"

/* A new document, or NULL with the reason (answered 400 or 422). */
json_t *strategic_merge(const struct kind *k, const json_t *doc, const json_t *patch, struct err *err);
