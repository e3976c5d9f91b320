/* Ingress and IngressClass: rules, columns, and the old versions told as the new one and back. */
#include "api/schema.h"
#include "api/status.h"
#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/object.h"
#include "doc.h"

#define SERVICE "'backend':{'service':{'name':'web','port':{'number':80}}}"
#define PATHS(paths) "{'rules':[{'host':'a.test','http':{'paths':[" paths "]}}]}"

static const struct {
    const char *spec, *field, *message; /* field NULL: fine */
} cases[] = {
    {PATHS("{'path':'/','pathType':'Prefix'," SERVICE "}"), NULL, NULL},
    {PATHS("{'pathType':'ImplementationSpecific'," SERVICE "}"), NULL, NULL},
    {"{'defaultBackend':{'service':{'name':'web','port':{'name':'http'}}}}", NULL, NULL},
    {"{}", "spec", "Invalid value: null: either `defaultBackend` or `rules` must be specified"},
    {PATHS(""), "spec.rules[0].http.paths", "Required value"},
    {PATHS("{'path':'/'," SERVICE "}"), "spec.rules[0].http.paths[0].pathType",
     "Required value: pathType must be specified"},
    {PATHS("{'path':'/','pathType':'Foo'," SERVICE "}"), "spec.rules[0].http.paths[0].pathType",
     "Unsupported value: \"Foo\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\""},
    {PATHS("{'path':'x','pathType':'Exact'," SERVICE "}"), "spec.rules[0].http.paths[0].path",
     "Invalid value: \"x\": must be an absolute path"},
    {PATHS("{'path':'/a//b','pathType':'Prefix'," SERVICE "}"), "spec.rules[0].http.paths[0].path",
     "Invalid value: \"/a//b\": must not contain '//'"},
    {PATHS("{'path':'/a/..','pathType':'Prefix'," SERVICE "}"), "spec.rules[0].http.paths[0].path",
     "Invalid value: \"/a/..\": cannot end with '/..'"},
    {PATHS("{'path':'/','pathType':'Prefix'}"), "spec.rules[0].http.paths[0].backend",
     "Invalid value: \"\": resource or service backend is required"},
    {PATHS("{'path':'/','pathType':'Prefix','backend':{'service':{'name':'web'}}}"),
     "spec.rules[0].http.paths[0].backend", "Required value: port name or number is required"},
    {PATHS("{'path':'/','pathType':'Prefix','backend':{'service':{'name':'web','port':{'number':80,'name':'a'}}}}"),
     "spec.rules[0].http.paths[0].backend", "Invalid value: \"\": cannot set both port name & port number"},
    {PATHS("{'path':'/','pathType':'Prefix','backend':{'service':{'name':'web','port':{'number':70000}}}}"),
     "spec.rules[0].http.paths[0].backend.service.port.number",
     "Invalid value: 70000: must be between 1 and 65535, inclusive"},
    {"{'rules':[{'host':'1.2.3.4'}]}", "spec.rules[0].host",
     "Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address"},
    {"{'rules':[{'host':'*.a.test'}]}", NULL, NULL},
    {"{'rules':[{'host':'a.test'}],'tls':[{'hosts':['*.a.test'],'secretName':'x'}]}", NULL, NULL},
};

TEST(rules)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct status_causes causes = {0};
        json_t *spec = t_doc(cases[i].spec);
        _cleanup_json_ json_t *obj =
            json_pack("{s:{s:s, s:s}, s:o}", "metadata", "name", "a", "namespace", "d", "spec", spec);
        schema_default(&kind_ingress, obj);
        schema_validate(&kind_ingress, obj, NULL, &causes);
        const json_t *first = json_array_get(causes.list, 0);
        T_INT(json_array_size(causes.list), cases[i].field ? 1 : 0);
        T_STR(jstr(first, "field"), cases[i].field);
        T_STR(jstr(first, "message"), cases[i].message);
        causes_done(&causes);
    }
}

TEST(hosts_have_the_form_of_names)
{
    static const char *const bad[] = {"A.test", "*", "a.*.test", "*.*.test", "*a.test", "a_b.test", "*."};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct status_causes causes = {0};
        _cleanup_json_ json_t *obj = json_pack("{s:{s:s, s:s}, s:{s:[{s:s}]}}", "metadata", "name", "a", "namespace",
                                               "d", "spec", "rules", "host", bad[i]);
        schema_validate(&kind_ingress, obj, NULL, &causes);
        T_STR(jstr(json_array_get(causes.list, 0), "field"), "spec.rules[0].host");
        causes_done(&causes);
    }
}

