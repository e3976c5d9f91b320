/* JSON documents out as YAML that people like to read: block style, quotes only where needed. */
#pragma once
#include "json/json.h"

/* The caller frees. */
char *yaml_print(const json_t *j);
