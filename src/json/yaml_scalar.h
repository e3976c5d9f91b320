/* What a YAML 1.1 scalar means: text, number, boolean or null. */
#pragma once
#include "json/json.h"

/* tag NULL: none. NULL with a static reason when JSON has no such value or the tag does not fit. New reference. */
json_t *yaml_scalar(const char *text, const char *tag, bool plain, const char **ret_wrong);