TEST(class_rules)
{
    static const struct {
        const char *spec, *field;
    } classes[] = {
        {"{'controller':'example.com/x'}", NULL},
        {"{'controller':'x'}", "spec.controller"},
        {"{}", "spec.controller"},
        {"{'controller':'example.com/x','parameters':{'kind':'a','name':'b'}}", NULL},
        {"{'controller':'example.com/x','parameters':{'kind':'a','name':'b','namespace':'c'}}",
         "spec.parameters.namespace"},
        {"{'controller':'example.com/x','parameters':{'kind':'a','name':'b','scope':'Namespace'}}",
         "spec.parameters.namespace"},
    };
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        struct status_causes causes = {0};
        _cleanup_json_ json_t *obj =
            json_pack("{s:{s:s}, s:o}", "metadata", "name", "a", "spec", t_doc(classes[i].spec));
        schema_default(&kind_ingressclass, obj);
        schema_validate(&kind_ingressclass, obj, NULL, &causes);
        T_STR(jstr(json_array_get(causes.list, 0), "field"), classes[i].field);
        causes_done(&causes);
    }
}

#define OLD_SPEC                                                                                                       \
    "'spec':{'backend':{'serviceName':'rest','servicePort':'http'},'rules':[{'host':'a.test','http':{'paths':[{'path'" \
    ":"                                                                                                                \
    "'/"                                                                                                               \
    "x','pathType':'ImplementationSpecific','backend':{'serviceName':'web','servicePort':80}}]}},{'host':'b.test'}]}"
#define NEW_SPEC                                                                                                       \
    "'spec':{'defaultBackend':{'service':{'name':'rest','port':{'name':'http'}}},'rules':[{'host':'a.test','http':{"   \
    "'paths':[{'path':'/x','pathType':'ImplementationSpecific','backend':{'service':{'name':'web','port':{'number':80" \
    "}}}}]}},{'host':'b.test'}]}"

TEST(old_versions_say_the_same)
{
    static const struct kind *const versions[] = {&kind_ingress_v1beta1, &kind_ingress_extensions};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        char version[API_VERSION_SIZE];
        const char *meta = "'metadata':{'name':'a','namespace':'d','resourceVersion':'5'}";
        kind_api_version(versions[i], version);
        _cleanup_free_ char *old_text =
            xasprintf("{'apiVersion':'%s','kind':'Ingress',%s," OLD_SPEC "}", version, meta);
        _cleanup_free_ char *new_text =
            xasprintf("{'apiVersion':'networking.k8s.io/v1','kind':'Ingress',%s," NEW_SPEC "}", meta);
        _cleanup_json_ json_t *old = t_doc(old_text), *new = t_doc(new_text), *edited = t_doc(old_text);
        kind_to_stored(versions[i], edited);
        T_TRUE(json_equal(edited, new));
        _cleanup_object_ struct object *kept = object_new(&kind_ingress, new);
        _cleanup_object_ struct object *seen = object_as(kept, versions[i]), *itself = object_as(kept, &kind_ingress);
        _cleanup_json_ json_t *seen_doc = object_json(seen);
        T_TRUE(json_equal(seen_doc, old));
        T_TRUE(itself == kept && seen->rv == 5 && kind_stored(versions[i]) == &kind_ingress);
    }
    object_cache_clear();
}

TEST(the_old_path_type_is_filled_in)
{
    _cleanup_json_ json_t *old = t_doc("{'spec':{'rules':[{'http':{'paths':[{'backend':{'serviceName':'a'}}]}}]}}");
    kind_to_stored(&kind_ingress_extensions, old);
    T_JSON(jget(old, "spec.rules"), "[{\"http\": {\"paths\": [{\"pathType\": \"ImplementationSpecific\", \"backend\": "
                                    "{\"service\": {\"name\": \"a\"}}}]}}]");
}

TEST(columns)
{
    static const char *const want[] = {"a", "haproxy", "a.test,b.test,c.test + 1 more...", "172.28.128.10...",
                                       "80, 443"};
    _cleanup_json_ json_t *obj = t_doc(
        "{'metadata':{'name':'a'},'spec':{'ingressClassName':'haproxy','tls':[{}],'rules':[{'host':'a.test'},{'host':"
        "'b.test'},{'host':'c.test'},{'host':'d.test'},{}]},'status':{'loadBalancer':{'ingress':[{'ip':'172.28.128.10'"
        "},{'hostname':'x.test'}]}}}");
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        _cleanup_json_ json_t *cell = kind_ingress.columns[i].cell(obj, 0);
        T_STR(json_string_value(cell), want[i]);
    }
    _cleanup_json_ json_t *empty = json_object(), *hosts = kind_ingress.columns[2].cell(empty, 0);
    T_STR(json_string_value(hosts), "*");
}

int main(void)
{
    RUN(rules);
    RUN(hosts_have_the_form_of_names);
    RUN(class_rules);
    RUN(old_versions_say_the_same);
    RUN(the_old_path_type_is_filled_in);
    RUN(columns);
    return DONE();
}
