/* How the value of a field divides into parts with owners of their own; shared by the files behind fieldwalk.h. */
#pragma once
#include <jansson.h>

#include "kinds/kind.h"

enum field_shape {
    SHAPE_LEAF,  /* stands for itself */
    SHAPE_MAP,   /* its members are parts: of a table, of a map, or free-form */
    SHAPE_ITEMS, /* its items are parts: told apart by keys or by value */
};

/* f NULL: free-form. */
enum field_shape field_shape(const struct field *f, const json_t *value);
/* The description of a member of a SHAPE_MAP, NULL: free-form. */
const struct field *shape_member(const struct field *f, const char *name);
/* Whether that member is a field of a table, as opposed to the key of a map. */
bool shape_is_named(const struct field *f, const char *name);
/* The step (fieldset.h) that leads to an item of a SHAPE_ITEMS; NULL when it lacks a key. The caller frees. */
char *shape_item_step(const struct field *list, const json_t *item);
/* The step that leads to a member of a SHAPE_MAP. The caller frees. */
char *shape_member_step(const char *name);
/* step -> item (borrowed) of a list; NULL when an item lacks a key or two are alike: such a list is one value. New
 * reference. */
json_t *shape_index(const struct field *list, const json_t *items);
/* A kind as one field. */
struct field shape_root(const struct kind *k);
