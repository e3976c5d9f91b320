/* What an Ingress must hold to. Rules: pkg/apis/networking/validation/validation.go. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/ingress.h"
#include "kinds/rules.h"

static const char *check_wildcard(const char *value, char scratch[])
{
    const char *rest = str_after(value, "*.");
    if (rest && *rest && !check_dns_subdomain(rest, scratch))
        return strlen(value) > 253 ? "must be no more than 253 characters" : NULL;
    return "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist "
           "of "
           "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. "
           "'*.example.com', regex used for validation is "
           "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

static check_fn *host_check(const char *host)
{
    return strchr(host, '*') ? check_wildcard : check_dns_subdomain;
}

static void check_service(struct status_causes *c, const json_t *service, const char *at)
{
    const char *name = jstr_or(service, "name", ""), *port = jstr_or(service, "port.name", "");
    const json_t *number = jget(service, "port.number");
    int64_t n = jint(service, "port.number", 0);
    if (!*name)
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "%s.service.name", at);
    else
        rule_check_text(c, check_dns1035_label, name, "%s.service.name", at);
    if (*port && n)
        rule_broken_text(c, CAUSE_INVALID, "", "cannot set both port name & port number", "%s", at);
    else if (*port)
        rule_check_text(c, check_port_name, port, "%s.service.port.name", at);
    else if (!n)
        rule_broken(c, CAUSE_REQUIRED, NULL, "port name or number is required", "%s", at);
    else if (n < 1 || n > 65535)
        rule_broken(c, CAUSE_INVALID, number, "must be between 1 and 65535, inclusive", "%s.service.port.number", at);
}

static void check_resource(struct status_causes *c, const json_t *resource, const char *at)
{
    const char *group = jstr_or(resource, "apiGroup", "");
    if (*group)
        rule_check_text(c, check_dns_subdomain, group, "%s.resource.apiGroup", at);
    if (!*jstr_or(resource, "kind", ""))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "%s.resource.kind", at);
    if (!*jstr_or(resource, "name", ""))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "%s.resource.name", at);
}

static void check_backend(struct status_causes *c, const json_t *backend, const char *at)
{
    const json_t *service = jget(backend, "service"), *resource = jget(backend, "resource");
    if (service && resource)
        rule_broken_text(c, CAUSE_INVALID, "", "cannot set both resource and service backends", "%s", at);
    else if (resource)
        check_resource(c, resource, at);
    else if (service)
        check_service(c, service, at);
    else
        rule_broken_text(c, CAUSE_INVALID, "", "resource or service backend is required", "%s", at);
}

/* Exact and Prefix paths say what they mean: nothing that a server in between would rewrite. */
static void check_plain_path(struct status_causes *c, const char *path, const char *at)
{
    static const char *const parts[] = {"//", "/./", "/../", "%2f", "%2F"};
    static const char *const ends[] = {"/..", "/."};
    char why[40];
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strstr(path, parts[i])) {
            snprintf(why, sizeof(why), "must not contain '%s'", parts[i]);
            rule_broken_text(c, CAUSE_INVALID, path, why, "%s.path", at);
        }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends_with(path, ends[i])) {
            snprintf(why, sizeof(why), "cannot end with '%s'", ends[i]);
            rule_broken_text(c, CAUSE_INVALID, path, why, "%s.path", at);
        }
}

static void check_path(struct status_causes *c, const json_t *row, const char *at)
{
    const char *path = jstr_or(row, "path", ""), *type = jstr_or(row, "pathType", "");
    char backend[RULE_PATH_SIZE];
    if (!*type) {
        rule_broken(c, CAUSE_REQUIRED, NULL, "pathType must be specified", "%s.pathType", at);
    } else if (streq(type, "Exact") || streq(type, "Prefix")) {
        if (*path != '/')
            rule_broken_text(c, CAUSE_INVALID, path, "must be an absolute path", "%s.path", at);
        check_plain_path(c, path, at);
    } else if (!streq(type, "ImplementationSpecific")) {
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, type,
                         "supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\"", "%s.pathType", at);
    } else if (*path && *path != '/') {
        rule_broken_text(c, CAUSE_INVALID, path, "must be an absolute path", "%s.path", at);
    }
    snprintf(backend, sizeof(backend), "%.400s.backend", at);
    check_backend(c, jget(row, "backend"), backend);
}

static void check_rule(struct status_causes *c, const json_t *rule, size_t i)
{
    const char *host = jstr_or(rule, "host", "");
    const json_t *http = jget(rule, "http"), *paths = jget(http, "paths"), *row;
    size_t p;
    if (is_ipv4(host) || is_ipv6(host))
        rule_broken_text(c, CAUSE_INVALID, host, "must be a DNS name, not an IP address", "spec.rules[%zu].host", i);
    else if (*host)
        rule_check_text(c, host_check(host), host, "spec.rules[%zu].host", i);
    if (http && !json_array_size(paths))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.rules[%zu].http.paths", i);
    json_array_foreach(paths, p, row) {
        char at[RULE_PATH_SIZE];
        snprintf(at, sizeof(at), "spec.rules[%zu].http.paths[%zu]", i, p);
        check_path(c, row, at);
    }
}

static void check_tls(struct status_causes *c, const json_t *tls, size_t i)
{
    const char *secret = jstr_or(tls, "secretName", "");
    size_t h;
    json_t *host;
    json_array_foreach(jget(tls, "hosts"), h, host) {
        const char *text = json_string_value(host) ?: "";
        rule_check_text(c, host_check(text), text, "spec.tls[%zu].hosts[%zu]", i, h);
    }
    if (*secret)
        rule_check_text(c, check_dns_subdomain, secret, "spec.tls[%zu].secretName", i);
}

void ingress_validate(const json_t *obj, const json_t *old, struct status_causes *c)
{
    const json_t *spec = jget(obj, "spec"), *rules = jget(spec, "rules"), *backend = jget(spec, "defaultBackend"), *row;
    const char *annotation =
        json_string_value(json_object_get(jget(obj, "metadata.annotations"), INGRESS_CLASS_ANNOTATION));
    const char *name = jstr(spec, "ingressClassName");
    size_t i;
    if (!old && annotation && name && !streq(annotation, name))
        rule_broken_text(c, CAUSE_INVALID, annotation, "must match `ingressClassName` when both are specified",
                         "metadata.annotations.%s", INGRESS_CLASS_ANNOTATION);
    if (!json_array_size(rules) && !backend)
        rule_broken(c, CAUSE_INVALID, rules ?: json_null(), "either `defaultBackend` or `rules` must be specified",
                    "spec");
    if (backend)
        check_backend(c, backend, "spec.defaultBackend");
    json_array_foreach(rules, i, row)
        check_rule(c, row, i);
    json_array_foreach(jget(spec, "tls"), i, row)
        check_tls(c, row, i);
}
