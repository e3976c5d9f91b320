/* See openapi_types.h. */
#include "api/openapi_types.h"

#include <stdio.h>

#include "api/openapi_custom.h"
#include "api/typename.h"
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/fields.h"

#define SCHEMA_NAME_SIZE CUSTOM_NAME_SIZE /* the longest */

struct types {
    json_t *schemas;
    enum openapi_version version;
};

/* Scalars that upstream gives a name. */
static const struct {
    const char *name, *format;
} named_scalars[F_TYPE_N] = {
    [F_TIME] = {"io.k8s.apimachinery.pkg.apis.meta.v1.Time", "date-time"},
    [F_MICROTIME] = {"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "date-time"},
    [F_QUANTITY] = {"io.k8s.apimachinery.pkg.api.resource.Quantity", NULL},
    [F_INT_OR_STR] = {"io.k8s.apimachinery.pkg.util.intstr.IntOrString", "int-or-string"},
};

static const struct {
    const char *type, *format;
} plain_types[F_TYPE_N] = {
    [F_STR] = {"string", NULL},   [F_INT] = {"integer", "int32"}, [F_INT64] = {"integer", "int64"},
    [F_BOOL] = {"boolean", NULL}, [F_BYTES] = {"string", "byte"}, [F_NUMBER] = {"number", "double"},
    [F_RAW] = {"object", NULL},   [F_LIST] = {"array", NULL},     [F_MAP] = {"object", NULL},
};

static const struct {
    const char *kind, *text;
} kind_texts[] = {
    {"CustomResourceDefinition", "A kind that users add to the API."},
    {"ConfigMap", "Configuration that pods read as files or environment variables."},
    {"Deployment", "Keeps a number of equal pods running and replaces them step by step when their template changes."},
    {"EndpointSlice", "Part of the addresses and ports that serve for a Service."},
    {"Endpoints", "All addresses and ports that serve for a Service, in one object."},
    {"Event", "Something that happened to an object, for people."},
    {"Lease", "Says who holds something and until when: leadership, or that a node is alive."},
    {"Namespace", "A space of names for other objects; they go when it goes."},
    {"Node", "A machine that runs pods."},
    {"Pod", "Containers that run together on one node and share its network."},
    {"ReplicaSet", "Keeps a number of equal pods running."},
    {"ReplicationController", "Keeps a number of equal pods running; the older form of a ReplicaSet."},
    {"Secret", "Like a ConfigMap, for what should not be read by everybody."},
    {"Service", "A stable name and address for the pods that a selector selects."},
    {"ServiceAccount", "Who a pod is when it talks to the API."},
};

static const char *kind_text(const char *kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_texts); i++)
        if (streq(kind_texts[i].kind, kind))
            return kind_texts[i].text;
    return "";
}

static void set_text(json_t *o, const char *member, const char *text)
{
    if (text && *text)
        json_object_set_new(o, member, json_string(text));
}

static void schema_name(const char *type_name, char out[SCHEMA_NAME_SIZE])
{
    const char *prefix = str_after(type_name, "meta.")            ? "io.k8s.apimachinery.pkg.apis."
                         : str_after(type_name, "apiextensions.") ? "io.k8s.apiextensions-apiserver.pkg.apis."
                                                                  : "io.k8s.api.";
    snprintf(out, SCHEMA_NAME_SIZE, "%s%s", prefix, type_name);
}

/* OpenAPI 3 ignores what stands beside a $ref, so it is wrapped where a description or an extension follows. */
static json_t *ref_new(const char *name, enum openapi_version v)
{
    _cleanup_free_ char *ref = xasprintf(v == OPENAPI_V2 ? "#/definitions/%s" : "#/components/schemas/%s", name);
    return json_pack("{s:s}", "$ref", ref);
}

static json_t *wrapped_ref(const char *name, enum openapi_version v)
{
    json_t *ref = ref_new(name, v);
    return v == OPENAPI_V2 ? ref : json_pack("{s:[o]}", "allOf", ref);
}

