/* Who may do what, as objects: Roles and ClusterRoles hold rules, bindings give a role to subjects. Rules:
 * pkg/apis/rbac/validation/validation.go. What the rules mean is server/rbac.h's. */
#include "api/status.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define GROUP "rbac.authorization.k8s.io"

/* --- the pieces --- */

static const struct field policy_rule_fields[] = {
    {"verbs", F_LIST, STRINGS, .flags = ATOMIC, .doc = "What may be done; \"*\": everything."},
    {"apiGroups", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Groups of the resources; \"\" is the core, \"*\" every one."},
    {"resources", F_LIST, OPT | ATOMIC, STRINGS,
     .doc = "Resources, with \"/subresource\" behind; \"*\": every one, \"*/x\": the subresource x of every one."},
    {"resourceNames", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Only objects of these names; none: all."},
    {"nonResourceURLs", F_LIST, OPT | ATOMIC, STRINGS,
     .doc = "Paths that are no resource, for ClusterRoles; a \"*\" at the end stands for every rest."},
    {0},
};

static const struct field subject_fields[] = {
    {"kind", F_STR, .doc = "User, Group or ServiceAccount."},
    {"apiGroup", F_STR, OPT, .doc = "Group of the kind: \"\" for ServiceAccounts, else " GROUP "."},
    {"name", F_STR, .doc = "Name of the subject."},
    {"namespace", F_STR, OPT, .doc = "Namespace of a ServiceAccount."},
    {0},
};

static const struct field role_ref_fields[] = {
    {"apiGroup", F_STR, .doc = "Group of the role: " GROUP "."},
    {"kind", F_STR, .doc = "Role or ClusterRole."},
    {"name", F_STR, .doc = "Name of the role."},
    {0},
};

static const struct field aggregation_rule_fields[] = {
    {"clusterRoleSelectors", F_LIST, OPT | ATOMIC, LIST_OF(label_selector_fields),
     .doc = "ClusterRoles with these labels give their rules."},
    {0},
};

#define FIELD_RULES                                                                                                    \
    {                                                                                                                  \
        "rules", F_LIST, NULLABLE | ATOMIC, LIST_OF(policy_rule_fields), .doc = "What may be done to what."            \
    }

static const struct field role_fields[] = {FIELD_METADATA, FIELD_RULES, {0}};

static const struct field cluster_role_fields[] = {
    FIELD_METADATA,
    FIELD_RULES,
    {"aggregationRule", F_OBJECT, .sub = aggregation_rule_fields,
     .doc = "Where the rules come from: a controller writes them."},
    {0},
};

static const struct field binding_fields[] = {
    FIELD_METADATA,
    {"subjects", F_LIST, OPT | ATOMIC, LIST_OF(subject_fields), .doc = "To whom the role is given."},
    {"roleRef", F_OBJECT, ATOMIC, .sub = role_ref_fields, .doc = "The role; it cannot change."},
    {0},
};

/* --- defaults --- */

/* A document without a list of rules has none, and says so. */
static void default_role(json_t *obj)
{
    if (!jhas(obj, "rules"))
        json_object_set_new(obj, "rules", json_null());
}

static void default_binding(json_t *obj)
{
    size_t i;
    json_t *subject;
    json_t *ref = jget(obj, "roleRef");
    if (ref && !*jstr_or(ref, "apiGroup", ""))
        jset_str(ref, "apiGroup", GROUP);
    json_array_foreach(jget(obj, "subjects"), i, subject) {
        const char *kind = jstr_or(subject, "kind", "");
        if (!*jstr_or(subject, "apiGroup", "") && (streq(kind, "User") || streq(kind, "Group")))
            jset_str(subject, "apiGroup", GROUP);
    }
}

/* --- rules: names, and what needs what --- */

static bool none(const json_t *rule, const char *list)
{
    return json_array_size(jget(rule, list)) == 0;
}

static void check_rule(struct status_causes *c, size_t i, const json_t *rule, bool namespaced)
{
    if (none(rule, "verbs"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "verbs must contain at least one value", "rules[%zu].verbs", i);
    if (!none(rule, "nonResourceURLs")) {
        if (namespaced)
            rule_broken(c, CAUSE_INVALID, jget(rule, "nonResourceURLs"),
                        "namespaced rules cannot apply to non-resource URLs", "rules[%zu].nonResourceURLs", i);
        if (!none(rule, "apiGroups") || !none(rule, "resources") || !none(rule, "resourceNames"))
            rule_broken(c, CAUSE_INVALID, jget(rule, "nonResourceURLs"),
                        "rules cannot apply to both regular resources and non-resource URLs",
                        "rules[%zu].nonResourceURLs", i);
        return;
    }
    if (none(rule, "apiGroups"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "resource rules must supply at least one api group",
                    "rules[%zu].apiGroups", i);
    if (none(rule, "resources"))
        rule_broken(c, CAUSE_REQUIRED, NULL, "resource rules must supply at least one resource", "rules[%zu].resources",
                    i);
}

static void check_rules(struct status_causes *c, const json_t *obj, bool namespaced)
{
    size_t i;
    json_t *rule;
    json_array_foreach(jget(obj, "rules"), i, rule)
        check_rule(c, i, rule, namespaced);
}

static void validate_role(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    check_rules(causes, obj, true);
}

static void validate_cluster_role(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    size_t i;
    json_t *selector;
    check_rules(causes, obj, false);
    if (jget(obj, "aggregationRule") && none(obj, "aggregationRule.clusterRoleSelectors"))
        rule_broken(causes, CAUSE_REQUIRED, NULL,
                    "at least one clusterRoleSelector required if aggregationRule is non-nil",
                    "aggregationRule.clusterRoleSelectors");
    json_array_foreach(jget(obj, "aggregationRule.clusterRoleSelectors"), i, selector) {
        char path[80];
        snprintf(path, sizeof(path), "aggregationRule.clusterRoleSelectors[%zu]", i);
        rule_label_selector(causes, selector, path);
    }
}

static void check_subject_group(struct status_causes *c, size_t i, const json_t *subject, const char *wanted)
{
    const char *group = jstr_or(subject, "apiGroup", "");
    _cleanup_free_ char *why = xasprintf("supported values: \"%s\"", wanted);
    if (!streq(group, wanted))
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, group, why, "subjects[%zu].apiGroup", i);
}

/* Without a namespace it is that of the RoleBinding. */
static void check_account(struct status_causes *c, size_t i, const json_t *subject, bool namespaced)
{
    const char *name = jstr_or(subject, "name", "");
    if (*name)
        rule_check_text(c, check_dns_subdomain, name, "subjects[%zu].name", i);
    check_subject_group(c, i, subject, "");
    if (!namespaced && !*jstr_or(subject, "namespace", ""))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "subjects[%zu].namespace", i);
}

static void check_subject(struct status_causes *c, size_t i, const json_t *subject, bool namespaced)
{
    const char *kind = jstr_or(subject, "kind", "");
    if (!*jstr_or(subject, "name", ""))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "subjects[%zu].name", i);
    if (streq(kind, "ServiceAccount"))
        check_account(c, i, subject, namespaced);
    else if (streq(kind, "User") || streq(kind, "Group"))
        check_subject_group(c, i, subject, GROUP);
    else
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, kind, "supported values: \"Group\", \"ServiceAccount\", \"User\"",
                         "subjects[%zu].kind", i);
}

