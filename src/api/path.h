/* Where a walk over a document is: links on the stack of the walker, turned into text ("spec.ports[0].name") only when
 * something is wrong there. */
#pragma once
#include "base/buf.h"

struct path {
    const struct path *up; /* NULL: the document itself */
    const char *name;      /* member or map key; NULL: list item */
    size_t index;
    bool is_key; /* of a map: validation prints [key], decoding .key */
};

enum path_style { PATH_VALIDATION, PATH_DECODING };
/* Appends. */
void path_print(const struct path *p, enum path_style style, struct buf *out);
