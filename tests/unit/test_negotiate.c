/* server: forms of answers and bodies. */
#include "base/alloc.h"
#include "server/negotiate.h"
#include "t.h"

TEST(accept_decides_the_form)
{
    static const struct {
        const char *accept;
        const char *want; /* "" is 406 */
    } cases[] = {
        {NULL, "json v1"},
        {"", "json v1"},
        {"*/*", "json v1"},
        {"application/json", "json v1"},
        {"Application/JSON; charset=utf-8", "json v1"},
        {"application/vnd.kubernetes.protobuf,application/json", "json v1"},
        {"application/vnd.kubernetes.protobuf, */*", "json v1"},
        {"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/"
         "json",
         "table v1"},
        {"application/json;as=Table;g=meta.k8s.io;v=v1beta1, application/json", "table v1beta1"},
        {"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json", "partial v1"},
        {"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json", "partial v1"},
        {"application/json;as=Unknown;g=meta.k8s.io;v=v1,application/json", "json v1"},
        {"application/json;as=Table;g=meta.k8s.io;v=v7", ""},
        {"application/json;as=Table;g=example.com;v=v1", ""},
        {"application/vnd.kubernetes.protobuf", ""},
        {"text/html", ""},
        {"application/yaml", ""},
    };
    static const char *const names[] = {
        [REPR_JSON] = "json", [REPR_TABLE] = "table", [REPR_PARTIAL_METADATA] = "partial"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct negotiated n;
        bool ok = negotiate(cases[i].accept, &n);
        _cleanup_free_ char *got = ok ? xasprintf("%s %s", names[n.repr], n.version) : xstrdup("");
        T_STR(got, cases[i].want);
    }
}

TEST(discovery_has_forms_of_its_own)
{
    static const struct {
        const char *accept, *want; /* "" is 406, "plain" the plain form */
    } cases[] = {
        {NULL, "plain"},
        {"application/json", "plain"},
        {"application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
         "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json",
         "v2"},
        {"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", "v2beta1"},
        {"application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList", ""},
        {"application/vnd.kubernetes.protobuf, application/json", "plain"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *version, *got = "";
        if (negotiate_discovery(cases[i].accept, &version))
            got = version ? version : "plain";
        T_STR(got, cases[i].want);
    }
}

TEST(the_first_acceptable_form_counts)
{
    const char *pb = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    T_TRUE(accepts_first("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", pb));
    T_TRUE(accepts_first("text/html,application/com.github.proto-openapi.spec.v2@v1.0+protobuf", pb));
    T_TRUE(!accepts_first("application/json, application/com.github.proto-openapi.spec.v2@v1.0+protobuf", pb));
    T_TRUE(!accepts_first("*/*", pb) && !accepts_first(NULL, pb));
}

TEST(content_types_of_bodies)
{
    T_INT(body_type(NULL), BODY_JSON);
    T_INT(body_type("application/json"), BODY_JSON);
    T_INT(body_type("application/json; charset=utf-8"), BODY_JSON);
    T_INT(body_type("application/yaml"), BODY_YAML);
    T_INT(body_type("application/json-patch+json"), BODY_JSON_PATCH);
    T_INT(body_type("application/merge-patch+json"), BODY_MERGE_PATCH);
    T_INT(body_type("application/strategic-merge-patch+json"), BODY_STRATEGIC_PATCH);
    T_INT(body_type("application/apply-patch+yaml"), BODY_APPLY_PATCH);
    T_INT(body_type("application/vnd.kubernetes.protobuf"), BODY_PROTOBUF);
    T_INT(body_type("text/plain"), BODY_UNSUPPORTED);
}

TEST(people_get_it_indented)
{
    T_TRUE(wants_indent("", "curl/7.88.1"));
    T_TRUE(wants_indent("pretty=true", "kubectl/v1.32"));
    T_TRUE(wants_indent("a=b&pretty=1", NULL));
    T_TRUE(!wants_indent("pretty=false", "curl/7.88.1"));
    T_TRUE(!wants_indent("", "kubectl/v1.32"));
    T_TRUE(!wants_indent("", NULL));
}

int main(void)
{
    RUN(people_get_it_indented);
    RUN(accept_decides_the_form);
    RUN(discovery_has_forms_of_its_own);
    RUN(the_first_acceptable_form_counts);
    RUN(content_types_of_bodies);
    return DONE();
}
