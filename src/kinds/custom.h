/* Kinds made at run time from CustomResourceDefinitions: from a definition to a struct kind, and the walkers over their
 * schemas (OpenAPI v3, structural as of KEP-1693's rules: every field is specified outside of allOf and its like). Pure
 * but for the registry of kinds. A schema is kept and walked as the JSON it is. */
#pragma once
#include "api/status.h"
#include "kinds/kind.h"

/* --- a schema over a document --- */

/* Takes out what the schema does not specify and appends it to `unknown`, an array (`unknown field "spec.foo"`), unless
 * that is NULL. metadata, apiVersion and kind of the document itself are not the schema's. */
void custom_prune(const json_t *schema, json_t *doc, json_t *unknown);
/* Sets defaults; nulls where null is not allowed and there is a default give way to it. */
void custom_default(const json_t *schema, json_t *doc);
/* Everything that is wrong, in upstream's words ("spec.replicas in body should be less than or equal to 10").
 * Rules in CEL come after that (kinds/customexpr.h). */
void custom_validate(const json_t *schema, const json_t *doc, struct status_causes *causes);
/* The same for one value somewhere: `at` is what its path begins with. */
void custom_validate_value(const json_t *schema, const json_t *value, const char *at, struct status_causes *causes);
/* Whether a text has the format ("date-time", "ipv4"…); formats nobody knows are never wrong. */
bool custom_format_fits(const char *format, const char *text);

/* --- definitions --- */

/* Rules of a definition's schema; `path` is where it stands. */
void custom_check_schema(struct status_causes *c, const json_t *schema, const char *path);

/* Makes the kinds of a definition known, or makes known what has changed about them. Only what it has been accepted for
 * is served (status). Returns the kind as it is kept. */
const struct kind *custom_define(const json_t *crd);
/* They are served no longer. Objects may still point to them. Returns the kind as it is kept, or NULL. */
const struct kind *custom_undefine(const json_t *crd);
/* Why a definition may not have one of its names, by the part of the condition's reason ("Plural", "ShortNames"…): the
 * name that is another's already, or NULL. */
const char *custom_name_taken(const json_t *crd, const char **ret_part);

/* The fields of a schema as a table, for what merges and owns fields (server-side apply). `blocks` collects what has to
 * be freed. */
struct custom_blocks {
    void **items;
    size_t n;
};
void *custom_alloc(struct custom_blocks *b, size_t n, size_t size);
void custom_blocks_done(struct custom_blocks *b);
const struct field *custom_fields(const json_t *schema, struct custom_blocks *blocks);