static void check_role_ref(struct status_causes *c, const json_t *ref, bool namespaced)
{
    const char *group = jstr_or(ref, "apiGroup", ""), *kind = jstr_or(ref, "kind", "");
    const char *name = jstr_or(ref, "name", "");
    if (!streq(group, GROUP))
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, group, "supported values: \"" GROUP "\"", "roleRef.apiGroup");
    if (!streq(kind, "ClusterRole") && !(namespaced && streq(kind, "Role")))
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, kind,
                         namespaced ? "supported values: \"ClusterRole\", \"Role\""
                                    : "supported values: \"ClusterRole\"",
                         "roleRef.kind");
    if (!*name)
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "roleRef.name");
    else
        rule_check_text(c, check_path_segment, name, "roleRef.name");
}

static void check_binding(struct status_causes *c, const json_t *obj, const json_t *old, bool namespaced)
{
    size_t i;
    json_t *subject, *ref = jget(obj, "roleRef");
    check_role_ref(c, ref, namespaced);
    json_array_foreach(jget(obj, "subjects"), i, subject)
        check_subject(c, i, subject, namespaced);
    if (old && !json_equal(ref, jget(old, "roleRef")))
        rule_broken(c, CAUSE_INVALID, ref, "cannot change roleRef", "roleRef");
}

