/* Compact JSON for people: one member a line, two blanks a level, as Go's encoding/json indents. Pure. */
#pragma once
#include "base/buf.h"

/* text is well-formed; nothing is parsed. */
void json_indent(const char *text, size_t len, struct buf *out);
