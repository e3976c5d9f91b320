/* YAML 1.1 as sigs.k8s.io/yaml reads it, into JSON documents. */
#pragma once
#include "json/json.h"

/* One document; NULL with line and column in err. Aliases and depth are limited (billion laughs). */
json_t *yaml_parse(const char *text, size_t len, struct err *err);
