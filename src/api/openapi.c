/* See openapi.h. Clients look for two things beside the types: under which path a kind is (`kubectl explain`), and
 * which query parameters its PATCH takes (dry runs, field validation). */
#include "api/openapi.h"

#include <stdio.h>

#include "api/openapi_types.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"

struct document {
    json_t *paths, *schemas;
    enum openapi_version version;
};

static const struct parameter {
    const char *name, *type, *text;
    unsigned verbs; /* that take it */
} parameters[] = {
    {"allowWatchBookmarks", "boolean", "Asks for events that only carry a resourceVersion.", V_LIST},
    {"continue", "string", "Token of the part of a list before.", V_LIST | V_DELETECOLLECTION},
    {"dryRun", "string", "All: do everything but store the result.",
     V_CREATE | V_UPDATE | V_PATCH | V_DELETE | V_DELETECOLLECTION},
    {"fieldManager", "string", "Who makes the change.", V_CREATE | V_UPDATE | V_PATCH},
    {"fieldSelector", "string", "Only objects with these values in fields.", V_LIST | V_DELETECOLLECTION},
    {"fieldValidation", "string", "What unknown fields do: Ignore, Warn or Strict.", V_CREATE | V_UPDATE | V_PATCH},
    {"force", "boolean", "Takes over fields that others manage (apply).", V_PATCH},
    {"force", "boolean", "Takes fields over from other managers in server-side apply.", V_PATCH},
    {"gracePeriodSeconds", "integer", "Seconds the object is given to end.", V_DELETE | V_DELETECOLLECTION},
    {"labelSelector", "string", "Only objects with these labels.", V_LIST | V_DELETECOLLECTION},
    {"limit", "integer", "How many objects an answer may have.", V_LIST | V_DELETECOLLECTION},
    {"propagationPolicy", "string", "What happens to dependents: Orphan, Background or Foreground.",
     V_DELETE | V_DELETECOLLECTION},
    {"resourceVersion", "string", "State of the store to start from.", V_LIST | V_DELETECOLLECTION},
    {"resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan.",
     V_LIST | V_DELETECOLLECTION},
    {"sendInitialEvents", "boolean", "Begins a watch with the present objects.", V_LIST},
    {"timeoutSeconds", "integer", "How long a list or watch may take.", V_LIST | V_DELETECOLLECTION},
    {"watch", "boolean", "Follows the changes instead of listing.", V_LIST},
};

static const struct operation {
    unsigned verb;
    const char *method, *action, *text;
    bool on_item, has_body, answers_list;
} operations[] = {
    {V_LIST, "get", "list", "Lists or watches.", false, false, true},
    {V_CREATE, "post", "post", "Creates.", false, true, false},
    {V_DELETECOLLECTION, "delete", "deletecollection", "Deletes all that are selected.", false, false, false},
    {V_GET, "get", "get", "Reads.", true, false, false},
    {V_UPDATE, "put", "put", "Replaces.", true, true, false},
    {V_PATCH, "patch", "patch", "Changes a part.", true, true, false},
    {V_DELETE, "delete", "delete", "Deletes.", true, false, false},
};

/* ---- operations ---- */

static json_t *parameter_new(const char *in, const char *name, const char *type, const char *text,
                             enum openapi_version v)
{
    json_t *p = json_pack("{s:s, s:s, s:s}", "name", name, "in", in, "description", text);
    if (v == OPENAPI_V3)
        json_object_set_new(p, "schema", json_pack("{s:s}", "type", type));
    else
        json_object_set_new(p, "type", json_string(type));
    if (streq(in, "path"))
        json_object_set_new(p, "required", json_true());
    return p;
}

static json_t *query_parameters(unsigned verb, enum openapi_version v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
        if (parameters[i].verbs & verb)
            json_array_append_new(
                list, parameter_new("query", parameters[i].name, parameters[i].type, parameters[i].text, v));
    return list;
}

static json_t *content(json_t *schema_new)
{
    return json_pack("{s:{s:{s:o}}}", "content", "application/json", "schema", schema_new);
}

/* Patches are documents of no certain form. */
static void add_body(json_t *op, const struct kind *k, unsigned verb, enum openapi_version v)
{
    json_t *schema = verb == V_PATCH ? json_pack("{s:s}", "type", "object") : openapi_kind_ref(k, false, v);
    if (v == OPENAPI_V3)
        json_object_set_new(op, "requestBody", content(schema));
    else
        json_array_append_new(json_object_get(op, "parameters"), json_pack("{s:s, s:s, s:b, s:o}", "name", "body", "in",
                                                                           "body", "required", true, "schema", schema));
}

