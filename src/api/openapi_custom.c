/* See openapi_custom.h. Upstream: apiextensions-apiserver pkg/controller/openapi{,/v2}. */
#include "api/openapi_custom.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"

char *openapi_custom_name(const struct kind *k, bool list, char out[CUSTOM_NAME_SIZE])
{
    size_t n;
    _cleanup_free_ char **labels = str_split(k->group, '.', &n);
    struct buf name = BUF_INIT(CUSTOM_NAME_SIZE);
    while (n--)
        buf_addf(&name, "%s.", labels[n]);
    buf_addf(&name, "%s.%s", k->version, list ? k->list_kind : k->kind);
    snprintf(out, CUSTOM_NAME_SIZE, "%s", buf_str(&name));
    buf_done(&name);
    return out;
}

static bool is_member(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (streq(*list, name))
            return true;
    return false;
}

/* What version 2 cannot say is left out; where a value may be of several types nothing is said at all. */
static void reduce(json_t *schema)
{
    static const char *const unknown[] = {
        "anyOf", "oneOf", "allOf", "not", "nullable", "default", "example", "x-kubernetes-validations", NULL};
    static const char *const structure[] = {"type",  "format", "properties", "additionalProperties",
                                            "items", "enum",   "required",   NULL};
    bool either = jbool(schema, "x-kubernetes-int-or-string", false), null = jbool(schema, "nullable", false);
    bool open = jbool(schema, "x-kubernetes-preserve-unknown-fields", false);
    const char *name;
    json_t *member;
    void *tmp;
    json_object_foreach_safe(schema, tmp, name,
                             member) if (is_member(name, unknown) || ((either || null) && is_member(name, structure)) ||
                                         (open && (streq(name, "properties") || streq(name, "items") ||
                                                   streq(name, "required")))) json_object_del(schema, name);
    if (either)
        json_object_set_new(schema, "format", json_string("int-or-string"));
    json_object_foreach(json_object_get(schema, "properties"), name, member)
        reduce(member);
    if (json_is_object(json_object_get(schema, "items")))
        reduce(json_object_get(schema, "items"));
    member = json_object_get(schema, "additionalProperties");
    if (json_is_object(member))
        reduce(member);
    else if (member) /* true or false: any value, as far as version 2 can say */
        json_object_set_new(schema, "additionalProperties", json_object());
}

json_t *openapi_custom_schema(const struct kind *k, enum openapi_version v)
{
    json_t *schema = json_deep_copy(k->schema);
    if (v == OPENAPI_V2)
        reduce(schema);
    if (!json_object_get(schema, "properties"))
        json_object_set_new(schema, "properties", json_object());
    return schema;
}
