/* api/openapi.h over the real kinds: what kubectl looks for, and that nothing points nowhere. */
#include "api/openapi.h"
#include "api/typename.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "t.h"

#define DEPLOYMENT "io.k8s.api.apps.v1.Deployment"
#define ONE_PATH "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
#define DEFINITIONS "#/definitions/"
#define SCHEMAS "#/components/schemas/"

static size_t check_refs(const json_t *doc, const json_t *types, const char *prefix)
{
    size_t n = 0, i;
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)doc, key, v) {
        const char *name = streq(key, "$ref") ? str_after(str_or(json_string_value(v), ""), prefix) : NULL;
        if (streq(key, "$ref") && json_is_string(v) && (!name || !json_object_get(types, name)))
            T_FAIL("%s leads nowhere", json_string_value(v));
        n += (name != NULL) + check_refs(v, types, prefix);
    }
    json_array_foreach((json_t *)doc, i, v)
        n += check_refs(v, types, prefix);
    return n;
}

TEST(references_lead_to_types)
{
    _cleanup_json_ json_t *v2 = openapi_v2();
    T_TRUE(check_refs(v2, jget(v2, "definitions"), DEFINITIONS) > 100);
    for (const struct kind *const *k = all_kinds; *k; k++) {
        _cleanup_json_ json_t *v3 = openapi_v3((*k)->group, (*k)->version);
        T_TRUE(check_refs(v3, jget(v3, "components.schemas"), SCHEMAS) > 10);
    }
    T_TRUE(!openapi_v3("nope", "v1") && !openapi_v3("apps", "v9"));
}

TEST(version_2_describes_types_as_kubectl_validates)
{
    _cleanup_json_ json_t *v2 = openapi_v2();
    const json_t *types = jget(v2, "definitions"), *deployment = json_object_get(types, DEPLOYMENT);
    T_JSON(json_object_get(deployment, "x-kubernetes-group-version-kind"),
           "[{\"group\": \"apps\", \"kind\": \"Deployment\", \"version\": \"v1\"}]");
    T_STR(jstr(deployment, "properties.spec.$ref"), DEFINITIONS DEPLOYMENT "Spec");
    T_TRUE(jstr(deployment, "properties.apiVersion.type"));
    const json_t *spec = json_object_get(types, DEPLOYMENT "Spec");
    T_STR(jstr(spec, "properties.replicas.type"), "integer");
    T_STR(jstr(spec, "properties.replicas.format"), "int32");
    T_STR(json_string_value(json_array_get(jget(spec, "required"), 0)), "selector");
    T_STR(jstr(spec, "properties.strategy.x-kubernetes-patch-strategy"), "retainKeys");
    const json_t *pod = json_object_get(types, "io.k8s.api.core.v1.PodSpec");
    T_STR(jstr(pod, "properties.containers.x-kubernetes-patch-merge-key"), "name");
    T_STR(jstr(pod, "properties.containers.x-kubernetes-patch-strategy"), "merge");
    T_STR(jstr(pod, "properties.volumes.x-kubernetes-patch-strategy"), "merge,retainKeys");
    T_STR(jstr(pod, "properties.containers.items.$ref"), DEFINITIONS "io.k8s.api.core.v1.Container");
    const json_t *container = json_object_get(types, "io.k8s.api.core.v1.Container");
    T_JSON(jget(container, "properties.ports.x-kubernetes-list-map-keys"), "[\"containerPort\", \"protocol\"]");
    T_STR(jstr(container, "properties.args.x-kubernetes-list-type"), "atomic");
    T_STR(jstr(json_object_get(types, "io.k8s.apimachinery.pkg.util.intstr.IntOrString"), "format"), "int-or-string");
    T_STR(jstr(json_object_get(types, "io.k8s.api.core.v1.ConfigMap"), "properties.data.additionalProperties.type"),
          "string");
}

static bool takes(const json_t *operation, const char *parameter)
{
    return jfind(jget(operation, "parameters"), "name", parameter);
}

TEST(operations_say_what_they_take)
{
    _cleanup_json_ json_t *v2 = openapi_v2(), *v3 = openapi_v3("apps", "v1");
    const json_t *documents[] = {v2, v3};
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        const json_t *patch = jget(json_object_get(jget(documents[i], "paths"), ONE_PATH), "patch");
        T_TRUE(takes(patch, "dryRun") && takes(patch, "fieldValidation") && takes(patch, "force") &&
               !takes(patch, "watch"));
        T_STR(jstr(patch, "x-kubernetes-action"), "patch");
        T_JSON(jget(patch, "x-kubernetes-group-version-kind"),
               "{\"group\": \"apps\", \"kind\": \"Deployment\", \"version\": \"v1\"}");
    }
    T_TRUE(json_object_get(jget(v3, "paths"), "/apis/apps/v1/deployments"));
    T_TRUE(json_object_get(jget(v3, "paths"), ONE_PATH "/status"));
    T_TRUE(!json_object_get(jget(v3, "paths"), "/apis/apps/v1/namespaces"));
}

