/* Rules of the schemas in definitions: structural (upstream: apiextensions-apiserver
 * pkg/apiserver/schema/validation.go) and free of what is not supported (pkg/apis/apiextensions/validation). */
#include <string.h>

#include "base/buf.h"
#include "base/pattern.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/custom.h"

#define PATH_MAX_BYTES (16 * 1024)
/* Values in one schema. A definition holds 1.5 MB at most, this is what keeps the OpenAPI document that everybody
 * fetches within reason. */
#define SCHEMA_NODES_MAX 20000

enum level { LEVEL_ROOT, LEVEL_ITEM, LEVEL_FIELD };

struct walk {
    struct status_causes *causes;
    struct buf path;
    int nodes;
};

static size_t step(struct walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lengthens the path; returns where to cut it again. */
static size_t step(struct walk *w, const char *fmt, ...)
{
    size_t len = w->path.len;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&w->path, fmt, ap);
    va_end(ap);
    return len;
}

static void broken(struct walk *w, enum cause_type type, const char *member, const json_t *value, const char *why)
{
    size_t len = step(w, "%s%s", *member ? "." : "", member);
    causes_add(w->causes, type, buf_str(&w->path), value, "%s", why);
    buf_cut(&w->path, len);
}

static bool flag(const json_t *schema, const char *name)
{
    return json_is_true(json_object_get(schema, name));
}

static bool is_set(const json_t *v)
{
    return v && !json_is_null(v) && !json_is_false(v) && !(json_is_string(v) && !json_string_length(v)) &&
           !(json_is_array(v) && !json_array_size(v));
}

/* --- what no schema may have --- */

