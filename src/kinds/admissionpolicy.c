/* ValidatingAdmissionPolicies, and the bindings that say where they hold. Rules:
 * pkg/apis/admissionregistration/validation. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/admissionexpr.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define EXPRESSIONS_MAX 256 /* of one sort in one policy; all of them are evaluated for every request it matches */

/* --- tables --- */

static const struct field rule_fields[] = {
    {"resourceNames", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Objects by name; none: all."},
    {"operations", F_LIST, OPT | ATOMIC, STRINGS, .doc = "CREATE, UPDATE, DELETE, CONNECT or *."},
    {"apiGroups", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Groups, or *."},
    {"apiVersions", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Versions, or *."},
    {"resources", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Plurals, with /subresource; * stands for any."},
    {"scope", F_STR, .dflt = "\"*\"", .oneof = ONE_OF("*", "Cluster", "Namespaced"),
     .doc = "Cluster, Namespaced or *."},
    {0},
};

static const struct field match_fields[] = {
    {"namespaceSelector", F_OBJECT, .sub = label_selector_fields, .dflt = "{}", .doc = "Namespaces by their labels."},
    {"objectSelector", F_OBJECT, .sub = label_selector_fields, .dflt = "{}", .doc = "Objects by their labels."},
    {"resourceRules", F_LIST, OPT | ATOMIC, LIST_OF(rule_fields), .doc = "Requests that match."},
    {"excludeResourceRules", F_LIST, OPT | ATOMIC, LIST_OF(rule_fields), .doc = "Requests that do not, even so."},
    {"matchPolicy", F_STR, .dflt = "\"Equivalent\"", .oneof = ONE_OF("Equivalent", "Exact"),
     .doc = "Whether other versions of a kind match too."},
    {0},
};

static const struct field param_kind_fields[] = {
    {"apiVersion", F_STR, REQ, .doc = "Group and version of the parameters' kind."},
    {"kind", F_STR, REQ, .doc = "Kind of the parameters."},
    {0},
};

static const struct field validation_rows[] = {
    {"expression", F_STR, REQ, .doc = "What must be true, in CEL."},
    {"message", F_STR, OPT, .doc = "What is said when it is not."},
    {"reason", F_STR, .doc = "Forbidden, Invalid, RequestEntityTooLarge or Unauthorized."},
    {"messageExpression", F_STR, OPT, .doc = "The message, in CEL."},
    {0},
};

static const struct field annotation_rows[] = {
    {"key", F_STR, REQ, .doc = "Key of the annotation, behind the policy's name."},
    {"valueExpression", F_STR, REQ, .doc = "Its value, in CEL."},
    {0},
};

static const struct field expression_rows[] = {
    {"name", F_STR, REQ, .doc = "Name."},
    {"expression", F_STR, REQ, .doc = "Expression in CEL."},
    {0},
};

static const struct field spec_fields[] = {
    {"paramKind", F_OBJECT, .sub = param_kind_fields, .doc = "Kind of the objects that parametrise the policy."},
    {"matchConstraints", F_OBJECT, .sub = match_fields, .doc = "Requests the policy is about."},
    {"validations", F_LIST, OPT | ATOMIC, LIST_OF(validation_rows), .max_len = EXPRESSIONS_MAX,
     .doc = "What must be true."},
    {"failurePolicy", F_STR, .dflt = "\"Fail\"", .oneof = ONE_OF("Fail", "Ignore"),
     .doc = "What an error of an expression means: Fail refuses, Ignore goes on."},
    {"auditAnnotations", F_LIST, OPT | ATOMIC, LIST_OF(annotation_rows), .max_len = EXPRESSIONS_MAX,
     .doc = "What an audit log would be told."},
    {"matchConditions", F_LIST, OPT, LIST_OF(expression_rows), .merge_key = "name", .list_keys = "name",
     .doc = "What must be true for the policy to be asked at all."},
    {"variables", F_LIST, OPT, LIST_OF(expression_rows), .merge_key = "name", .list_keys = "name",
     .max_len = EXPRESSIONS_MAX, .doc = "Values that the validations use, worked out when they are asked for."},
    {0},
};

static const struct field warning_rows[] = {
    {"fieldRef", F_STR, REQ, .doc = "Where the expression is."},
    {"warning", F_STR, REQ, .doc = "What is doubtful about it."},
    {0},
};

static const struct field type_checking_fields[] = {
    {"expressionWarnings", F_LIST, OPT | ATOMIC, LIST_OF(warning_rows), .doc = "Doubtful expressions."},
    {0},
};

static const struct field status_fields[] = {
    {"observedGeneration", F_INT, OPT, .doc = "Generation that the status is about."},
    {"typeChecking", F_OBJECT, .sub = type_checking_fields, .doc = "What was found doubtful."},
    {"conditions", F_LIST, OPT, LIST_OF(condition_fields), .list_keys = "type", .doc = "What is to be said about it."},
    {0},
};

static const struct field policy_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .doc = "What the policy demands of which requests."},
    {"status", F_OBJECT, .sub = status_fields, .doc = "What was found out about its expressions."},
    {0},
};

static const struct field param_ref_fields[] = {
    {"name", F_STR, OPT, .doc = "Name of the parameters' object."},
    {"namespace", F_STR, OPT, .doc = "Its namespace; the request's if missing."},
    {"selector", F_OBJECT, .sub = label_selector_fields, .doc = "Objects by their labels, instead of one by name."},
    {"parameterNotFoundAction", F_STR, .oneof = ONE_OF("Allow", "Deny"), .doc = "What it means that there is none."},
    {0},
};

static const struct field binding_spec_fields[] = {
    {"policyName", F_STR, REQ, .doc = "The policy."},
    {"paramRef", F_OBJECT, .sub = param_ref_fields, .doc = "Its parameters."},
    {"matchResources", F_OBJECT, .sub = match_fields, .doc = "Requests it holds for, among those it is about."},
    {"validationActions", F_LIST, OPT, STRINGS, .list_keys = "", .doc = "Deny, Warn or Audit."},
    {0},
};

static const struct field binding_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = binding_spec_fields, .doc = "Where which policy holds."},
    {0},
};

