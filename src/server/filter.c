/* See filter.h. */
#include "server/filter.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/http.h"

/* "metadata.name=x" and nothing else: what `kubectl get NAME --watch` and every wait for one object ask for. */
static const char *only_name(const char *selector)
{
    const char *name = str_after(selector, "metadata.name=");
    return name && *name && !strpbrk(name, "=,!\\ ") ? name : NULL;
}

int filter_parse(const struct kind *k, const char *query, struct filter *ret, struct err *err)
{
    *ret = (struct filter){0};
    _cleanup_free_ char *labels = query_get(query, "labelSelector", 0);
    _cleanup_free_ char *fields = query_get(query, "fieldSelector", 0);
    if (labels && *labels && !(ret->labels = selector_parse(labels, err)))
        return -1;
    if (!fields || !*fields)
        return 0;
    ret->name = xstrdup_or_null(only_name(fields));
    if (!ret->name && !(ret->fields = field_selector_parse(k, fields, err))) {
        filter_done(ret);
        return -1;
    }
    return 0;
}

void filter_done(struct filter *f)
{
    selector_free(f->labels);
    field_selector_free(f->fields);
    free(f->name);
    *f = (struct filter){0};
}

bool filter_matches(const struct filter *f, const struct object *o)
{
    if (f->name && !streq(f->name, o->name))
        return false;
    return (!f->labels || selector_matches(f->labels, o)) && (!f->fields || field_selector_matches(f->fields, o));
}
