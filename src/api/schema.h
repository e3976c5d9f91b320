/* Walks a kind's field table over a document: what decoding, defaulting and validation mean for every kind. Pure. */
#pragma once
#include <jansson.h>

#include "api/status.h"
#include "kinds/kind.h"

enum field_validation { VALIDATION_IGNORE, VALIDATION_WARN, VALIDATION_STRICT };

/* Decodes: checks JSON types against the table and takes unknown members out. On a wrong type returns a new Status
 * (400, upstream's wording: `Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal …`);
 * STRICT makes unknown members a 400 too (`strict decoding error: unknown field "spec.foo"`, several joined by ", ").
 * WARN: appends texts
 * (`unknown field "spec.foo"`) to *warnings (an array, made when NULL). Nulls of known members are dropped, quantities
 * and times brought to canonical form. NULL: fine, doc is changed in place. */
json_t *schema_decode(const struct kind *k, json_t *doc, enum field_validation mode, json_t **warnings);
/* The same for a document whose text named members more than once, which STRICT and WARN complain about together with
 * the unknown ones. repeated: an object whose members' names are the places (JSON), or an array of complaints, "line 3:
 * …" (YAML); NULL for none. */
json_t *schema_decode_repeated(const struct kind *k, json_t *doc, enum field_validation mode, const json_t *repeated,
                               json_t **warnings);
/* Sets defaults: the table's, then k->default_more. */
void schema_default(const struct kind *k, json_t *doc);
/* What schema_validate() checks before it asks k->validate. */
void schema_validate_fields(const struct kind *k, const json_t *doc, const json_t *old, struct status_causes *causes);
/* Table checks (required, ranges, formats, enums, lengths, doubles, immutable fields against old) and k->validate, and
 * metadata (names, labels, annotations, ownerReferences, finalizers). old NULL on create. */
void schema_validate(const struct kind *k, const json_t *doc, const json_t *old, struct status_causes *causes);
/* The row that describes the member `name` of an object row's table; NULL when there is none. */
const struct field *schema_member(const struct field *fields, const char *name);
