/* What the two groups of Event share. */
#pragma once
#include "kinds/kind.h"

extern const struct field event_source_fields[];
extern const struct column event_columns[];
