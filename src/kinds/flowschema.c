/* FlowSchemas: which requests belong to which priority level. Rules: pkg/apis/flowcontrol/validation. The limits that
 * this server has are its own (server/inflight.h); these objects are kept, checked and shown. */
#include <stdio.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define EXEMPT "exempt"

static const struct field level_fields[] = {
    {"name", F_STR, REQ, .doc = "Name of the PriorityLevelConfiguration."},
    {0},
};

static const struct field method_fields[] = {
    {"type", F_STR, REQ, .oneof = ONE_OF("ByNamespace", "ByUser"), .doc = "ByUser or ByNamespace."},
    {0},
};

static const struct field name_fields[] = {{"name", F_STR, REQ, .doc = "The name, or * for all."}, {0}};

static const struct field account_fields[] = {
    {"namespace", F_STR, REQ, .doc = "Namespace of the account."},
    {"name", F_STR, REQ, .doc = "Name of the account, or * for all of the namespace."},
    {0},
};

static const struct field subject_fields[] = {
    {"kind", F_STR, REQ, .oneof = ONE_OF("Group", "ServiceAccount", "User"), .doc = "Which of the others is set."},
    {"user", F_OBJECT, .sub = name_fields, .doc = "A user."},
    {"group", F_OBJECT, .sub = name_fields, .doc = "Members of a group."},
    {"serviceAccount", F_OBJECT, .sub = account_fields, .doc = "A ServiceAccount."},
    {0},
};

static const struct field resource_rule_fields[] = {
    {"verbs", F_LIST, REQ | NONEMPTY, STRINGS, .list_keys = "", .doc = "Verbs, or * for all."},
    {"apiGroups", F_LIST, REQ | NONEMPTY, STRINGS, .list_keys = "", .doc = "API groups, or * for all."},
    {"resources", F_LIST, REQ | NONEMPTY, STRINGS, .list_keys = "",
     .doc = "Resources with their subresources, or * for all."},
    {"clusterScope", F_BOOL, OPT, .doc = "Whether requests without a namespace match."},
    {"namespaces", F_LIST, 0, STRINGS, .list_keys = "", .doc = "Namespaces, or * for every one."},
    {0},
};

static const struct field path_rule_fields[] = {
    {"verbs", F_LIST, REQ | NONEMPTY, STRINGS, .list_keys = "", .doc = "Verbs, or * for all."},
    {"nonResourceURLs", F_LIST, REQ | NONEMPTY, STRINGS, .list_keys = "",
     .doc = "Paths; a star at the end matches the rest."},
    {0},
};

static const struct field rule_fields[] = {
    {"subjects", F_LIST, REQ | NONEMPTY | ATOMIC, LIST_OF(subject_fields), .doc = "Who asks: one of these."},
    {"resourceRules", F_LIST, OPT | ATOMIC, LIST_OF(resource_rule_fields), .doc = "What is asked of resources."},
    {"nonResourceRules", F_LIST, OPT | ATOMIC, LIST_OF(path_rule_fields), .doc = "What is asked of other paths."},
    {0},
};

static const struct field spec_fields[] = {
    {"priorityLevelConfiguration", F_OBJECT, REQ, .sub = level_fields, .doc = "The level of what matches."},
    {"matchingPrecedence", F_INT, .dflt = "1000", .min = 1, .max = 10000, .doc = "The lowest that matches counts."},
    {"distinguisherMethod", F_OBJECT, .sub = method_fields, .doc = "What separates flows of one schema."},
    {"rules", F_LIST, OPT | ATOMIC, LIST_OF(rule_fields), .doc = "One of these must match."},
    {0},
};

static const struct field status_fields[] = {
    FIELD_CONDITIONS(plain_condition_fields, "Dangling: its level is not there."),
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .doc = "Who and what matches, and what becomes of it."},
    {"status", F_OBJECT, .sub = status_fields, .doc = "Whether it can count."},
    {0},
};

CELL_TEXT(cell_level, "spec.priorityLevelConfiguration.name", "");
CELL_TEXT(cell_method, "spec.distinguisherMethod.type", "<none>");

