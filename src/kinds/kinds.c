/* The list of kinds and the ways to find one in it. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

const struct kind *const all_kinds[] = {
    &kind_configmap,
    &kind_endpoints,
    &kind_event,
    &kind_namespace,
    &kind_node,
    &kind_pod,
    &kind_replicationcontroller,
    &kind_secret,
    &kind_serviceaccount,
    &kind_service,
    &kind_controllerrevision,
    &kind_daemonset,
    &kind_deployment,
    &kind_replicaset,
    &kind_statefulset,
    &kind_job,
    &kind_tokenreview,
    &kind_selfsubjectreview,
    &kind_lease,
    &kind_endpointslice,
    &kind_ingressclass,
    &kind_ingress,
    &kind_ingress_v1beta1,
    &kind_ingress_extensions,
    NULL,
};

const struct kind *kind_by_resource(const char *group, const char *version, const char *plural)
{
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (streq((*k)->plural, plural) && streq((*k)->group, group) && streq((*k)->version, version))
            return *k;
    return NULL;
}

const struct kind *kind_by_api_version(const char *api_version, const char *kind_name)
{
    char text[API_VERSION_SIZE];
    for (const struct kind *const *k = all_kinds; *k; k++)
        if (streq((*k)->kind, kind_name) && streq(kind_api_version(*k, text), api_version))
            return *k;
    return NULL;
}

const struct kind *kind_stored(const struct kind *k)
{
    return k && k->stored ? k->stored : k;
}

void kind_to_stored(const struct kind *k, json_t *doc)
{
    char text[API_VERSION_SIZE];
    if (!k->stored)
        return;
    k->to_stored(doc);
    jset_str(doc, "apiVersion", kind_api_version(k->stored, text));
}

void kind_from_stored(const struct kind *k, json_t *doc)
{
    char text[API_VERSION_SIZE];
    if (!k->stored)
        return;
    k->from_stored(doc);
    jset_str(doc, "apiVersion", kind_api_version(k, text));
}

char *kind_api_version(const struct kind *k, char out[API_VERSION_SIZE])
{
    snprintf(out, API_VERSION_SIZE, "%s%s%s", k->group, *k->group ? "/" : "", k->version);
    return out;
}

char *kind_path(const struct kind *k, const char *ns, const char *name, const char *sub)
{
    char api_version[API_VERSION_SIZE];
    bool in_ns = ns && *ns;
    return xasprintf("/%s/%s%s%s/%s%s%s%s%s", *k->group ? "apis" : "api", kind_api_version(k, api_version),
                     in_ns ? "/namespaces/" : "", in_ns ? ns : "", k->plural, name ? "/" : "", name ? name : "",
                     sub ? "/" : "", sub ? sub : "");
}
