/* Schemas as types of expressions (apiserver pkg/cel/common/schemas.go). What a schema leaves open, expressions do not
 * see. */
#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/customexpr.h"

static const struct cel_member metadata_members[] = {
    {"name", "name", &cel_types[CEL_STRING]}, {"generateName", "generateName", &cel_types[CEL_STRING]}, {0}};
static const struct cel_type metadata_type = {.kind = CEL_OBJECT, .members = metadata_members, .name = "metadata"};
static const struct cel_member resource_members[] = {{"apiVersion", "apiVersion", &cel_types[CEL_STRING]},
                                                     {"kind", "kind", &cel_types[CEL_STRING]},
                                                     {"metadata", "metadata", &metadata_type}};

/* A member's name as an identifier; NULL: it cannot be one. */
static char *escaped(const char *name)
{
    static const char *const words[] = {"true",   "false",    "null", "in",      "as",        "break",
                                        "const",  "continue", "else", "for",     "function",  "if",
                                        "import", "let",      "loop", "package", "namespace", "return"};
    static const struct {
        const char *from, *to;
    } parts[] = {{"__", "__underscores__"}, {".", "__dot__"}, {"-", "__dash__"}, {"/", "__slash__"}};
    struct buf out = BUF_INIT(0); /* a few times the name */
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (streq(name, words[i]))
            return xasprintf("__%s__", name);
    for (const char *s = name; *s;) {
        size_t i = 0;
        while (i < ARRAY_LEN(parts) && !str_after(s, parts[i].from))
            i++;
        if (i < ARRAY_LEN(parts)) {
            buf_adds(&out, parts[i].to);
            s = str_after(s, parts[i].from);
        } else if (isalpha((unsigned char)*s) || *s == '_' || (isdigit((unsigned char)*s) && s > name)) {
            buf_addc(&out, *s++);
        } else {
            buf_done(&out);
            return NULL;
        }
    }
    return buf_take(&out);
}

static bool is_one_of(const struct cel_member *members, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (streq(members[i].json, name))
            return true;
    return false;
}

static const struct cel_type *object_type(const json_t *schema, bool is_resource, struct cel_arena *a)
{
    const json_t *properties = json_object_get(schema, "properties");
    size_t n = is_resource ? ARRAY_LEN(resource_members) : 0;
    struct cel_member *members = cel_alloc(a, n + json_object_size(properties) + 1, sizeof(*members));
    struct cel_type *t = cel_alloc(a, 1, sizeof(*t));
    const char *name;
    json_t *property;
    memcpy(members, resource_members, n * sizeof(*members));
    json_object_foreach((json_t *)properties, name, property) {
        bool embedded = jbool(property, "x-kubernetes-embedded-resource", false);
        const struct cel_type *type = custom_cel_type(property, embedded, a);
        _cleanup_free_ char *id = type && !(is_resource && is_one_of(resource_members, 3, name)) ? escaped(name) : NULL;
        if (id)
            members[n++] = (struct cel_member){cel_alloc_text(a, id, strlen(id)), name, type};
    }
    *t = (struct cel_type){.kind = CEL_OBJECT, .members = members, .name = "object"};
    return t;
}

static const struct cel_type *container(enum cel_kind kind, const json_t *of, struct cel_arena *a)
{
    const struct cel_type *item = custom_cel_type(of, jbool(of, "x-kubernetes-embedded-resource", false), a);
    struct cel_type *t = cel_alloc(a, 1, sizeof(*t));
    *t = (struct cel_type){.kind = kind, .item = item};
    return item ? t : NULL;
}

static const struct cel_type *list_type(const json_t *schema, struct cel_arena *a)
{
    const char *list = jstr_or(schema, "x-kubernetes-list-type", "");
    struct cel_type *t = (struct cel_type *)container(CEL_LIST, json_object_get(schema, "items"), a);
    if (!t)
        return NULL;
    t->list = streq(list, "set") ? CEL_SET : streq(list, "map") ? CEL_KEYED : CEL_ATOMIC;
    t->keys = json_object_get(schema, "x-kubernetes-list-map-keys");
    return t;
}

static const struct cel_type *map_type(const json_t *schema, struct cel_arena *a)
{
    struct cel_type *t = (struct cel_type *)container(CEL_MAP, json_object_get(schema, "additionalProperties"), a);
    if (t)
        t->key = &cel_types[CEL_STRING];
    return t;
}

static const struct cel_type *plain_type(const json_t *schema)
{
    static const struct {
        const char *type, *format;
        enum cel_kind kind;
    } plain[] = {
        {"string", "byte", CEL_BYTES},          {"string", "duration", CEL_DURATION}, {"string", "date", CEL_TIMESTAMP},
        {"string", "date-time", CEL_TIMESTAMP}, {"string", NULL, CEL_STRING},         {"boolean", NULL, CEL_BOOL},
        {"number", NULL, CEL_DOUBLE},           {"integer", NULL, CEL_INT},
    };
    const char *type = jstr_or(schema, "type", ""), *format = jstr_or(schema, "format", "");
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (streq(type, plain[i].type) && (!plain[i].format || streq(format, plain[i].format)))
            return &cel_types[plain[i].kind];
    return NULL;
}

const struct cel_type *custom_cel_type(const json_t *schema, bool is_resource, struct cel_arena *a)
{
    const char *type = jstr_or(schema, "type", "");
    if (jbool(schema, "x-kubernetes-int-or-string", false))
        return &cel_types[CEL_DYN];
    if (streq(type, "array"))
        return list_type(schema, a);
    if (streq(type, "object") && json_is_object(json_object_get(schema, "additionalProperties")))
        return map_type(schema, a);
    return streq(type, "object") ? object_type(schema, is_resource, a) : plain_type(schema);
}
