/* Objects as server-side apply sees them: a kind's table says which fields stand for themselves, which maps and lists
 * have owners for their members, and by what items are told apart. Sets: fieldset.h. Rules: KEP-555 and
 * structured-merge-diff (typed/). Fields without a description are free-form: their maps have members, their lists are
 * one value. Pure. */
#pragma once
#include "api/fieldset.h"
#include "kinds/kind.h"

/* The fields that a document sets, without those that have no owner (its type, name, revision and the like). */
json_t *fields_of(const struct kind *k, const json_t *doc);

struct field_changes {
    json_t *set;     /* added, or of another value */
    json_t *removed; /* gone */
};
/* a NULL: b is new. */
struct field_changes fields_compare(const struct kind *k, const json_t *a, const json_t *b);
void field_changes_done(struct field_changes *c);

/* The set with those fields of tables that only hold members of it. */
json_t *fields_with_parents(const struct kind *k, const json_t *set);

/* What `config` says over what `live` says; order: what both have as in config, what only live has near its neighbours.
 * Parts are shared with both. */
json_t *fields_merge(const struct kind *k, const json_t *live, const json_t *config);
/* Takes the members of the set, with all that is below them, out of doc; what is empty then goes too. */
void fields_remove(const struct kind *k, json_t *doc, const json_t *set);

/* Why the document cannot be owned field by field: `.spec.foo: field not declared in schema`, lists whose items cannot
 * be told apart; several as upstream joins them. NULL: it can. The caller frees. */
char *fields_check(const struct kind *k, const json_t *doc);