TEST(version_3_wraps_references_that_are_described)
{
    _cleanup_json_ json_t *v3 = openapi_v3("apps", "v1");
    const json_t *types = jget(v3, "components.schemas"),
                 *spec = jget(json_object_get(types, DEPLOYMENT), "properties.spec");
    T_JSON(jget(spec, "allOf"), "[{\"$ref\": \"" SCHEMAS DEPLOYMENT "Spec\"}]");
    T_TRUE(*jstr_or(spec, "description", ""));
    T_JSON(json_object_get(types, "io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
           "{\"oneOf\": [{\"type\": \"integer\"}, {\"type\": \"string\"}], \"format\": \"int-or-string\"}");
    T_JSON(jget(json_object_get(types, DEPLOYMENT "Strategy"), "properties.type.enum"),
           "[\"Recreate\", \"RollingUpdate\"]");
}

TEST(the_index_names_every_group_version)
{
    _cleanup_json_ json_t *index = openapi_v3_index();
    const json_t *paths = jget(index, "paths");
    T_TRUE(str_after(jstr_or(json_object_get(paths, "api/v1"), "serverRelativeURL", ""), "/openapi/v3/api/v1?hash="));
    T_TRUE(str_after(jstr_or(json_object_get(paths, "apis/apps/v1"), "serverRelativeURL", ""),
                     "/openapi/v3/apis/apps/v1?hash="));
}

/* ---- the names behind it ---- */

static bool same_members(const struct field *a, const struct field *b)
{
    for (; a->name && b->name; a++, b++)
        if (!streq(a->name, b->name))
            return false;
    return !a->name && !b->name;
}

static void walk_type(struct map *seen, const char *name, const struct field *fields)
{
    const struct field *first = map_get(seen, name);
    if (first && !same_members(first, fields))
        T_FAIL("two tables are called %s", name);
    if (first)
        return;
    map_put(seen, name, (void *)fields);
    for (const struct field *f = fields; f->name; f++) {
        char member[TYPE_NAME_SIZE];
        const struct field *inner = f;
        while (inner->type == F_LIST || inner->type == F_MAP)
            inner = inner->sub;
        if (inner->type == F_OBJECT)
            walk_type(seen, type_name_of_member(name, f->name, member), inner->sub);
    }
}

TEST(a_type_name_is_one_table)
{
    struct map seen = {0};
    for (const struct kind *const *k = all_kinds; *k; k++) {
        char name[TYPE_NAME_SIZE];
        walk_type(&seen, type_name_of_kind(*k, name), (*k)->fields);
    }
    T_TRUE(map_get(&seen, "core.v1.PodSpec") && map_get(&seen, "apps.v1.DeploymentCondition"));
    T_TRUE(map_get(&seen, "meta.v1.LabelSelector") && map_get(&seen, "core.v1.ServicePort"));
    map_done(&seen);
}

/* ---- protobuf ---- */

TEST(protobuf_is_what_protoc_would_write)
{
    static const struct {
        const char *json, *hex;
    } rows[] = {
        {"{\"swagger\":\"2.0\",\"info\":{\"title\":\"t\",\"version\":\"1\"}}", "0a03322e3012060a017412"
                                                                               "0131"},
        /* definitions(74) { entry(1) { name(1) "A", value(2) { type(22) { "object" }, x-a: NamedAny(31) { "x-a", {
           yaml(2) "1" } } } } } */
        {"{\"definitions\":{\"A\":{\"type\":\"object\",\"x-a\":1}}}", "4a1f0a1d0a0141"
                                                                      "1218"
                                                                      "b201080a066f626a656374"
                                                                      "fa010a0a03782d611203120131"},
        /* paths(8) { path(2) { "/", { get(2) { parameters(8) { parameter(1) { non_body(2) { query(3) { in, name, type }
           } } } } } } } */
        {"{\"paths\":{\"/\":{\"get\":{\"parameters\":[{\"in\":\"query\",\"name\":\"n\",\"type\":\"string\"}]}}}}",
         "42231221"
         "0a012f"
         "121c121a"
         "42180a161214"
         "1a12"
         "12057175657279"
         "22016e"
         "3206737472696e67"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(0);
        _cleanup_json_ json_t *doc = json_loads(rows[i].json, 0, NULL);
        openapi_v2_protobuf(doc, &out);
        _cleanup_free_ char *hex = xcalloc(1, 2 * out.len + 1);
        str_hex(out.data, out.len, hex);
        T_STR(hex, rows[i].hex);
        buf_done(&out);
    }
}

int main(void)
{
    RUN(references_lead_to_types);
    RUN(version_2_describes_types_as_kubectl_validates);
    RUN(operations_say_what_they_take);
    RUN(version_3_wraps_references_that_are_described);
    RUN(the_index_names_every_group_version);
    RUN(a_type_name_is_one_table);
    RUN(protobuf_is_what_protoc_would_write);
    return DONE();
}
