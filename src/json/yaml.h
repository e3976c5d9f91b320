/* YAML 1.1 as sigs.k8s.io/yaml reads it, into JSON documents. */
#pragma once
#include "json/json.h"

/* One document; NULL with line and column in err. Aliases and depth are limited (billion laughs). */
json_t *yaml_parse(const char *text, size_t len, struct err *err);
/* As yaml_parse(), but the last of several members with one name counts. *ret_duplicates: complaints about them ("line
 * 3: key \"a\" already set in map"), an array of texts, NULL when there are none. */
json_t *yaml_parse_last(const char *text, size_t len, json_t **ret_duplicates, struct err *err);
