/* What a list or watch lets through: ?labelSelector= and ?fieldSelector=. */
#pragma once
#include "api/selector.h"
#include "kinds/object.h"

struct filter {
    struct selector *labels;       /* NULL: all */
    struct field_selector *fields; /* NULL: all */
    char *name;                    /* the field selector asks for just this metadata.name */
};

int filter_parse(const struct kind *k, const char *query, struct filter *ret, struct err *err);
void filter_done(struct filter *f);
bool filter_matches(const struct filter *f, const struct object *o);
static inline bool filter_is_empty(const struct filter *f)
{
    return !f->labels && !f->fields && !f->name;
}
