/* Cells of the printer columns that definitions of custom resources give. */
#pragma once
#include "kinds/kind.h"

/* New reference; null where there is no value of the column's type. */
json_t *custom_cell(const struct column *c, const json_t *doc, int64_t now_usec);
