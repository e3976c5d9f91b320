/* Ingress as it was written before networking.k8s.io/v1, under two names: converted from and to that version at the
 * door. Rules: pkg/apis/networking/v1beta1/conversion.go. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/ingress.h"

static const struct field backend_fields[] = {
    {"serviceName", F_STR, OPT, .doc = "Name of the Service, in the Ingress's namespace."},
    {"servicePort", F_INT_OR_STR, OPT, .doc = "Number or name of the Service's port."},
    {"resource", F_OBJECT, ATOMIC, .sub = typed_local_object_reference_fields, .doc = "Another object that answers."},
    {0},
};

static const struct field path_fields[] = {
    {"path", F_STR, OPT, .doc = "Path of the request; begins with a slash."},
    {"pathType", F_STR, .doc = "Exact; Prefix, by elements; or ImplementationSpecific, which is the default."},
    {"backend", F_OBJECT, .sub = backend_fields, .doc = "Who answers."},
    {0},
};

static const struct field http_fields[] = {
    {"paths", F_LIST, LIST_OF(path_fields), .doc = "Paths and who answers them."},
    {0},
};

static const struct field rule_fields[] = {
    {"host", F_STR, OPT, .doc = "Name in the request, or *.NAME for one more label; empty: any."},
    {"http", F_OBJECT, .sub = http_fields, .doc = "Paths of this host."},
    {0},
};

static const struct field spec_fields[] = {
    {"ingressClassName", F_STR, .doc = "IngressClass, and with it who serves this."},
    {"backend", F_OBJECT, .sub = backend_fields, .doc = "Answers what no rule matches."},
    {"tls", F_LIST, OPT | ATOMIC, LIST_OF(ingress_tls_fields), .doc = "Certificates, by host."},
    {"rules", F_LIST, OPT | ATOMIC, LIST_OF(rule_fields), .doc = "Hosts and their paths."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .doc = "Hosts, paths and certificates."},
    {"status", F_OBJECT, .sub = ingress_status_fields, .doc = "Where it is served."},
    {0},
};

static json_t *backend_to_stored(const json_t *old)
{
    const char *name = jstr_or(old, "serviceName", "");
    json_t *new = json_object(), *port = jget(old, "servicePort"), *resource = jget(old, "resource");
    if (*name || port)
        jset_str(new, "service.name", name);
    if (port)
        jset(new, json_is_string(port) ? "service.port.name" : "service.port.number", json_incref(port));
    if (resource)
        jset(new, "resource", json_deep_copy(resource));
    return new;
}

static json_t *backend_from_stored(const json_t *new)
{
    json_t *old = json_object(), *resource = jget(new, "resource");
    json_t *number = jget(new, "service.port.number"), *port = number ? number : jget(new, "service.port.name");
    jset_str(old, "serviceName", jstr(new, "service.name"));
    if (port)
        jset(old, "servicePort", json_incref(port));
    if (resource)
        jset(old, "resource", json_deep_copy(resource));
    return old;
}

static void each_path(json_t *obj, void (*visit)(json_t *path))
{
    size_t i, p;
    json_t *rule, *path;
    json_array_foreach(jget(obj, "spec.rules"), i, rule)
        json_array_foreach(jget(rule, "http.paths"), p, path)
            visit(path);
}

static void path_to_stored(json_t *path)
{
    if (!jget(path, "pathType"))
        jset_str(path, "pathType", "ImplementationSpecific");
    jset(path, "backend", backend_to_stored(jget(path, "backend")));
}

static void path_from_stored(json_t *path)
{
    jset(path, "backend", backend_from_stored(jget(path, "backend")));
}

static void to_stored(json_t *obj)
{
    const json_t *backend = jget(obj, "spec.backend");
    if (backend) {
        jset(obj, "spec.defaultBackend", backend_to_stored(backend));
        jset(obj, "spec.backend", NULL);
    }
    each_path(obj, path_to_stored);
}

static void from_stored(json_t *obj)
{
    const json_t *backend = jget(obj, "spec.defaultBackend");
    if (backend) {
        jset(obj, "spec.backend", backend_from_stored(backend));
        jset(obj, "spec.defaultBackend", NULL);
    }
    each_path(obj, path_from_stored);
}

/* Short names are the present version's: "ing" would be ambiguous between the groups. */
#define OLD_INGRESS(in_group)                                                                                          \
    {                                                                                                                  \
        .group = (in_group), .version = "v1beta1", .kind = "Ingress", .plural = "ingresses", .singular = "ingress",    \
        .list_kind = "IngressList", .namespaced = true, .verbs = V_ALL, .fields = fields, .columns = ingress_columns,  \
        .check_name = check_dns_subdomain, .has_status = true, .has_generation = true, .stored = &kind_ingress,        \
        .to_stored = to_stored, .from_stored = from_stored,                                                            \
    }

const struct kind kind_ingress_v1beta1 = OLD_INGRESS("networking.k8s.io");
const struct kind kind_ingress_extensions = OLD_INGRESS("extensions");
