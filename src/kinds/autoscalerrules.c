/* What a HorizontalPodAutoscaler must hold to. Rules: pkg/apis/autoscaling/validation/validation.go. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/autoscaler.h"
#include "kinds/rules.h"

#define WINDOW_MAX 3600
#define PERIOD_MAX 1800

static const struct source {
    const char *type, *member;
    const char *needs[3];          /* one of these members of the target */
    const char *if_none, *none_at; /* what to say without, and about which */
    const char *if_both;
} sources[] = {
    {"ContainerResource",
     "containerResource",
     {"averageUtilization", "averageValue"},
     "must set either a target raw value or a target utilization",
     "averageUtilization",
     "may not set both a target raw value and a target utilization"},
    {"External",
     "external",
     {"value", "averageValue"},
     "must set either a target value for metric or a per-pod target",
     "averageValue",
     "may not set both a target value for metric and a per-pod target"},
    {"Object",
     "object",
     {"value", "averageValue"},
     "must set either a target value or averageValue",
     "averageValue",
     NULL},
    {"Pods", "pods", {"averageValue"}, "must specify a positive target averageValue", "averageValue", NULL},
    {"Resource",
     "resource",
     {"averageUtilization", "averageValue"},
     "must set either a target raw value or a target utilization",
     "averageUtilization",
     "may not set both a target raw value and a target utilization"},
};

static void check_positive(struct status_causes *c, const json_t *target, const char *member, const char *at)
{
    struct quantity q;
    const char *text = jstr(target, member);
    if (text && quantity_parse(text, &q) && q.nano <= 0)
        rule_broken_text(c, CAUSE_INVALID, text, "must be positive", "%s.target.%s", at, member);
}

static void check_target(struct status_causes *c, const struct source *s, const json_t *target, const char *at)
{
    const char *type = jstr_or(target, "type", "");
    const json_t *percent = jget(target, "averageUtilization");
    size_t n = 0;
    if (!*type)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify a metric target type", "%s.target.type", at);
    else if (!streq(type, "Utilization") && !streq(type, "Value") && !streq(type, "AverageValue"))
        rule_broken_text(c, CAUSE_INVALID, type, "must be either Utilization, Value, or AverageValue", "%s.target.type",
                         at);
    check_positive(c, target, "value", at);
    check_positive(c, target, "averageValue", at);
    if (percent && json_integer_value(percent) < 1)
        rule_broken(c, CAUSE_INVALID, percent, "must be greater than 0", "%s.target.averageUtilization", at);
    for (const char *const *need = s->needs; *need; need++)
        n += jget(target, *need) != NULL;
    if (n == 0)
        rule_broken(c, CAUSE_REQUIRED, NULL, s->if_none, "%s.target.%s", at, s->none_at);
    if (n == 2 && s->if_both)
        rule_broken(c, CAUSE_FORBIDDEN, NULL, s->if_both, "%s.target.%s", at,
                    s->needs[s->if_both && streq(s->type, "External") ? 0 : 1]);
}

static void check_source(struct status_causes *c, const struct source *s, const json_t *source, const char *metric_at)
{
    char at[RULE_PATH_SIZE];
    bool by_name = str_ends_with(s->type, "Resource");
    snprintf(at, sizeof(at), "%.200s.%s", metric_at, s->member);
    if (by_name && !*jstr_or(source, "name", ""))
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify a resource name", "%s.name", at);
    if (!by_name && !*jstr_or(source, "metric.name", ""))
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify a metric name", "%s.metric.name", at);
    if (streq(s->type, "ContainerResource") && !*jstr_or(source, "container", ""))
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify a container", "%s.container", at);
    check_target(c, s, jget(source, "target"), at);
}

