/* The JSONPath of printer columns and selectable fields: .a.b, ['a'], [0], [-1], [*], .*, [1:3], [?(@.type=="Ready")],
 * with or without braces around. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* False when the path is none of these. */
bool jsonpath_valid(const char *path);
/* Names and numbers only, so that there is one value at most. */
bool jsonpath_is_simple(const char *path);
/* The first value the path leads to; borrowed, NULL when there is none. */
json_t *jsonpath_first(const json_t *doc, const char *path);
