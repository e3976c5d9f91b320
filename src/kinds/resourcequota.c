/* ResourceQuotas: how much a namespace may hold. What counts for what is in quota.c; rules: ValidateResourceQuota
 * (pkg/apis/core/validation). */
#include <string.h>

#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/quota.h"
#include "kinds/rules.h"

#define SCOPE_NAMES "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass"
#define AMOUNTS QUANTITIES, .check_key = check_qualified_name

static const struct field requirement_fields[] = {
    {"scopeName", F_STR, REQ, .oneof = ONE_OF(SCOPE_NAMES, "CrossNamespacePodAffinity"), .doc = "What is looked at."},
    {"operator", F_STR, REQ, .oneof = ONE_OF("In", "NotIn", "Exists", "DoesNotExist"),
     .doc = "In, NotIn, Exists or DoesNotExist."},
    {"values", F_LIST, OPT, STRINGS, .doc = "Names of priority classes, with In and NotIn."},
    {0},
};

static const struct field selector_fields[] = {
    {"matchExpressions", F_LIST, OPT, LIST_OF(requirement_fields), .doc = "All must hold."},
    {0},
};

static const struct field spec_fields[] = {
    {"hard", F_MAP, OPT, AMOUNTS, .doc = "Most of each resource."},
    {"scopes", F_LIST, OPT, STRINGS, .doc = "Which pods count; all must hold."},
    {"scopeSelector", F_OBJECT, ATOMIC, .sub = selector_fields, .doc = "The same, with operators and values."},
    {0},
};

static const struct field status_fields[] = {
    {"hard", F_MAP, OPT, AMOUNTS, .doc = "Limits that are kept."},
    {"used", F_MAP, OPT, AMOUNTS, .doc = "What the namespace holds."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "The limits."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "What is used of them."},
    {0},
};

/* "cpu: 1/2, pods: 3/4": of the limits.* resources, or of the others. */
static json_t *cell_usage(const json_t *obj, bool limits)
{
    struct buf b = BUF_INIT(65536);
    const json_t *hard = jget(obj, "status.hard"), *used = jget(obj, "status.used");
    _cleanup_free_ char *text = hard ? jprint_sorted(hard) : xstrdup("{}");
    struct err err;
    _cleanup_json_ json_t *in_order = jparse(text, strlen(text), &err);
    const char *name;
    json_t *amount;
    json_object_foreach(in_order, name, amount)
        if (!!str_after(name, "limits.") == limits)
            buf_addf(&b, "%s%s: %s/%s", b.len ? ", " : "", name,
                     str_or(json_string_value(json_object_get(used, name)), "0"),
                     str_or(json_string_value(amount), ""));
    json_t *cell = json_string(buf_str(&b));
    buf_done(&b);
    return cell;
}

static json_t *cell_request(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_usage(obj, false);
}