static json_t *responses(const struct kind *k, bool list, enum openapi_version v)
{
    json_t *schema = openapi_kind_ref(k, list, v);
    json_t *ok = v == OPENAPI_V3 ? content(schema) : json_pack("{s:o}", "schema", schema);
    json_object_set_new(ok, "description", json_string("OK"));
    return json_pack("{s:o}", "200", ok);
}

static json_t *operation_new(const struct kind *k, const struct operation *o, enum openapi_version v)
{
    json_t *op = json_pack("{s:s, s:o, s:o}", "description", o->text, "parameters", query_parameters(o->verb, v),
                           "responses", responses(k, o->answers_list, v));
    if (o->has_body)
        add_body(op, k, o->verb, v);
    json_object_set_new(op, "x-kubernetes-action", json_string(o->action));
    json_object_set_new(op, "x-kubernetes-group-version-kind", openapi_gvk(k, k->kind));
    return op;
}

/* ---- paths ---- */

static json_t *path_parameters(const char *path, enum openapi_version v)
{
    json_t *list = json_array();
    if (strstr(path, "{name}"))
        json_array_append_new(list, parameter_new("path", "name", "string", "Name of the object.", v));
    if (strstr(path, "{namespace}"))
        json_array_append_new(list, parameter_new("path", "namespace", "string", "Namespace of the object.", v));
    return list;
}

static void add_path(struct document *d, const struct kind *k, const char *path, bool on_item, unsigned verbs)
{
    json_t *item = json_object();
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (operations[i].on_item == on_item && (operations[i].verb & verbs & k->verbs))
            json_object_set_new(item, operations[i].method, operation_new(k, &operations[i], d->version));
    json_t *params = path_parameters(path, d->version);
    if (json_array_size(params))
        json_object_set(item, "parameters", params);
    json_decref(params);
    json_object_set_new(d->paths, path, item);
}

static void add_kind(struct document *d, const struct kind *k)
{
    const char *ns = k->namespaced ? "{namespace}" : NULL;
    _cleanup_free_ char *everywhere = kind_path(k, NULL, NULL, NULL), *all = kind_path(k, ns, NULL, NULL);
    _cleanup_free_ char *one = kind_path(k, ns, "{name}", NULL), *status = kind_path(k, ns, "{name}", "status");
    if (k->namespaced)
        add_path(d, k, everywhere, false, V_LIST);
    add_path(d, k, all, false, V_ALL);
    add_path(d, k, one, true, V_ALL);
    if (k->has_status)
        add_path(d, k, status, true, V_GET | V_UPDATE | V_PATCH);
    openapi_add_kind(d->schemas, k, d->version);
}

/* ---- documents ---- */

static json_t *info(void)
{
    return json_pack("{s:s, s:s}", "title", "Kubernetes API of c8s", "version", C8S_VERSION);
}

json_t *openapi_v2(void)
{
    struct document d = {json_object(), json_object(), OPENAPI_V2};
    for (const struct kind *const *k = all_kinds; *k; k++)
        add_kind(&d, *k);
    return json_pack("{s:s, s:o, s:o, s:o}", "swagger", "2.0", "info", info(), "paths", d.paths, "definitions",
                     d.schemas);
}

json_t *openapi_v3(const char *group, const char *version)
{
    struct document d = {json_object(), json_object(), OPENAPI_V3};
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (streq((*k)->group, group) && streq((*k)->version, version))
            add_kind(&d, *k);
    json_t *doc = json_pack("{s:s, s:o, s:o, s:{s:o}}", "openapi", "3.0.0", "info", info(), "paths", d.paths,
                            "components", "schemas", d.schemas);
    if (json_object_size(d.paths))
        return doc;
    json_decref(doc);
    return NULL;
}

/* Clients keep a document for as long as the address with its hash stays the same. */
static json_t *index_entry(const struct kind *k, const char *path)
{
    _cleanup_json_ json_t *doc = openapi_v3(k->group, k->version);
    _cleanup_free_ char *text = jprint(doc);
    _cleanup_free_ char *url =
        xasprintf("/openapi/v3/%s?hash=%016llX", path, (unsigned long long)hash_bytes(text, strlen(text)));
    return json_pack("{s:s}", "serverRelativeURL", url);
}

json_t *openapi_v3_index(void)
{
    json_t *paths = json_object();
    for (const struct kind *const *k = all_kinds; *k; k++) {
        char api_version[API_VERSION_SIZE], path[API_VERSION_SIZE + 8];
        snprintf(path, sizeof(path), "%s/%s", *(*k)->group ? "apis" : "api", kind_api_version(*k, api_version));
        if (!json_object_get(paths, path))
            json_object_set_new(paths, path, index_entry(*k, path));
    }
    return json_pack("{s:o}", "paths", paths);
}