static void check_metric(struct status_causes *c, const json_t *metric, size_t i)
{
    char at[RULE_PATH_SIZE];
    const char *type = jstr_or(metric, "type", "");
    bool known = false;
    snprintf(at, sizeof(at), "spec.metrics[%zu]", i);
    for (size_t s = 0; s < ARRAY_LEN(sources); s++) {
        const json_t *source = jget(metric, sources[s].member);
        bool is = streq(type, sources[s].type);
        known |= is;
        if (is && !source)
            rule_broken(c, CAUSE_REQUIRED, NULL, "must populate information for the given metric source", "%s.%s", at,
                        sources[s].member);
        else if (is)
            check_source(c, &sources[s], source, at);
        else if (source)
            rule_broken(c, CAUSE_FORBIDDEN, NULL, "must populate the given metric source only", "%s.%s", at,
                        sources[s].member);
    }
    if (!*type)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify a metric source type", "%s.type", at);
    else if (!known)
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, type,
                         "supported values: \"ContainerResource\", \"External\", \"Object\", \"Pods\", \"Resource\"",
                         "%s.type", at);
}

static void check_policy(struct status_causes *c, const json_t *policy, const char *at, size_t i)
{
    const char *type = jstr_or(policy, "type", "");
    int64_t period = jint(policy, "periodSeconds", 0);
    if (!streq(type, "Percent") && !streq(type, "Pods"))
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, type, "supported values: \"Percent\", \"Pods\"",
                         "%s.policies[%zu].type", at, i);
    if (jint(policy, "value", 0) <= 0)
        rule_broken(c, CAUSE_INVALID, jget(policy, "value"), "must be greater than zero", "%s.policies[%zu].value", at,
                    i);
    if (period <= 0 || period > PERIOD_MAX)
        rule_broken(c, CAUSE_INVALID, jget(policy, "periodSeconds"),
                    period <= 0 ? "must be greater than zero" : "must be less than or equal to 1800",
                    "%s.policies[%zu].periodSeconds", at, i);
}

static void check_behavior(struct status_causes *c, const json_t *rules, const char *at)
{
    int64_t window = jint(rules, "stabilizationWindowSeconds", 0);
    const char *select = jstr_or(rules, "selectPolicy", "Max");
    size_t i;
    json_t *policy;
    if (!rules)
        return;
    if (window < 0 || window > WINDOW_MAX)
        rule_broken(c, CAUSE_INVALID, jget(rules, "stabilizationWindowSeconds"),
                    window < 0 ? "must be greater than or equal to zero" : "must be less than or equal to 3600",
                    "%s.stabilizationWindowSeconds", at);
    if (!streq(select, "Max") && !streq(select, "Min") && !streq(select, "Disabled"))
        rule_broken_text(c, CAUSE_NOT_SUPPORTED, select, "supported values: \"Disabled\", \"Max\", \"Min\"",
                         "%s.selectPolicy", at);
    if (!json_array_size(jget(rules, "policies")))
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify at least one Policy", "%s.policies", at);
    json_array_foreach(jget(rules, "policies"), i, policy)
        check_policy(c, policy, at, i);
}

void autoscaler_validate(const json_t *obj, const json_t *old, struct status_causes *c)
{
    (void)old;
    const json_t *spec = jget(obj, "spec"), *metric;
    int64_t min = jint(spec, "minReplicas", 1), max = jint(spec, "maxReplicas", 0);
    _cleanup_json_ json_t *most = json_integer(max);
    size_t i;
    if (min < 1)
        rule_broken(c, CAUSE_INVALID, jget(spec, "minReplicas"), "must be greater than or equal to 1",
                    "spec.minReplicas");
    if (max < 1)
        rule_broken(c, CAUSE_INVALID, most, "must be greater than 0", "spec.maxReplicas");
    if (max < min)
        rule_broken(c, CAUSE_INVALID, most, "must be greater than or equal to `minReplicas`", "spec.maxReplicas");
    json_array_foreach(jget(spec, "metrics"), i, metric)
        check_metric(c, metric, i);
    check_behavior(c, jget(spec, "behavior.scaleUp"), "spec.behavior.scaleUp");
    check_behavior(c, jget(spec, "behavior.scaleDown"), "spec.behavior.scaleDown");
}
