/* server: what a request asks for. */
#include "base/alloc.h"
#include "server/request.h"
#include "t.h"

TEST(paths_are_taken_apart)
{
    static const struct {
        const char *path;
        bool is_resource;
        const char *parts; /* group|version|plural|ns|name|subresource|"more" */
    } cases[] = {
        {"/", false, "||||||"},
        {"/version", false, "||||||"},
        {"/api", false, "||||||"},
        {"/api/v1", false, "||||||"},
        {"/api/v1/", false, "||||||"},
        {"/apis/apps/v1", false, "||||||"},
        {"/openapi/v3/apis/apps/v1", false, "||||||"},
        {"/api/v1/pods", true, "|v1|pods||||"},
        {"/api/v1/pods/", true, "|v1|pods||||"},
        {"/api/v1/namespaces", true, "|v1|namespaces||||"},
        {"/api/v1/namespaces/web", true, "|v1|namespaces||web||"},
        {"/api/v1/namespaces/web/status", true, "|v1|namespaces||web|status|"},
        {"/api/v1/namespaces/web/finalize", true, "|v1|namespaces||web|finalize|"},
        {"/api/v1/namespaces/web/pods", true, "|v1|pods|web|||"},
        {"/api/v1/namespaces/web/pods/p-1", true, "|v1|pods|web|p-1||"},
        {"/api/v1/namespaces/web/pods/p-1/log", true, "|v1|pods|web|p-1|log|"},
        {"/api/v1/namespaces/web/pods/p-1/proxy/a/b", true, "|v1|pods|web|p-1|proxy|more"},
        {"/api/v1/nodes/n1/status", true, "|v1|nodes||n1|status|"},
        {"/apis/apps/v1/deployments", true, "apps|v1|deployments||||"},
        {"/apis/apps/v1/namespaces/web/deployments/d/scale", true, "apps|v1|deployments|web|d|scale|"},
        {"/api/v1/nodes/a%2Fb%20c", true, "|v1|nodes||a/b c||"},
        {"/api/v1//pods", true, "|v1|||pods||"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct request_path p;
        T_TRUE(request_path_parse(cases[i].path, &p));
        _cleanup_free_ char *got = xasprintf("%s|%s|%s|%s|%s|%s|%s", p.group, p.version, p.plural, p.ns, p.name,
                                             p.subresource, p.goes_on ? "more" : "");
        T_INT(p.is_resource, cases[i].is_resource);
        T_STR(got, cases[i].parts);
        request_path_done(&p);
    }
}

TEST(bad_escapes_are_refused)
{
    struct request_path p;
    T_TRUE(!request_path_parse("/api/v1/pods/%zz", &p));
    T_TRUE(!request_path_parse("/api/v1/pods/%00", &p));
    T_TRUE(!request_path_parse("/api/v1/pods/%2", &p));
}

TEST(verbs_follow_method_and_shape)
{
    static const struct {
        const char *method;
        bool named, watch;
        const char *verb;
    } cases[] = {
        {"GET", true, false, "get"},       {"GET", false, false, "list"},
        {"GET", false, true, "watch"},     {"GET", true, true, "get"},
        {"HEAD", true, false, "get"},      {"POST", false, false, "create"},
        {"PUT", true, false, "update"},    {"PATCH", true, false, "patch"},
        {"DELETE", true, false, "delete"}, {"DELETE", false, false, "deletecollection"},
        {"OPTIONS", false, false, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        T_STR(verb_name(request_verb(cases[i].method, cases[i].named, cases[i].watch)), cases[i].verb);
}

TEST(parameters_are_read_strictly)
{
    int64_t n;
    T_TRUE(query_int("limit=500", "limit", 0, 1000, 7, &n) && n == 500);
    T_TRUE(query_int("", "limit", 0, 1000, 7, &n) && n == 7);
    T_TRUE(!query_int("limit=-1", "limit", 0, 1000, 7, &n));
    T_TRUE(!query_int("limit=many", "limit", 0, 1000, 7, &n));
}

TEST(parameters_can_be_taken_out)
{
    static const char *const names[] = {"container", "pretty", NULL};
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"", ""},
        {"container=web", ""},
        {"container=web&follow=true", "follow=true"},
        {"follow=true&container=web&tailLines=5&pretty", "follow=true&tailLines=5"},
        {"containers=2&&x", "containers=2&x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = query_without(cases[i].query, names);
        T_STR(got, cases[i].want);
    }
}

int main(void)
{
    RUN(paths_are_taken_apart);
    RUN(bad_escapes_are_refused);
    RUN(verbs_follow_method_and_shape);
    RUN(parameters_are_read_strictly);
    RUN(parameters_can_be_taken_out);
    return DONE();
}
