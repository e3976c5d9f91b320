/* Sets of fields, as metadata.managedFields shows them (FieldsV1): a tree of objects whose member names are the steps
 * of a path: f:NAME, k:{KEYS} and v:VALUE for items of lists, i:INDEX. A node belongs to the set when it is empty or
 * has the member ".", the root never. Keeping this form means that objects carry their sets around without any
 * conversion. Sets are immutable and may share parts. Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/* A set in canonical form from outside; NULL when it is none. New reference. */
json_t *fieldset_parse(const json_t *fields_v1);

/* New references. NULL stands for the empty set, as input too. */
json_t *fieldset_union(const json_t *a, const json_t *b);
json_t *fieldset_minus(const json_t *a, const json_t *b);  /* exactly these; what is below them stays */
json_t *fieldset_common(const json_t *a, const json_t *b); /* exactly those in both */

bool fieldset_is_empty(const json_t *set);
/* Whether a node, which is no root, belongs to its set itself. */
bool fieldset_is_member(const json_t *node);

/* Calls visit for every member, siblings before what is below them, in the order of their steps. path: as upstream
 * prints it, `.spec.containers[name="web"].image`. */
void fieldset_each(const json_t *set, void (*visit)(void *arg, const char *path), void *arg);
/* Appends one step as it is in such a path. */
void fieldset_print_step(const char *step, struct buf *out);