static json_t *cell_precedence(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_sprintf("%lld", (long long)jint(obj, "spec.matchingPrecedence", 0));
}

static json_t *cell_missing(const json_t *obj, int64_t now_usec)
{
    const json_t *dangling = jfind(jget(obj, "status.conditions"), "type", "Dangling");
    (void)now_usec;
    return json_string(jstr_or(dangling, "status", "?"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"PriorityLevel", "string", "", 0, cell_level},
    {"MatchingPrecedence", "string", "", 0, cell_precedence},
    {"DistinguisherMethod", "string", "", 0, cell_method},
    {"Age", "string", "", 0, cell_age},
    {"MissingPL", "string", "", 0, cell_missing},
    {0},
};

/* --- rules --- */

static void check_subject(struct status_causes *c, const json_t *subject, size_t i, size_t j)
{
    static const struct {
        const char *kind, *member;
    } unions[] = {{"User", "user"}, {"Group", "group"}, {"ServiceAccount", "serviceAccount"}};
    const char *kind = jstr_or(subject, "kind", "");
    for (size_t k = 0; k < ARRAY_LEN(unions); k++) {
        bool is = streq(kind, unions[k].kind), has = jget(subject, unions[k].member) != NULL;
        char why[120];
        if (is && !has) {
            snprintf(why, sizeof(why), "%s is required when subject kind is '%s'", unions[k].member, kind);
            rule_broken(c, CAUSE_REQUIRED, NULL, why, "spec.rules[%zu].subjects[%zu].%s", i, j, unions[k].member);
        } else if (!is && has) {
            snprintf(why, sizeof(why), "%s is forbidden when subject kind is not '%s'", unions[k].member,
                     unions[k].kind);
            rule_broken(c, CAUSE_FORBIDDEN, NULL, why, "spec.rules[%zu].subjects[%zu].%s", i, j, unions[k].member);
        }
    }
}

static void check_rule(struct status_causes *c, const json_t *rule, size_t i)
{
    size_t j;
    json_t *item;
    json_array_foreach(jget(rule, "subjects"), j, item)
        check_subject(c, item, i, j);
    json_array_foreach(jget(rule, "resourceRules"), j, item)
        if (!jbool(item, "clusterScope", false) && !json_array_size(jget(item, "namespaces")))
            rule_broken(c, CAUSE_REQUIRED, NULL,
                        "resource rules that are not cluster scoped must supply at least one namespace",
                        "spec.rules[%zu].resourceRules[%zu].namespaces", i, j);
    if (!json_array_size(jget(rule, "resourceRules")) && !json_array_size(jget(rule, "nonResourceRules")))
        rule_broken(c, CAUSE_REQUIRED, NULL, "at least one of resourceRules and nonResourceRules has to be non-empty",
                    "spec.rules[%zu]", i);
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const char *name = jstr_or(obj, "metadata.name", "");
    size_t i;
    json_t *rule;
    if (jint(obj, "spec.matchingPrecedence", 0) == 1 && !streq(name, EXEMPT))
        rule_broken(causes, CAUSE_INVALID, jget(obj, "spec.matchingPrecedence"),
                    "only the schema named 'exempt' may have matchingPrecedence 1", "spec.matchingPrecedence");
    if (old && (streq(name, EXEMPT) || streq(name, "catch-all")) && !json_equal(jget(obj, "spec"), jget(old, "spec")))
        rule_broken(causes, CAUSE_INVALID, jget(obj, "spec"), "spec of a mandatory schema must not be changed", "spec");
    json_array_foreach(jget(obj, "spec.rules"), i, rule)
        check_rule(causes, rule, i);
}

const struct kind kind_flowschema = {
    .group = "flowcontrol.apiserver.k8s.io",
    .version = "v1",
    .kind = "FlowSchema",
    .plural = "flowschemas",
    .singular = "flowschema",
    .list_kind = "FlowSchemaList",
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .validate = validate,
};