static json_t *cell_limit(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_usage(obj, true);
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Request", "string", "", 0, cell_request},
    {"Limit", "string", "", 0, cell_limit},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void check_amounts(struct status_causes *c, const json_t *amounts, const char *path)
{
    const char *name;
    json_t *amount;
    json_object_foreach((json_t *)amounts, name, amount) {
        struct quantity q;
        const char *text = str_or(json_string_value(amount), "");
        if (!quota_knows(name))
            rule_broken_text(c, CAUSE_INVALID, name, "must be a standard resource for quotas", "%s[%.300s]", path,
                             name);
        if (!quantity_parse(text, &q))
            continue;
        if (q.nano < 0)
            rule_broken_text(c, CAUSE_INVALID, text, "must be greater than or equal to 0", "%s[%.300s]", path, name);
        else if (quota_is_whole(name) && q.nano % 1000000000)
            rule_broken_text(c, CAUSE_INVALID, text, "must be an integer", "%s[%.300s]", path, name);
    }
}

static bool has_scope(const json_t *scopes, const char *scope)
{
    size_t i;
    json_t *s;
    json_array_foreach((json_t *)scopes, i, s)
        if (streq(str_or(json_string_value(s), ""), scope))
            return true;
    return false;
}

/* BestEffort pods have nothing but their number. */
static bool scope_fits(const char *scope, const char *resource)
{
    if (streq(scope, "BestEffort"))
        return streq(resource, "pods");
    if (streq(scope, "CrossNamespacePodAffinity") || !*scope)
        return true;
    return quota_counts(resource, &kind_pod) && !str_after(resource, "count/");
}

static void check_scopes(struct status_causes *c, const json_t *obj)
{
    static const char *const known[] = {SCOPE_NAMES, "CrossNamespacePodAffinity", "VolumeAttributesClass"};
    static const char *const pairs[][2] = {{"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}};
    const json_t *scopes = jget(obj, "spec.scopes");
    size_t i;
    json_t *s, *amount;
    const char *resource;
    json_array_foreach((json_t *)scopes, i, s) {
        const char *scope = str_or(json_string_value(s), "");
        bool fits = true, is_known = false;
        for (size_t n = 0; n < ARRAY_LEN(known); n++)
            is_known |= streq(known[n], scope);
        json_object_foreach(jget(obj, "spec.hard"), resource, amount)
            fits &= scope_fits(scope, resource);
        if (!is_known)
            rule_broken(c, CAUSE_INVALID, scopes, "unsupported scope", "spec.scopes");
        else if (!fits)
            rule_broken(c, CAUSE_INVALID, scopes, "unsupported scope applied to resource", "spec.scopes");
    }
    for (size_t p = 0; p < ARRAY_LEN(pairs); p++)
        if (has_scope(scopes, pairs[p][0]) && has_scope(scopes, pairs[p][1]))
            rule_broken(c, CAUSE_INVALID, scopes, "conflicting scopes", "spec.scopes");
}

static void check_selector(struct status_causes *c, const json_t *obj)
{
    size_t i;
    json_t *r;
    json_array_foreach(jget(obj, "spec.scopeSelector.matchExpressions"), i, r) {
        const char *op = jstr_or(r, "operator", ""), *scope = jstr_or(r, "scopeName", "");
        bool wants = streq(op, "In") || streq(op, "NotIn");
        size_t n = json_array_size(jget(r, "values"));
        if (!streq(scope, "PriorityClass") && !streq(op, "Exists"))
            rule_broken_text(c, CAUSE_INVALID, op,
                             "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
                             "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                             "ResourceQuotaScopeNotBestEffort or "
                             "ResourceQuotaScopeCrossNamespacePodAffinity",
                             "spec.scopeSelector.matchExpressions.operator");
        else if (wants && !n)
            rule_broken(c, CAUSE_REQUIRED, NULL,
                        "must be at least one value when `operator` is 'In' or 'NotIn' for "
                        "scope selector",
                        "spec.scopeSelector.matchExpressions.values");
        else if (!wants && n)
            rule_broken(c, CAUSE_INVALID, jget(r, "values"),
                        "must be no value when `operator` is 'Exist' or "
                        "'DoesNotExist' for scope selector",
                        "spec.scopeSelector.matchExpressions.values");
    }
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    check_amounts(causes, jget(obj, "spec.hard"), "spec.hard");
    check_amounts(causes, jget(obj, "status.hard"), "status.hard");
    check_amounts(causes, jget(obj, "status.used"), "status.used");
    check_scopes(causes, obj);
    check_selector(causes, obj);
    const json_t *scopes = jget(obj, "spec.scopes"), *before = old ? jget(old, "spec.scopes") : scopes;
    if (scopes != before && !(scopes && before && json_equal(scopes, before)))
        rule_broken(causes, CAUSE_INVALID, scopes, "field is immutable", "spec.scopes");
}

const struct kind kind_resourcequota = {
    .group = "",
    .version = "v1",
    .kind = "ResourceQuota",
    .plural = "resourcequotas",
    .singular = "resourcequota",
    .list_kind = "ResourceQuotaList",
    .short_names = (const char *const[]){"quota", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .validate = validate,
};
