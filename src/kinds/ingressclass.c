/* IngressClasses: who serves the Ingresses that name them. Rules: pkg/apis/networking/validation/validation.go. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

static const struct field parameters_fields[] = {
    {"apiGroup", F_STR, .check = check_dns_subdomain, .doc = "Group of the object; empty: core."},
    {"kind", F_STR, REQ, .doc = "Kind of the object."},
    {"name", F_STR, REQ, .doc = "Name of the object."},
    {"scope", F_STR, .dflt = "\"Cluster\"", .oneof = ONE_OF("Cluster", "Namespace"),
     .doc = "Cluster or Namespace: where the object is."},
    {"namespace", F_STR, .doc = "Namespace of the object, with scope Namespace."},
    {0},
};

static const struct field spec_fields[] = {
    {"controller", F_STR, OPT | IMMUT, .max_len = 250, .doc = "Who serves the class, as domain/path."},
    {"parameters", F_OBJECT, .sub = parameters_fields, .doc = "Object with further settings."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "Who serves the class."},
    {0},
};

CELL_TEXT(cell_controller, "spec.controller", "");

static json_t *cell_parameters(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *p = jget(obj, "spec.parameters");
    const char *group = jstr_or(p, "apiGroup", "");
    if (!p)
        return json_string("<none>");
    return json_sprintf("%s%s%s/%s", jstr_or(p, "kind", ""), *group ? "." : "", group, jstr_or(p, "name", ""));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Controller", "string", "", 0, cell_controller},
    {"Parameters", "string", "", 0, cell_parameters},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static const char *check_controller(const char *value, char scratch[])
{
    const char *slash = strchr(value, '/');
    char host[254];
    if (!slash || !slash[1] || slash == value || (size_t)(slash - value) >= sizeof(host))
        return "must be a domain-prefixed path (such as \"acme.io/foo\")";
    memcpy(host, value, (size_t)(slash - value));
    host[slash - value] = '\0';
    const char *why = check_dns_subdomain(host, scratch);
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~%!$&'()*+,;=:";
    if (!why && slash[1 + strspn(slash + 1, allowed)])
        why = "Invalid path";
    return why;
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    const char *controller = jstr_or(obj, "spec.controller", "");
    const json_t *p = jget(obj, "spec.parameters");
    const char *scope = jstr_or(p, "scope", ""), *ns = jstr_or(p, "namespace", "");
    if (!*controller)
        rule_broken(causes, CAUSE_REQUIRED, NULL, "", "spec.controller");
    else
        rule_check_text(causes, check_controller, controller, "spec.controller");
    if (streq(scope, "Namespace") && !*ns)
        rule_broken(causes, CAUSE_REQUIRED, NULL, "`parameters.scope` is set to 'Namespace'",
                    "spec.parameters.namespace");
    else if (streq(scope, "Namespace"))
        rule_check_text(causes, check_dns_label, ns, "spec.parameters.namespace");
    else if (p && jget(p, "namespace"))
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, "`parameters.scope` is set to 'Cluster'",
                    "spec.parameters.namespace");
}

const struct kind kind_ingressclass = {
    .group = "networking.k8s.io",
    .version = "v1",
    .kind = "IngressClass",
    .plural = "ingressclasses",
    .singular = "ingressclass",
    .list_kind = "IngressClassList",
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
    .validate = validate,
};