/* Quantities and int-or-strings may be numbers, which only version 3 can say. */
static json_t *scalar_schema(enum field_type type, enum openapi_version v)
{
    bool number_too = type == F_QUANTITY || type == F_INT_OR_STR;
    json_t *s = number_too && v == OPENAPI_V3 ? json_pack("{s:[{s:s}, {s:s}]}", "oneOf", "type",
                                                          type == F_QUANTITY ? "number" : "integer", "type", "string")
                                              : json_pack("{s:s}", "type", "string");
    set_text(s, "format", named_scalars[type].format);
    return s;
}

/* How patches and applies treat the field. */
static void set_extensions(json_t *schema, const struct field *f)
{
    if (f->type == F_LIST) {
        bool keyed = f->list_keys && *f->list_keys;
        json_object_set_new(schema, "x-kubernetes-list-type",
                            json_string(keyed          ? "map"
                                        : f->list_keys ? "set"
                                                       : "atomic"));
        _cleanup_free_ char **keys = keyed ? str_split(f->list_keys, ',', NULL) : NULL;
        json_t *names = json_array();
        for (char **key = keys; key && *key; key++)
            json_array_append_new(names, json_string(*key));
        if (keyed)
            json_object_set(schema, "x-kubernetes-list-map-keys", names);
        json_decref(names);
    } else if (f->flags & ATOMIC) {
        json_object_set_new(schema, "x-kubernetes-map-type", json_string("atomic"));
    }
    set_text(schema, "x-kubernetes-patch-merge-key", f->merge_key);
    if (f->merge_key)
        set_text(schema, "x-kubernetes-patch-strategy", f->flags & RETAIN ? "merge,retainKeys" : "merge");
    else if (f->flags & (RETAIN | REPLACE))
        set_text(schema, "x-kubernetes-patch-strategy", f->flags & RETAIN ? "retainKeys" : "replace");
}

static void set_oneof(json_t *schema, const struct field *f, enum openapi_version v)
{
    if (!f->oneof || v != OPENAPI_V3)
        return;
    json_t *values = json_array();
    for (const char *const *one = f->oneof; *one; one++)
        json_array_append_new(values, json_string(*one));
    json_object_set_new(schema, "enum", values);
}

static void add_type(struct types *t, const char *type_name, const struct field *fields);

/* The schema of one field's values. `type_name` is that of the objects in it. */
static json_t *field_schema(struct types *t, const char *type_name, const struct field *f)
{
    char name[SCHEMA_NAME_SIZE];
    if (f->type == F_OBJECT) {
        add_type(t, type_name, f->sub);
        schema_name(type_name, name);
        return wrapped_ref(name, t->version);
    }
    if (named_scalars[f->type].name) {
        if (!json_object_get(t->schemas, named_scalars[f->type].name))
            json_object_set_new(t->schemas, named_scalars[f->type].name, scalar_schema(f->type, t->version));
        return wrapped_ref(named_scalars[f->type].name, t->version);
    }
    json_t *s = json_pack("{s:s}", "type", plain_types[f->type].type);
    set_text(s, "format", plain_types[f->type].format);
    set_oneof(s, f, t->version);
    if (f->type == F_LIST)
        json_object_set_new(s, "items", field_schema(t, type_name, f->sub));
    else if (f->type == F_MAP)
        json_object_set_new(s, "additionalProperties", field_schema(t, type_name, f->sub));
    return s;
}

/* Fills properties and required of an object's schema. */
static void add_members(struct types *t, const char *type_name, const struct field *fields, json_t *schema)
{
    json_t *properties = json_object(), *required = json_array();
    for (const struct field *f = fields; f && f->name; f++) {
        char member_type[TYPE_NAME_SIZE];
        json_t *s = field_schema(t, type_name_of_member(type_name, f->name, member_type), f);
        set_text(s, "description", f->doc);
        set_extensions(s, f);
        json_object_set_new(properties, f->name, s);
        if (f->flags & REQ)
            json_array_append_new(required, json_string(f->name));
    }
    json_object_set(schema, "properties", properties);
    if (json_array_size(required))
        json_object_set(schema, "required", required);
    json_decref(properties);
    json_decref(required);
}

/* Types are known by name; the first table met under a name describes it. */
static void add_type(struct types *t, const char *type_name, const struct field *fields)
{
    char name[SCHEMA_NAME_SIZE];
    schema_name(type_name, name);
    if (json_object_get(t->schemas, name))
        return;
    json_t *schema = json_pack("{s:s, s:{}}", "type", "object", "properties");
    json_object_set_new(t->schemas, name, schema);
    add_members(t, type_name, fields, schema);
}

