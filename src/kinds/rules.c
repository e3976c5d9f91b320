/* See rules.h. */
#include "kinds/rules.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/labels.h"
#include "kinds/podspec.h"

#define WITH_PATH(path, path_fmt)                                                                                      \
    char path[RULE_PATH_SIZE];                                                                                         \
    do {                                                                                                               \
        va_list ap;                                                                                                    \
        va_start(ap, path_fmt);                                                                                        \
        vsnprintf(path, sizeof(path), path_fmt, ap);                                                                   \
        va_end(ap);                                                                                                    \
    } while (0)

void rule_broken(struct status_causes *c, enum cause_type type, const json_t *value, const char *why,
                 const char *path_fmt, ...)
{
    WITH_PATH(path, path_fmt);
    causes_add(c, type, path, value, "%s", why);
}

void rule_broken_text(struct status_causes *c, enum cause_type type, const char *value, const char *why,
                      const char *path_fmt, ...)
{
    WITH_PATH(path, path_fmt);
    _cleanup_json_ json_t *text = json_string(value);
    causes_add(c, type, path, text, "%s", why);
}

void rule_check_text(struct status_causes *c, check_fn *check, const char *value, const char *path_fmt, ...)
{
    WITH_PATH(path, path_fmt);
    char scratch[CHECK_SCRATCH_SIZE];
    const char *why = check(value, scratch);
    if (why)
        rule_broken_text(c, CAUSE_INVALID, value, why, "%s", path);
}

static void requirement(struct status_causes *c, const json_t *r, const char *path, size_t i)
{
    const char *op = jstr_or(r, "operator", ""), *key = jstr_or(r, "key", "");
    size_t n = json_array_size(jget(r, "values")), j;
    bool needs_values = streq(op, "In") || streq(op, "NotIn");
    json_t *value;
    if (needs_values && n == 0)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must be specified when `operator` is 'In' or 'NotIn'",
                    "%s.matchExpressions[%zu].values", path, i);
    else if (!needs_values && n > 0 && (streq(op, "Exists") || streq(op, "DoesNotExist")))
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                    "%s.matchExpressions[%zu].values", path, i);
    else if (!needs_values && !streq(op, "Exists") && !streq(op, "DoesNotExist"))
        rule_broken_text(c, CAUSE_INVALID, op, "not a valid selector operator", "%s.matchExpressions[%zu].operator",
                         path, i);
    if (*key)
        rule_check_text(c, check_qualified_name, key, "%s.matchExpressions[%zu].key", path, i);
    json_array_foreach(jget(r, "values"), j, value)
        if (json_is_string(value))
            rule_check_text(c, check_label_value, json_string_value(value), "%s.matchExpressions[%zu].values[%zu]",
                            path, i, j);
}

void rule_label_selector(struct status_causes *c, const json_t *selector, const char *path)
{
    const char *key;
    size_t i;
    json_t *value;
    json_object_foreach(jget(selector, "matchLabels"), key, value) {
        rule_check_text(c, check_qualified_name, key, "%s.matchLabels", path);
        rule_check_text(c, check_label_value, json_string_value(value) ?: "", "%s.matchLabels", path);
    }
    json_array_foreach(jget(selector, "matchExpressions"), i, value)
        requirement(c, value, path, i);
}

void rule_port_or_name(struct status_causes *c, const json_t *port, const char *path)
{
    if (json_is_string(port))
        rule_check_text(c, check_port_name, json_string_value(port), "%s", path);
    else if (json_is_integer(port) && (json_integer_value(port) < 1 || json_integer_value(port) > 65535))
        rule_broken(c, CAUSE_INVALID, port, "must be between 1 and 65535, inclusive", "%s", path);
}

int64_t rule_amount(struct status_causes *c, const json_t *value, const char *path)
{
    const char *text = json_string_value(value);
    int64_t n = json_integer_value(value);
    if (!text && n < 0)
        rule_broken(c, CAUSE_INVALID, value, "must be greater than or equal to 0", "%s", path);
    if (!text)
        return n < 0 ? RULE_BAD_AMOUNT : n;
    _cleanup_free_ char *digits = xstrndup(text, str_ends_with(text, "%") ? strlen(text) - 1 : 0);
    if (!str_to_i64(digits, 0, INT32_MAX, &n)) {
        rule_broken(c, CAUSE_INVALID, value,
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
                    "regex used for validation is '[0-9]+%')",
                    "%s", path);
        return RULE_BAD_AMOUNT;
    }
    return n;
}

void rule_at_most_all(struct status_causes *c, const json_t *value, const char *path)
{
    int64_t n;
    const char *text = json_string_value(value);
    _cleanup_free_ char *digits = text ? xstrndup(text, str_ends_with(text, "%") ? strlen(text) - 1 : 0) : NULL;
    if (digits && str_to_i64(digits, 0, INT32_MAX, &n) && n > 100)
        rule_broken(c, CAUSE_INVALID, value, "must not be greater than 100%", "%s", path);
}

void rule_pod_template(struct status_causes *c, const json_t *template, bool selected, const char *kind)
{
    if (!selected)
        rule_broken(c, CAUSE_INVALID, jget(template, "metadata.labels"), "`selector` does not match template `labels`",
                    "spec.template.metadata.labels");
    pod_spec_validate(jget(template, "spec"), "spec.template.spec", c);
    const char *policy = jstr_or(template, "spec.restartPolicy", "");
    if (streq(policy, "OnFailure") || streq(policy, "Never"))
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, policy, "supported values: \"Always\"",
                         "spec.template.spec.restartPolicy");
    if (jget(template, "spec.activeDeadlineSeconds"))
        causes_add(c, CAUSE_FORBIDDEN, "spec.template.spec.activeDeadlineSeconds", NULL,
                   "activeDeadlineSeconds in %s is not Supported", kind);
}

void rule_workload_named(struct status_causes *c, const json_t *obj, const char *kind, const char *noun)
{
    const json_t *selector = jget(obj, "spec.selector"), *template = jget(obj, "spec.template");
    bool empty =
        !json_object_size(jget(selector, "matchLabels")) && !json_array_size(jget(selector, "matchExpressions"));
    if (selector && empty)
        causes_add(c, CAUSE_INVALID, "spec.selector", selector, "empty selector is invalid for %s", noun);
    rule_label_selector(c, selector, "spec.selector");
    if (template)
        rule_pod_template(c, template, label_selector_matches(selector, jget(template, "metadata.labels")), kind);
}

void rule_workload(struct status_causes *c, const json_t *obj)
{
    rule_workload_named(c, obj, "ReplicaSet", "deployment");
}
