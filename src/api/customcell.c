/* See customcell.h. Upstream: apiextensions-apiserver pkg/registry/customresource/tableconvertor. */
#include "api/customcell.h"

#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "json/jsonpath.h"

static json_t *date_cell(const char *text, int64_t now_usec)
{
    int64_t then;
    char age[TIME_TEXT_SIZE];
    if (!text || !time_parse(text, &then))
        return json_string("<invalid>");
    return json_string(time_human_duration(now_usec - then, age));
}

static json_t *text_cell(const json_t *v)
{
    if (json_is_string(v))
        return json_incref((json_t *)v);
    _cleanup_free_ char *text = jprint(v);
    return json_string(text);
}

json_t *custom_cell(const struct column *c, const json_t *doc, int64_t now_usec)
{
    json_t *v = jsonpath_first(doc, c->json_path);
    if (!v || json_is_null(v))
        return json_null();
    if (streq(c->type, "date"))
        return date_cell(json_string_value(v), now_usec);
    if (streq(c->type, "string"))
        return text_cell(v);
    if (streq(c->type, "integer") && json_is_real(v))
        return json_integer((json_int_t)json_real_value(v));
    bool fits = streq(c->type, "boolean") ? json_is_boolean(v) : json_is_number(v);
    return fits ? json_incref(v) : json_null();
}
