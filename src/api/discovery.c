/* See discovery.h. Groups and versions come in the order in which the list of kinds first names them; a group prefers
 * its first version. */
#include "api/discovery.h"

#include <stdio.h>

#include "base/str.h"
#include "json/json.h"

/* In the order of their names, as upstream lists them. */
static const struct {
    unsigned verb;
    const char *name;
} verbs[] = {
    {V_CREATE, "create"}, {V_DELETE, "delete"}, {V_DELETECOLLECTION, "deletecollection"},
    {V_GET, "get"},       {V_LIST, "list"},     {V_PATCH, "patch"},
    {V_UPDATE, "update"}, {V_WATCH, "watch"},
};

/* Group and kind NULL: those of the resource. */
static const struct subresource {
    const char *of, *name; /* of NULL: any resource */
    const char *group, *version, *kind;
    unsigned verbs;
} subresources[] = {
    {NULL, "status", NULL, NULL, NULL, V_GET | V_PATCH | V_UPDATE},
    {NULL, "scale", "autoscaling", "v1", "Scale", V_GET | V_PATCH | V_UPDATE},
    {"namespaces", "finalize", NULL, NULL, NULL, V_UPDATE},
    {"nodes", "proxy", "", "v1", "NodeProxyOptions", V_CREATE | V_DELETE | V_GET | V_PATCH | V_UPDATE},
    {"pods", "attach", "", "v1", "PodAttachOptions", V_CREATE | V_GET},
    {"pods", "binding", "", "v1", "Binding", V_CREATE},
    {"pods", "ephemeralcontainers", NULL, NULL, NULL, V_GET | V_PATCH | V_UPDATE},
    {"pods", "eviction", "policy", "v1", "Eviction", V_CREATE},
    {"pods", "exec", "", "v1", "PodExecOptions", V_CREATE | V_GET},
    {"pods", "log", NULL, NULL, NULL, V_GET},
    {"pods", "portforward", "", "v1", "PodPortForwardOptions", V_CREATE | V_GET},
    {"pods", "proxy", "", "v1", "PodProxyOptions", V_CREATE | V_DELETE | V_GET | V_PATCH | V_UPDATE},
    {"pods", "resize", NULL, NULL, NULL, V_GET | V_PATCH | V_UPDATE},
    {"certificatesigningrequests", "approval", NULL, NULL, NULL, V_GET | V_PATCH | V_UPDATE},
    {"serviceaccounts", "token", "authentication.k8s.io", "v1", "TokenRequest", V_CREATE},
    {"services", "proxy", "", "v1", "ServiceProxyOptions", V_CREATE | V_DELETE | V_GET | V_PATCH | V_UPDATE},
};

static json_t *verb_list(unsigned set)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (set & verbs[i].verb)
            json_array_append_new(list, json_string(verbs[i].name));
    return list;
}

static void set_texts(json_t *o, const char *member, const char *const *texts)
{
    if (!texts || !*texts)
        return;
    json_t *list = json_array();
    for (; *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    json_object_set_new(o, member, list);
}

static const struct subresource *find_subresource(const struct kind *k, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(subresources); i++)
        if (streq(subresources[i].name, name) && (!subresources[i].of || streq(subresources[i].of, k->plural)))
            return &subresources[i];
    return NULL;
}

/* Calls `add` for every subresource of a kind. */
static void each_subresource(const struct kind *k, json_t *list,
                             void (*add)(json_t *, const struct kind *, const struct subresource *))
{
    for (const char *const *s = k->subresources; s && *s; s++) {
        const struct subresource *sub = find_subresource(k, *s);
        if (sub)
            add(list, k, sub);
    }
    if (k->scale)
        add(list, k, find_subresource(k, "scale"));
    if (k->has_status)
        add(list, k, find_subresource(k, "status"));
}

/* ---- one document a group version ---- */

static void add_subresource_row(json_t *list, const struct kind *k, const struct subresource *s)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/%s", k->plural, s->name);
    json_t *r = json_pack("{s:s, s:s, s:b}", "name", name, "singularName", "", "namespaced", k->namespaced);
    if (s->group && !(streq(s->group, k->group) && streq(s->version, k->version))) {
        json_object_set_new(r, "group", json_string(s->group));
        json_object_set_new(r, "version", json_string(s->version));
    }
    json_object_set_new(r, "kind", json_string(str_or(s->kind, k->kind)));
    json_object_set_new(r, "verbs", verb_list(s->verbs));
    json_array_append_new(list, r);
}

static void add_resource_rows(json_t *list, const struct kind *k)
{
    json_t *r = json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", k->plural, "singularName", k->singular, "namespaced",
                          k->namespaced, "kind", k->kind, "verbs", verb_list(k->verbs));
    set_texts(r, "shortNames", k->short_names);
    set_texts(r, "categories", k->categories);
    json_array_append_new(list, r);
    each_subresource(k, list, add_subresource_row);
}

