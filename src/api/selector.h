/* Label and field selectors of lists and watches: text in, yes or no out, from the objects' headers. Pure. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "kinds/kind.h"
#include "kinds/object.h"

struct selector; /* immutable */
/* `a=b,c!=d,e in (x,y),!f` (apimachinery labels.Parse); "" selects everything. */
struct selector *selector_parse(const char *text, struct err *err);
void selector_free(struct selector *s);
bool selector_matches(const struct selector *s, const struct object *o);

/* Field selectors: `metadata.name=x,spec.nodeName!=y`. A label that the kind does not support is an error with
 * upstream's text
 * (`field label not supported: foo`). */
struct field_selector;
struct field_selector *field_selector_parse(const struct kind *k, const char *text, struct err *err);
void field_selector_free(struct field_selector *s);
/* o is of the kind that the selector was parsed for. */
bool field_selector_matches(const struct field_selector *s, const struct object *o);