/* --- rules --- */

static void check_operations(struct status_causes *c, const json_t *rule, const char *path)
{
    static const char *const known[] = {"*", "CONNECT", "CREATE", "DELETE", "UPDATE"};
    size_t i;
    json_t *op;
    json_array_foreach(jget(rule, "operations"), i, op) {
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            is_known |= streq(known[k], str_or(json_string_value(op), ""));
        if (!is_known)
            rule_broken(c, CAUSE_NOT_SUPPORTED, op,
                        "supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"",
                        "%s.operations[%zu]", path, i);
    }
}

static void check_rule_list(struct status_causes *c, const json_t *match, const char *path, const char *member)
{
    static const char *const lists[] = {"operations", "apiGroups", "apiVersions", "resources"};
    size_t i;
    json_t *rule;
    json_array_foreach(jget(match, member), i, rule) {
        char at[RULE_PATH_SIZE];
        snprintf(at, sizeof(at), "%s.%s[%zu]", path, member, i);
        for (size_t l = 0; l < ARRAY_LEN(lists); l++)
            if (!json_array_size(jget(rule, lists[l])))
                rule_broken(c, CAUSE_REQUIRED, NULL, "", "%s.%s", at, lists[l]);
        check_operations(c, rule, at);
    }
}

static void check_match(struct status_causes *c, const json_t *match, const char *path)
{
    char at[RULE_PATH_SIZE];
    snprintf(at, sizeof(at), "%s.namespaceSelector", path);
    rule_label_selector(c, jget(match, "namespaceSelector"), at);
    snprintf(at, sizeof(at), "%s.objectSelector", path);
    rule_label_selector(c, jget(match, "objectSelector"), at);
    check_rule_list(c, match, path, "resourceRules");
    check_rule_list(c, match, path, "excludeResourceRules");
}

static void validate_policy(const json_t *obj, const json_t *old, struct status_causes *c)
{
    const json_t *spec = jget(obj, "spec"), *match = jget(spec, "matchConstraints");
    if (old && json_equal(spec, jget(old, "spec")))
        return;
    admission_policy_free(admission_policy_compile(obj, c));
    if (!match)
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.matchConstraints");
    else if (!json_array_size(jget(match, "resourceRules")))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.matchConstraints.resourceRules");
    check_match(c, match, "spec.matchConstraints");
    if (!json_array_size(jget(spec, "validations")) && !json_array_size(jget(spec, "auditAnnotations")))
        rule_broken(c, CAUSE_REQUIRED, NULL, "validations or auditAnnotations must contain at least one item",
                    "spec.validations");
}