static void check_unsupported(struct walk *w, const json_t *schema)
{
    static const struct {
        const char *name, *why;
    } forbidden[] = {
        {"$ref", "$ref is not supported"},
        {"patternProperties", "patternProperties is not supported"},
        {"additionalItems", "additionalItems is not supported"},
        {"definitions", "definitions is not supported"},
        {"dependencies", "dependencies is not supported"},
        {"id", "id is not supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
        if (is_set(json_object_get(schema, forbidden[i].name)))
            broken(w, CAUSE_FORBIDDEN, forbidden[i].name, NULL, forbidden[i].why);
    if (flag(schema, "uniqueItems"))
        broken(w, CAUSE_FORBIDDEN, "uniqueItems", NULL,
               "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
    if (json_is_array(json_object_get(schema, "items")))
        broken(w, CAUSE_FORBIDDEN, "items", NULL, "items must be a schema object and not an array");
    if (json_object_size(json_object_get(schema, "properties")) && json_object_get(schema, "additionalProperties") &&
        !json_is_true(json_object_get(schema, "additionalProperties")))
        broken(w, CAUSE_FORBIDDEN, "additionalProperties", NULL,
               "additionalProperties and properties are mutual exclusive");
}

static void check_type(struct walk *w, const json_t *schema)
{
    static const char *const types[] = {"array", "boolean", "integer", "number", "object", "string"};
    const char *type = jstr_or(schema, "type", "");
    bool known = !*type;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        known |= streq(types[i], type);
    if (!known)
        broken(w, CAUSE_NOT_SUPPORTED, "type", json_object_get(schema, "type"),
               "supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"");
}

static void check_pattern(struct walk *w, const json_t *schema)
{
    char why[PATTERN_WHY_SIZE];
    const char *pattern = jstr_or(schema, "pattern", "");
    if (!*pattern || pattern_valid(pattern, why))
        return;
    _cleanup_free_ char *text = xasprintf("must be a valid regular expression, but isn't: %s", why);
    broken(w, CAUSE_INVALID, "pattern", json_object_get(schema, "pattern"), text);
}

static void check_list_type(struct walk *w, const json_t *schema)
{
    const char *list = jstr_or(schema, "x-kubernetes-list-type", ""),
               *map = jstr_or(schema, "x-kubernetes-map-type", "");
    const json_t *keys = json_object_get(schema, "x-kubernetes-list-map-keys");
    const json_t *properties = jget(schema, "items.properties");
    size_t i;
    json_t *key;
    if (*list && !streq(list, "atomic") && !streq(list, "set") && !streq(list, "map"))
        broken(w, CAUSE_NOT_SUPPORTED, "x-kubernetes-list-type", json_object_get(schema, "x-kubernetes-list-type"),
               "supported values: \"atomic\", \"map\", \"set\"");
    if (*list && !streq(jstr_or(schema, "type", ""), "array"))
        broken(w, CAUSE_INVALID, "type", json_object_get(schema, "type"),
               "must be array if x-kubernetes-list-type is specified");
    if (*map && !streq(map, "atomic") && !streq(map, "granular"))
        broken(w, CAUSE_NOT_SUPPORTED, "x-kubernetes-map-type", json_object_get(schema, "x-kubernetes-map-type"),
               "supported values: \"atomic\", \"granular\"");
    if (streq(list, "map") && !json_array_size(keys))
        broken(w, CAUSE_REQUIRED, "x-kubernetes-list-map-keys", NULL,
               "must not be empty if x-kubernetes-list-type is map");
    if (!streq(list, "map") && json_array_size(keys))
        broken(w, CAUSE_INVALID, "x-kubernetes-list-type", json_object_get(schema, "x-kubernetes-list-type"),
               "must be map if x-kubernetes-list-map-keys is non-empty");
    json_array_foreach((json_t *)keys, i, key)
        if (!json_object_get(properties, str_or(json_string_value(key), "")))
            broken(w, CAUSE_INVALID, "x-kubernetes-list-map-keys", key, "entries must all be names of item properties");
}

/* --- inside of allOf, anyOf, oneOf and not --- */

/* {"type": "integer"}, {"type": "string"}: the way to say int-or-string to those who do not know our extension. */
static bool is_int_or_string(const json_t *any_of)
{
    const json_t *a = json_array_get(any_of, 0), *b = json_array_get(any_of, 1);
    return json_array_size(any_of) == 2 && json_object_size(a) == 1 && json_object_size(b) == 1 &&
           streq(jstr_or(a, "type", ""), "integer") && streq(jstr_or(b, "type", ""), "string");
}

static void check_junctions(struct walk *w, const json_t *schema, const json_t *outside, bool may_be_int_or_string);

/* `outside`: the same place in the schema proper, which has to specify it. */
static void check_nested(struct walk *w, const json_t *schema, const json_t *outside, bool may_be_int_or_string)
{
    static const struct {
        const char *name, *why;
    } forbidden[] = {
        {"type", "must be empty to be structural"},
        {"additionalProperties", "must be undefined to be structural"},
        {"default", "must be undefined to be structural"},
        {"title", "must be empty to be structural"},
        {"description", "must be empty to be structural"},
        {"nullable", "must be false to be structural"},
        {"externalDocs", "must be undefined to be structural"},
        {"x-kubernetes-preserve-unknown-fields", "must be false to be structural"},
        {"x-kubernetes-embedded-resource", "must be false to be structural"},
        {"x-kubernetes-int-or-string", "must be false to be structural"},
        {"x-kubernetes-list-map-keys", "must be empty to be structural"},
        {"x-kubernetes-list-type", "must be undefined to be structural"},
        {"x-kubernetes-map-type", "must be undefined to be structural"},
        {"x-kubernetes-validations", "must be empty to be structural"},
    };
    const json_t *properties = json_object_get(schema, "properties"), *items = json_object_get(schema, "items");
    const json_t *others = json_object_get(outside, "additionalProperties");
    const char *name;
    json_t *member;
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
        if (is_set(json_object_get(schema, forbidden[i].name)))
            broken(w, CAUSE_FORBIDDEN, forbidden[i].name, NULL, forbidden[i].why);
    json_object_foreach((json_t *)properties, name, member) {
        const json_t *there = json_object_get(json_object_get(outside, "properties"), name);
        size_t len = step(w, ".properties[%s]", name);
        if (streq(name, "metadata") && outside)
            broken(w, CAUSE_FORBIDDEN, "", NULL, "must not be specified in a nested context");
        else if (!there && !json_is_object(others))
            broken(w, CAUSE_REQUIRED, "", NULL,
                   "because it is defined in a nested context, it must be defined outside too");
        check_nested(w, member, there ? there : others, false);
        buf_cut(&w->path, len);
    }
    if (items) {
        size_t len = step(w, ".items");
        const json_t *there = json_object_get(outside, "items");
        if (!there)
            broken(w, CAUSE_REQUIRED, "", NULL,
                   "because it is defined in a nested context, it must be defined outside too");
        check_nested(w, items, there, false);
        buf_cut(&w->path, len);
    }
    check_pattern(w, schema);
    check_unsupported(w, schema);
    check_junctions(w, schema, outside, may_be_int_or_string);
}

static void check_junctions(struct walk *w, const json_t *schema, const json_t *outside, bool may_be_int_or_string)
{
    static const char *const names[] = {"anyOf", "allOf", "oneOf"};
    const json_t *not = json_object_get(schema, "not");
    size_t i;
    json_t *one;
    if (--w->nodes < 0)
        return;
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        const json_t *list = json_object_get(schema, names[n]);
        if (n == 0 && may_be_int_or_string && is_int_or_string(list))
            continue;
        json_array_foreach((json_t *)list, i, one) {
            size_t len = step(w, ".%s[%zu]", names[n], i);
            check_nested(w, one, outside, n == 1 && i == 0 && may_be_int_or_string);
            buf_cut(&w->path, len);
        }
    }
    if (not ) {
        size_t len = step(w, ".not");
        check_nested(w, not, outside, false);
        buf_cut(&w->path, len);
    }
}

/* --- the schema proper --- */

static void check_extensions(struct walk *w, const json_t *schema)
{
    bool either = flag(schema, "x-kubernetes-int-or-string");
    if (either && flag(schema, "x-kubernetes-preserve-unknown-fields"))
        broken(w, CAUSE_INVALID, "x-kubernetes-preserve-unknown-fields", json_true(),
               "must be false if x-kubernetes-int-or-string is true");
    if (either && flag(schema, "x-kubernetes-embedded-resource"))
        broken(w, CAUSE_INVALID, "x-kubernetes-embedded-resource", json_true(),
               "must be false if x-kubernetes-int-or-string is true");
    if (flag(schema, "x-kubernetes-embedded-resource") && !flag(schema, "x-kubernetes-preserve-unknown-fields") &&
        !json_object_size(json_object_get(schema, "properties")))
        broken(w, CAUSE_REQUIRED, "properties", NULL,
               "must not be empty if x-kubernetes-embedded-resource is true without "
               "x-kubernetes-preserve-unknown-fields");
}

static void check_structure(struct walk *w, const json_t *schema, enum level level)
{
    static const char *const missing[] = {
        [LEVEL_ROOT] = "must not be empty at the root",
        [LEVEL_ITEM] = "must not be empty for specified array items",
        [LEVEL_FIELD] = "must not be empty for specified object fields",
    };
    const char *type = jstr_or(schema, "type", "");
    bool embedded = flag(schema, "x-kubernetes-embedded-resource");
    if (embedded && !streq(type, "object"))
        broken(w, *type ? CAUSE_INVALID : CAUSE_REQUIRED, "type", json_object_get(schema, "type"),
               "must be object if x-kubernetes-embedded-resource is true");
    else if (!*type && !flag(schema, "x-kubernetes-int-or-string") &&
             !flag(schema, "x-kubernetes-preserve-unknown-fields"))
        broken(w, CAUSE_REQUIRED, "type", NULL, missing[level]);
    if (level == LEVEL_ROOT && *type && !streq(type, "object"))
        broken(w, CAUSE_INVALID, "type", json_object_get(schema, "type"), "must be object at the root");
    if (level == LEVEL_ROOT && is_set(json_object_get(schema, "additionalProperties")))
        broken(w, CAUSE_FORBIDDEN, "additionalProperties", NULL, "must not be used at the root");
    if (streq(type, "array") && !json_object_get(schema, "items"))
        broken(w, CAUSE_REQUIRED, "items", NULL, "must be specified");
}

static void check_default(struct walk *w, const json_t *schema)
{
    const json_t *otherwise = json_object_get(schema, "default");
    if (!otherwise)
        return;
    size_t len = step(w, ".default");
    custom_validate_value(schema, otherwise, buf_str(&w->path), w->causes);
    _cleanup_json_ json_t *pruned = json_deep_copy(otherwise), *unknown = json_array();
    custom_prune(schema, pruned, unknown);
    if (json_is_object(pruned) && json_array_size(unknown))
        broken(w, CAUSE_INVALID, "", otherwise, "must not have unknown fields");
    buf_cut(&w->path, len);
}

/* The root's metadata is that of all objects; only its names may be restricted further. */
static void check_metadata(struct walk *w, const json_t *metadata)
{
    const char *name;
    json_t *member;
    bool other = false;
    json_object_foreach((json_t *)metadata, name, member)
        other |= !streq(name, "type") && !streq(name, "properties") && !streq(name, "description");
    json_object_foreach(json_object_get(metadata, "properties"), name, member)
        other |= !streq(name, "name") && !streq(name, "generateName");
    if (!streq(jstr_or(metadata, "type", ""), "object"))
        broken(w, CAUSE_INVALID, "properties[metadata].type", json_object_get(metadata, "type"), "must be object");
    if (other)
        broken(w, CAUSE_FORBIDDEN, "properties[metadata]", NULL,
               "must not specify anything other than name and generateName, but metadata is implicitly specified");
}

static void check(struct walk *w, const json_t *schema, enum level level)
{
    const json_t *items = json_object_get(schema, "items"), *others = json_object_get(schema, "additionalProperties");
    const char *name;
    json_t *member;
    if (--w->nodes < 0) {
        if (w->nodes == -1)
            causes_add(w->causes, CAUSE_TOO_MANY, buf_str(&w->path), json_null(), "must have at most %d parts",
                       SCHEMA_NODES_MAX);
        return;
    }
    check_structure(w, schema, level);
    check_type(w, schema);
    check_unsupported(w, schema);
    check_extensions(w, schema);
    check_list_type(w, schema);
    check_pattern(w, schema);
    check_default(w, schema);
    check_junctions(w, schema, schema, true);
    json_object_foreach(json_object_get(schema, "properties"), name, member) {
        if (level == LEVEL_ROOT && streq(name, "metadata")) {
            check_metadata(w, member);
            continue;
        }
        size_t len = step(w, ".properties[%s]", name);
        check(w, member, LEVEL_FIELD);
        buf_cut(&w->path, len);
    }
    if (json_is_object(items)) {
        size_t len = step(w, ".items");
        check(w, items, LEVEL_ITEM);
        buf_cut(&w->path, len);
    }
    if (json_is_object(others)) {
        size_t len = step(w, ".additionalProperties");
        check(w, others, LEVEL_FIELD);
        buf_cut(&w->path, len);
    }
}

void custom_check_schema(struct status_causes *c, const json_t *schema, const char *path)
{
    struct walk w = {.causes = c, .path = BUF_INIT(PATH_MAX_BYTES), .nodes = SCHEMA_NODES_MAX};
    buf_adds(&w.path, path);
    check(&w, schema, LEVEL_ROOT);
    buf_done(&w.path);
}
