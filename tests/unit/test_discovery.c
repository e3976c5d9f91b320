/* api/discovery.h over the real kinds: what clients look for. */
#include "api/discovery.h"
#include "base/str.h"
#include "json/json.h"
#include "t.h"

TEST(api_versions)
{
    _cleanup_json_ json_t *v = discovery_api_versions("10.0.0.1:6443");
    T_JSON(v, "{\"kind\": \"APIVersions\", \"versions\": [\"v1\"], \"serverAddressByClientCIDRs\": [{\"clientCIDR\": "
              "\"0.0.0.0/0\", "
              "\"serverAddress\": \"10.0.0.1:6443\"}]}");
}

TEST(groups_name_their_versions_once)
{
    _cleanup_json_ json_t *groups = discovery_groups(), *apps = discovery_group("apps");
    T_STR(jstr(groups, "kind"), "APIGroupList");
    T_TRUE(!jfind(jget(groups, "groups"), "name", ""));
    T_JSON(jfind(jget(groups, "groups"), "name", "apps"), "{\"name\": \"apps\", \"versions\": [{\"groupVersion\": "
                                                          "\"apps/v1\", \"version\": \"v1\"}], \"preferredVersion\": "
                                                          "{\"groupVersion\": \"apps/v1\", \"version\": \"v1\"}}");
    T_STR(jstr(apps, "kind"), "APIGroup");
    T_STR(jstr(apps, "preferredVersion.groupVersion"), "apps/v1");
    T_TRUE(!discovery_group("") && !discovery_group("nope"));
}

TEST(resources_come_with_their_subresources)
{
    _cleanup_json_ json_t *core = discovery_resources("", "v1"), *apps = discovery_resources("apps", "v1");
    const json_t *list = jget(core, "resources");
    T_STR(jstr(core, "groupVersion"), "v1");
    T_JSON(jfind(list, "name", "pods"), "{\"name\": \"pods\", \"singularName\": \"pod\", \"namespaced\": true, "
                                        "\"kind\": \"Pod\", \"verbs\": [\"create\", \"delete\", "
                                        "\"deletecollection\", \"get\", \"list\", \"patch\", \"update\", \"watch\"], "
                                        "\"shortNames\": [\"po\"], \"categories\": [\"all\"]}");
    T_JSON(jfind(list, "name", "pods/binding"), "{\"name\": \"pods/binding\", \"singularName\": \"\", \"namespaced\": "
                                                "true, \"kind\": \"Binding\", \"verbs\": [\"create\"]}");
    T_JSON(jfind(list, "name", "pods/eviction"), "{\"name\": \"pods/eviction\", \"singularName\": \"\", "
                                                 "\"namespaced\": true, \"group\": \"policy\", \"version\": \"v1\", "
                                                 "\"kind\": \"Eviction\", \"verbs\": [\"create\"]}");
    T_JSON(jget(jfind(list, "name", "pods/exec"), "verbs"), "[\"create\", \"get\"]");
    T_STR(jstr(jfind(list, "name", "pods/status"), "kind"), "Pod");
    T_TRUE(!jbool(jfind(list, "name", "nodes"), "namespaced", true));
    T_STR(jstr(apps, "apiVersion"), "v1");
    T_TRUE(!discovery_resources("apps", "v9") && !discovery_resources("nope", "v1"));
}

TEST(scale_is_autoscalings_kind)
{
    _cleanup_json_ json_t *apps = discovery_resources("apps", "v1");
    T_JSON(jfind(jget(apps, "resources"), "name", "deployments/scale"),
           "{\"name\": \"deployments/scale\", \"singularName\": \"\", \"namespaced\": true, \"group\": "
           "\"autoscaling\", \"version\": \"v1\", "
           "\"kind\": \"Scale\", \"verbs\": [\"get\", \"patch\", \"update\"]}");
}

TEST(aggregated_has_the_same_in_one_document)
{
    _cleanup_json_ json_t *core = discovery_aggregated(true, "v2"), *named = discovery_aggregated(false, "v2beta1");
    T_STR(jstr(core, "apiVersion"), "apidiscovery.k8s.io/v2");
    T_STR(jstr(named, "apiVersion"), "apidiscovery.k8s.io/v2beta1");
    T_INT(json_array_size(jget(core, "items")), 1);
    const json_t *version = json_array_get(jget(json_array_get(jget(core, "items"), 0), "versions"), 0);
    const json_t *pods = jfind(jget(version, "resources"), "resource", "pods");
    T_STR(jstr(version, "freshness"), "Current");
    T_STR(jstr(pods, "scope"), "Namespaced");
    T_JSON(jget(pods, "responseKind"), "{\"group\": \"\", \"version\": \"v1\", \"kind\": \"Pod\"}");
    T_JSON(jfind(jget(pods, "subresources"), "subresource", "eviction"),
           "{\"subresource\": \"eviction\", \"responseKind\": {\"group\": \"policy\", \"version\": \"v1\", \"kind\": "
           "\"Eviction\"}, \"verbs\": "
           "[\"create\"]}");
    size_t resources = 0, i;
    json_t *group;
    json_array_foreach(jget(named, "items"), i, group) {
        T_TRUE(*jstr_or(group, "metadata.name", ""));
        size_t v;
        json_t *served;
        json_array_foreach(jget(group, "versions"), v, served)
            resources += json_array_size(jget(served, "resources"));
    }
    size_t kinds = 0;
    for (const struct kind *const *k = all_kinds; *k; k++)
        kinds += *(*k)->group != '\0';
    T_INT(resources, kinds);
}

/* Every subresource that a kind names is one that discovery knows. */
TEST(no_subresource_is_forgotten)
{
    for (const struct kind *const *k = all_kinds; *k; k++) {
        _cleanup_json_ json_t *list = discovery_resources((*k)->group, (*k)->version);
        for (const char *const *s = (*k)->subresources; s && *s; s++) {
            char name[128];
            snprintf(name, sizeof(name), "%s/%s", (*k)->plural, *s);
            if (!jfind(jget(list, "resources"), "name", name))
                T_FAIL("%s is missing", name);
        }
    }
}

int main(void)
{
    RUN(api_versions);
    RUN(groups_name_their_versions_once);
    RUN(resources_come_with_their_subresources);
    RUN(scale_is_autoscalings_kind);
    RUN(aggregated_has_the_same_in_one_document);
    RUN(no_subresource_is_forgotten);
    return DONE();
}