json_t *discovery_resources(const char *group, const char *version)
{
    char group_version[API_VERSION_SIZE];
    json_t *list = NULL;
    for (const struct kind *const *k = all_kinds; *k; k++) {
        if (!streq((*k)->group, group) || !streq((*k)->version, version))
            continue;
        kind_api_version(*k, group_version);
        if (!list)
            list = json_array();
        add_resource_rows(list, *k);
    }
    if (!list)
        return NULL;
    json_t *doc =
        json_pack("{s:s, s:s, s:o}", "kind", "APIResourceList", "groupVersion", group_version, "resources", list);
    if (*group)
        json_object_set_new(doc, "apiVersion", json_string("v1"));
    return doc;
}

/* ---- groups ---- */

/* Whether *at is the first kind of its group (and version). */
static bool is_first(const struct kind *const *at, bool of_version)
{
    for (const struct kind *const *k = all_kinds; k < at; k++)
        if (streq((*k)->group, (*at)->group) && (!of_version || streq((*k)->version, (*at)->version)))
            return false;
    return true;
}

static json_t *group_version(const struct kind *k)
{
    char text[API_VERSION_SIZE];
    return json_pack("{s:s, s:s}", "groupVersion", kind_api_version(k, text), "version", k->version);
}

/* Members name, versions and preferredVersion; NULL when no kind is in the group. */
static json_t *group_new(const char *group)
{
    json_t *versions = json_array();
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (streq((*k)->group, group) && is_first(k, true))
            json_array_append_new(versions, group_version(*k));
    if (json_array_size(versions) == 0) {
        json_decref(versions);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:O}", "name", group, "versions", versions, "preferredVersion",
                     json_array_get(versions, 0));
}

json_t *discovery_group(const char *group)
{
    json_t *doc = *group ? group_new(group) : NULL;
    if (!doc)
        return NULL;
    json_object_set_new(doc, "kind", json_string("APIGroup"));
    json_object_set_new(doc, "apiVersion", json_string("v1"));
    return doc;
}

json_t *discovery_groups(void)
{
    json_t *groups = json_array();
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (*(*k)->group && is_first(k, false))
            json_array_append_new(groups, group_new((*k)->group));
    return json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", groups);
}

json_t *discovery_api_versions(const char *server_address)
{
    return json_pack("{s:s, s:[s], s:[{s:s, s:s}]}", "kind", "APIVersions", "versions", "v1",
                     "serverAddressByClientCIDRs", "clientCIDR", "0.0.0.0/0", "serverAddress", server_address);
}

/* ---- everything in one document ---- */

static json_t *response_kind(const struct kind *k, const struct subresource *s)
{
    bool own = !s || !s->group;
    return json_pack("{s:s, s:s, s:s}", "group", own ? k->group : s->group, "version", own ? k->version : s->version,
                     "kind", own ? k->kind : s->kind);
}

static void add_aggregated_subresource(json_t *list, const struct kind *k, const struct subresource *s)
{
    json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "subresource", s->name, "responseKind",
                                          response_kind(k, s), "verbs", verb_list(s->verbs)));
}

static json_t *aggregated_resource(const struct kind *k)
{
    json_t *r = json_pack("{s:s, s:o, s:s, s:s, s:o}", "resource", k->plural, "responseKind", response_kind(k, NULL),
                          "scope", k->namespaced ? "Namespaced" : "Cluster", "singularResource", k->singular, "verbs",
                          verb_list(k->verbs));
    set_texts(r, "shortNames", k->short_names);
    set_texts(r, "categories", k->categories);
    json_t *subs = json_array();
    each_subresource(k, subs, add_aggregated_subresource);
    if (json_array_size(subs))
        json_object_set(r, "subresources", subs);
    json_decref(subs);
    return r;
}

static json_t *aggregated_version(const struct kind *first)
{
    json_t *resources = json_array();
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (streq((*k)->group, first->group) && streq((*k)->version, first->version))
            json_array_append_new(resources, aggregated_resource(*k));
    return json_pack("{s:s, s:o, s:s}", "version", first->version, "resources", resources, "freshness", "Current");
}

static json_t *aggregated_group(const char *group)
{
    json_t *versions = json_array();
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (streq((*k)->group, group) && is_first(k, true))
            json_array_append_new(versions, aggregated_version(*k));
    json_t *g = json_pack("{s:{s:n}, s:o}", "metadata", "creationTimestamp", "versions", versions);
    if (*group)
        jset_str(g, "metadata.name", group);
    return g;
}

json_t *discovery_aggregated(bool core, const char *version)
{
    char api_version[API_VERSION_SIZE];
    json_t *items = json_array();
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (core == !*(*k)->group && is_first(k, false))
            json_array_append_new(items, aggregated_group((*k)->group));
    snprintf(api_version, sizeof(api_version), "apidiscovery.k8s.io/%s", version);
    return json_pack("{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion", api_version, "metadata",
                     "items", items);
}
