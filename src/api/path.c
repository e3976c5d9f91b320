/* See path.h. */
#include "api/path.h"

void path_print(const struct path *p, enum path_style style, struct buf *out)
{
    if (!p->up)
        return;
    path_print(p->up, style, out);
    if (!p->name)
        buf_addf(out, "[%zu]", p->index);
    else if (p->is_key && style == PATH_VALIDATION)
        buf_addf(out, "[%s]", p->name);
    else
        buf_addf(out, "%s%s", out->len ? "." : "", p->name);
}