static void validate_role_binding(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    check_binding(causes, obj, old, true);
}

static void validate_cluster_role_binding(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    check_binding(causes, obj, old, false);
}

/* --- columns --- */

static json_t *cell_created_at(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_text(obj, "metadata.creationTimestamp", "<unknown>");
}

static json_t *cell_role(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_sprintf("%s/%s", jstr_or(obj, "roleRef.kind", ""), jstr_or(obj, "roleRef.name", ""));
}

/* The subjects of one kind: "a, b"; ServiceAccounts with their namespace. */
static json_t *cell_subjects(const json_t *obj, const char *kind)
{
    size_t i;
    json_t *subject;
    struct buf text = BUF_INIT(0);
    json_array_foreach(jget(obj, "subjects"), i, subject) {
        if (!streq(jstr_or(subject, "kind", ""), kind))
            continue;
        buf_adds(&text, text.len ? ", " : "");
        if (streq(kind, "ServiceAccount"))
            buf_addf(&text, "%s/", jstr_or(subject, "namespace", ""));
        buf_adds(&text, jstr_or(subject, "name", ""));
    }
    json_t *cell = json_string(buf_str(&text));
    buf_done(&text);
    return cell;
}

#define CELL_SUBJECTS(fn, kind)                                                                                        \
    static json_t *fn(const json_t *obj, int64_t now_usec)                                                             \
    {                                                                                                                  \
        (void)now_usec;                                                                                                \
        return cell_subjects(obj, kind);                                                                               \
    }                                                                                                                  \
    static cell_fn fn
CELL_SUBJECTS(cell_users, "User");
CELL_SUBJECTS(cell_groups, "Group");
CELL_SUBJECTS(cell_accounts, "ServiceAccount");

static const struct column role_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Created At", "date", "", 0, cell_created_at},
    {0},
};

static const struct column binding_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Role", "string", "", 0, cell_role},
    {"Age", "string", "", 0, cell_age},
    {"Users", "string", "", 1, cell_users},
    {"Groups", "string", "", 1, cell_groups},
    {"ServiceAccounts", "string", "", 1, cell_accounts},
    {0},
};

/* --- the kinds --- */

const struct kind kind_role = {
    .group = GROUP,
    .version = "v1",
    .kind = "Role",
    .plural = "roles",
    .singular = "role",
    .list_kind = "RoleList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = role_fields,
    .columns = role_columns,
    .check_name = check_path_segment,
    .default_more = default_role,
    .validate = validate_role,
};

const struct kind kind_clusterrole = {
    .group = GROUP,
    .version = "v1",
    .kind = "ClusterRole",
    .plural = "clusterroles",
    .singular = "clusterrole",
    .list_kind = "ClusterRoleList",
    .verbs = V_ALL,
    .fields = cluster_role_fields,
    .columns = role_columns,
    .check_name = check_path_segment,
    .default_more = default_role,
    .validate = validate_cluster_role,
};

const struct kind kind_rolebinding = {
    .group = GROUP,
    .version = "v1",
    .kind = "RoleBinding",
    .plural = "rolebindings",
    .singular = "rolebinding",
    .list_kind = "RoleBindingList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = binding_fields,
    .columns = binding_columns,
    .check_name = check_path_segment,
    .default_more = default_binding,
    .validate = validate_role_binding,
};

const struct kind kind_clusterrolebinding = {
    .group = GROUP,
    .version = "v1",
    .kind = "ClusterRoleBinding",
    .plural = "clusterrolebindings",
    .singular = "clusterrolebinding",
    .list_kind = "ClusterRoleBindingList",
    .verbs = V_ALL,
    .fields = binding_fields,
    .columns = binding_columns,
    .check_name = check_path_segment,
    .default_more = default_binding,
    .validate = validate_cluster_role_binding,
};
