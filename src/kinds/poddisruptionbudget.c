/* PodDisruptionBudgets: how many pods of an application may be missing because somebody chose so. Kept by
 * control/disruption.c, asked by server/evict.c. Rules: pkg/apis/policy/validation/validation.go. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/budget.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

static const struct field spec_fields[] = {
    {"minAvailable", F_INT_OR_STR, .doc = "Pods, or a percentage of them, that must be there after an eviction."},
    {"selector", F_OBJECT, ATOMIC | REPLACE, .sub = label_selector_fields,
     .doc = "Labels of the pods that count; in policy/v1 an empty selector means all of the namespace."},
    {"maxUnavailable", F_INT_OR_STR, .doc = "Pods, or a percentage of them, that may be missing after an eviction."},
    {"unhealthyPodEvictionPolicy", F_STR, .oneof = ONE_OF("AlwaysAllow", "IfHealthyBudget"),
     .doc = "When pods that run but are not ready may be evicted."},
    {0},
};

static const struct field disrupted_pod_item[] = {{.type = F_TIME}};

static const struct field status_fields[] = {
    FIELD_OBSERVED_GENERATION,
    {"disruptedPods", F_MAP, OPT, .sub = disrupted_pod_item,
     .doc = "Pods whose eviction was granted and has not been seen yet, and when."},
    {"disruptionsAllowed", F_INT, .dflt = "0", .max = NO_MAX, .doc = "Evictions that are possible now."},
    {"currentHealthy", F_INT, .dflt = "0", .max = NO_MAX, .doc = "Pods that are ready."},
    {"desiredHealthy", F_INT, .dflt = "0", .max = NO_MAX, .doc = "Pods that must be ready."},
    {"expectedPods", F_INT, .dflt = "0", .max = NO_MAX, .doc = "Pods that count."},
    FIELD_CONDITIONS(condition_fields, "DisruptionAllowed."),
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "Which pods, and how many of them."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "What is allowed now."},
    {0},
};

static json_t *cell_amount(const json_t *value)
{
    if (json_is_integer(value))
        return json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return json_string(json_is_string(value) ? json_string_value(value) : "N/A");
}

static json_t *cell_min_available(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_amount(jget(obj, "spec.minAvailable"));
}

static json_t *cell_max_unavailable(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_amount(jget(obj, "spec.maxUnavailable"));
}

CELL_INT(cell_allowed, "status.disruptionsAllowed");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Min Available", "string", "", 0, cell_min_available},
    {"Max Unavailable", "string", "", 0, cell_max_unavailable},
    {"Allowed Disruptions", "integer", "", 0, cell_allowed},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void check_amount(struct status_causes *causes, const json_t *spec, const char *member, const char *path)
{
    const json_t *value = jget(spec, member);
    if (value && rule_amount(causes, value, path) != RULE_BAD_AMOUNT)
        rule_at_most_all(causes, value, path);
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    const json_t *spec = jget(obj, "spec");
    if (jget(spec, "minAvailable") && jget(spec, "maxUnavailable"))
        rule_broken(causes, CAUSE_INVALID, spec, "minAvailable and maxUnavailable cannot be both set", "spec");
    check_amount(causes, spec, "minAvailable", "spec.minAvailable");
    check_amount(causes, spec, "maxUnavailable", "spec.maxUnavailable");
    if (jget(spec, "selector"))
        rule_label_selector(causes, jget(spec, "selector"), "spec.selector");
}

void budget_set_condition(json_t *status, const char *failure, const char *now)
{
    bool allowed = !failure && jint(status, "disruptionsAllowed", 0) > 0;
    const char *value = allowed ? "True" : "False";
    json_t *list = jget(status, "conditions");
    if (!list)
        jset(status, "conditions", list = json_array());
    json_t *condition = jfind(list, "type", "DisruptionAllowed");
    if (!condition)
        json_array_append_new(list, condition = json_pack("{s:s}", "type", "DisruptionAllowed"));
    if (!streq(jstr_or(condition, "status", ""), value))
        jset_str(condition, "lastTransitionTime", now);
    jset_str(condition, "status", value);
    jset_str(condition, "reason", failure ? "SyncFailed" : allowed ? "SufficientPods" : "InsufficientPods");
    jset_str(condition, "message", failure ? failure : "");
    jset_int(condition, "observedGeneration", jint(status, "observedGeneration", 0));
}

/* policy/v1beta1: there an empty selector matches nothing. It is kept as one that matches nothing in policy/v1 either,
 * by a label that nobody has; what matches everything cannot be said in v1beta1 but by the lack of that label. */
#define NOBODYS_LABEL "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"

static json_t *by_nobodys_label(const char *operator)
{
    return json_pack("{s:[{s:s, s:s}]}", "matchExpressions", "key", NOBODYS_LABEL, "operator", operator);
}

static void to_stored(json_t *obj)
{
    _cleanup_json_ json_t *all = by_nobodys_label("DoesNotExist");
    json_t *selector = jget(obj, "spec.selector");
    if (json_is_object(selector) && !json_object_size(selector))
        jset(obj, "spec.selector", by_nobodys_label("Exists"));
    else if (json_equal(selector, all))
        jset(obj, "spec.selector", json_object());
}

static void from_stored(json_t *obj)
{
    _cleanup_json_ json_t *none = by_nobodys_label("Exists");
    json_t *selector = jget(obj, "spec.selector");
    if (json_is_object(selector) && !json_object_size(selector))
        jset(obj, "spec.selector", by_nobodys_label("DoesNotExist"));
    else if (json_equal(selector, none))
        jset(obj, "spec.selector", json_object());
}

#define BUDGET(in_version, ...)                                                                                        \
    {                                                                                                                  \
        .group = "policy", .version = (in_version), .kind = "PodDisruptionBudget", .plural = "poddisruptionbudgets",   \
        .singular = "poddisruptionbudget", .list_kind = "PodDisruptionBudgetList",                                     \
        .short_names = (const char *const[]){"pdb", NULL}, .namespaced = true, .verbs = V_ALL, .fields = fields,       \
        .columns = columns, .check_name = check_dns_subdomain, .has_status = true, .has_generation = true, __VA_ARGS__ \
    }

const struct kind kind_poddisruptionbudget = BUDGET("v1", .validate = validate);
const struct kind kind_poddisruptionbudget_v1beta1 =
    BUDGET("v1beta1", .stored = &kind_poddisruptionbudget, .to_stored = to_stored, .from_stored = from_stored);