/* What only whole objects have. */
static void add_type_meta(json_t *schema, const struct kind *k, const char *kind_name)
{
    json_t *properties = json_object_get(schema, "properties");
    json_object_set_new(
        properties, "apiVersion",
        json_pack("{s:s, s:s}", "type", "string", "description", "Group and version of the object's form."));
    json_object_set_new(properties, "kind",
                        json_pack("{s:s, s:s}", "type", "string", "description", "What the object is."));
    json_object_set_new(schema, "x-kubernetes-group-version-kind", json_pack("[o]", openapi_gvk(k, kind_name)));
}

static const struct field list_meta_fields[] = {
    {"continue", F_STR, .doc = "Token for the next part of a long list."},
    {"remainingItemCount", F_INT64, .doc = "How many objects follow this part."},
    {"resourceVersion", F_STR, .doc = "State of the store that the list shows."},
    {"selfLink", F_STR, .doc = "No longer set."},
    {0},
};

static void list_schema_name(const char *type_name, char out[SCHEMA_NAME_SIZE])
{
    char item[SCHEMA_NAME_SIZE];
    schema_name(type_name, item);
    snprintf(out, SCHEMA_NAME_SIZE, "%.*sList", SCHEMA_NAME_SIZE - (int)sizeof("List"), item);
}

/* Names of a kind's own type and of its list's. */
static void kind_schema_name(const struct kind *k, bool list, char out[SCHEMA_NAME_SIZE])
{
    char type_name[TYPE_NAME_SIZE];
    if (k->schema)
        openapi_custom_name(k, list, out);
    else if (list)
        list_schema_name(type_name_of_kind(k, type_name), out);
    else
        schema_name(type_name_of_kind(k, type_name), out);
}

static void add_list(struct types *t, const struct kind *k)
{
    static const struct field meta = {.type = F_OBJECT, .sub = list_meta_fields};
    char name[SCHEMA_NAME_SIZE];
    json_t *schema =
        json_pack("{s:s, s:s, s:{s:o, s:{s:s, s:o}}, s:[s]}", "description", "A list of such objects.", "type",
                  "object", "properties", "metadata", field_schema(t, "meta.v1.ListMeta", &meta), "items", "type",
                  "array", "items", openapi_kind_ref(k, false, t->version), "required", "items");
    add_type_meta(schema, k, k->list_kind);
    kind_schema_name(k, true, name);
    json_object_set_new(t->schemas, name, schema);
}

/* A schema says everything but what all objects have. */
static json_t *custom_schema(struct types *t, const struct kind *k)
{
    static const struct field metadata = FIELD_METADATA;
    json_t *schema = openapi_custom_schema(k, t->version), *m = field_schema(t, "meta.v1.ObjectMeta", &metadata);
    if (t->version == OPENAPI_V3)
        set_text(m, "description", metadata.doc);
    json_object_set_new(json_object_get(schema, "properties"), "metadata", m);
    return schema;
}

void openapi_add_kind(json_t *schemas, const struct kind *k, enum openapi_version v)
{
    struct types t = {schemas, v};
    char type_name[TYPE_NAME_SIZE], name[SCHEMA_NAME_SIZE];
    kind_schema_name(k, false, name);
    if (k->schema)
        json_object_set_new(schemas, name, custom_schema(&t, k));
    else
        add_type(&t, type_name_of_kind(k, type_name), k->fields);
    json_t *schema = json_object_get(schemas, name);
    set_text(schema, "description", kind_text(k->kind));
    add_type_meta(schema, k, k->kind);
    if (k->list_kind)
        add_list(&t, k);
}

json_t *openapi_kind_ref(const struct kind *k, bool list, enum openapi_version v)
{
    char name[SCHEMA_NAME_SIZE];
    kind_schema_name(k, list, name);
    return ref_new(name, v);
}

json_t *openapi_gvk(const struct kind *k, const char *kind_name)
{
    return json_pack("{s:s, s:s, s:s}", "group", k->group, "kind", kind_name, "version", k->version);
}
