/* The rules in CEL of a schema (x-kubernetes-validations): compiled once, with what the schema says as types, and then
 * held against documents. Upstream: apiextensions-apiserver pkg/apiserver/schema/cel. */
#pragma once
#include "api/status.h"
#include "cel/cel.h"

struct custom_expressions;
/* Complains about rules that cannot be; `path` is where the schema stands. Returns NULL when there is no rule. */
struct custom_expressions *custom_expressions_compile(const json_t *schema, const char *path,
                                                      struct status_causes *causes);
void custom_expressions_free(struct custom_expressions *x); /* NULL is fine */
/* old NULL: the document is new. The schema itself has been satisfied. */
void custom_expressions_check(const struct custom_expressions *x, const json_t *doc, const json_t *old,
                              struct status_causes *causes);
/* The type of what a schema describes, in the arena; NULL when it says too little. */
const struct cel_type *custom_cel_type(const json_t *schema, bool is_resource, struct cel_arena *a);