static void check_actions(struct status_causes *c, const json_t *actions)
{
    size_t i;
    json_t *action;
    bool deny = false, warn = false;
    if (!json_array_size(actions))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.validationActions");
    json_array_foreach((json_t *)actions, i, action) {
        const char *text = str_or(json_string_value(action), "");
        deny |= streq(text, "Deny");
        warn |= streq(text, "Warn");
        if (!streq(text, "Deny") && !streq(text, "Warn") && !streq(text, "Audit"))
            rule_broken(c, CAUSE_NOT_SUPPORTED, action, "supported values: \"Audit\", \"Deny\", \"Warn\"",
                        "spec.validationActions[%zu]", i);
    }
    if (deny && warn)
        rule_broken(c, CAUSE_INVALID, actions,
                    "must not contain both Deny and Warn (repeating the same validation failure information in the API "
                    "response and headers serves no purpose)",
                    "spec.validationActions");
}

static void check_param_ref(struct status_causes *c, const json_t *ref)
{
    const char *name = jstr_or(ref, "name", "");
    const json_t *selector = jget(ref, "selector");
    if (*name && selector)
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "name and selector are mutually exclusive", "spec.paramRef.name");
    else if (!*name && !selector)
        rule_broken(c, CAUSE_REQUIRED, NULL, "one of name or selector must be specified", "spec.paramRef");
    rule_label_selector(c, selector, "spec.paramRef.selector");
    if (!jget(ref, "parameterNotFoundAction"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.paramRef.parameterNotFoundAction");
}

static void validate_binding(const json_t *obj, const json_t *old, struct status_causes *c)
{
    const json_t *ref = jget(obj, "spec.paramRef"), *match = jget(obj, "spec.matchResources");
    (void)old;
    check_actions(c, jget(obj, "spec.validationActions"));
    if (ref)
        check_param_ref(c, ref);
    if (match)
        check_match(c, match, "spec.matchResources");
}

/* --- columns --- */

CELL_TEXT(cell_policy, "spec.policyName", "<unset>");

static json_t *cell_validations(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_integer((json_int_t)json_array_size(jget(obj, "spec.validations")));
}

static json_t *cell_param_kind(const json_t *obj, int64_t now_usec)
{
    const json_t *kind = jget(obj, "spec.paramKind");
    (void)now_usec;
    return kind ? json_sprintf("%s/%s", jstr_or(kind, "apiVersion", ""), jstr_or(kind, "kind", ""))
                : json_string("<unset>");
}

static json_t *cell_param_ref(const json_t *obj, int64_t now_usec)
{
    const json_t *ref = jget(obj, "spec.paramRef");
    const char *ns = jstr_or(ref, "namespace", "*");
    (void)now_usec;
    if (!ref)
        return json_string("<unset>");
    return jstr(ref, "name") ? json_sprintf("%s/%s", ns, jstr(ref, "name")) : json_sprintf("%s/*", ns);
}

static const struct column policy_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Validations", "integer", "", 0, cell_validations},
    {"ParamKind", "string", "", 0, cell_param_kind},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static const struct column binding_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"PolicyName", "string", "", 0, cell_policy},
    {"ParamRef", "string", "", 0, cell_param_ref},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static const char *const categories[] = {"api-extensions", NULL};

const struct kind kind_admissionpolicy = {
    .group = "admissionregistration.k8s.io",
    .version = "v1",
    .kind = "ValidatingAdmissionPolicy",
    .plural = "validatingadmissionpolicies",
    .singular = "validatingadmissionpolicy",
    .list_kind = "ValidatingAdmissionPolicyList",
    .categories = categories,
    .verbs = V_ALL,
    .fields = policy_fields,
    .columns = policy_columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .validate = validate_policy,
};

const struct kind kind_admissionpolicybinding = {
    .group = "admissionregistration.k8s.io",
    .version = "v1",
    .kind = "ValidatingAdmissionPolicyBinding",
    .plural = "validatingadmissionpolicybindings",
    .singular = "validatingadmissionpolicybinding",
    .list_kind = "ValidatingAdmissionPolicyBindingList",
    .categories = categories,
    .verbs = V_ALL,
    .fields = binding_fields,
    .columns = binding_columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
    .validate = validate_binding,
};
