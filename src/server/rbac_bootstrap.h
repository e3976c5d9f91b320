/* The default roles and bindings, made and mended at every start. */
#pragma once
#include "server/pipeline.h"

/* Makes an object or puts a new version in its place; takes doc. */
typedef void rbac_write_fn(struct server *s, const struct kind *k, json_t *doc_new, bool create);
void rbac_bootstrap(struct server *s, rbac_write_fn *write);

/* The stored object with what it lacks of the wanted one; NULL when it lacks nothing, or is not to be touched. New
 * reference. */
json_t *rbac_mended(const json_t *stored, const json_t *wanted);
