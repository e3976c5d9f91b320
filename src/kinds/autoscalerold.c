/* HorizontalPodAutoscaler as autoscaling/v1 knows it: CPU alone. What else the stored version says travels in
 * annotations, so that nothing is lost on the way there and back. Rules: pkg/apis/autoscaling/v1/conversion.go. */
#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/autoscaler.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

#define ANNOTATION "autoscaling.alpha.kubernetes.io/"
#define ANNOTATION_MAX_DEPTH 16

static const struct field spec_fields[] = {
    {"scaleTargetRef", F_OBJECT, REQ, .sub = autoscaler_target_fields, .doc = "Whose pods they are."},
    {"minReplicas", F_INT, .doc = "Fewest pods."},
    {"maxReplicas", F_INT, .doc = "Most pods."},
    {"targetCPUUtilizationPercentage", F_INT, .doc = "Percentage of the CPU request that is wanted, on average."},
    {0},
};

static const struct field status_fields[] = {
    {"observedGeneration", F_INT64, .doc = "metadata.generation that this is about."},
    {"lastScaleTime", F_TIME, .doc = "When the number changed last."},
    {"currentReplicas", F_INT, .doc = "How many pods there were."},
    {"desiredReplicas", F_INT, .doc = "How many there should be."},
    {"currentCPUUtilizationPercentage", F_INT, .doc = "Percentage of the CPU request that was measured."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .doc = "What is scaled, and by what."},
    {"status", F_OBJECT, .sub = status_fields, .doc = "What was last observed."},
    {0},
};

/* --- metrics as they were written --- */

static const struct pair {
    const char *old, *new;
} pairs[] = {
    {"object.target", "object.describedObject"},
    {"object.metricName", "object.metric.name"},
    {"object.selector", "object.metric.selector"},
    {"object.targetValue", "object.target.value"},
    {"object.averageValue", "object.target.averageValue"},
    {"object.currentValue", "object.current.value"},
    {"object.averageValue", "object.current.averageValue"},
    {"pods.metricName", "pods.metric.name"},
    {"pods.selector", "pods.metric.selector"},
    {"pods.targetAverageValue", "pods.target.averageValue"},
    {"pods.currentAverageValue", "pods.current.averageValue"},
    {"resource.name", "resource.name"},
    {"resource.targetAverageUtilization", "resource.target.averageUtilization"},
    {"resource.targetAverageValue", "resource.target.averageValue"},
    {"resource.currentAverageUtilization", "resource.current.averageUtilization"},
    {"resource.currentAverageValue", "resource.current.averageValue"},
    {"containerResource.name", "containerResource.name"},
    {"containerResource.container", "containerResource.container"},
    {"containerResource.targetAverageUtilization", "containerResource.target.averageUtilization"},
    {"containerResource.targetAverageValue", "containerResource.target.averageValue"},
    {"containerResource.currentAverageUtilization", "containerResource.current.averageUtilization"},
    {"containerResource.currentAverageValue", "containerResource.current.averageValue"},
    {"external.metricName", "external.metric.name"},
    {"external.metricSelector", "external.metric.selector"},
    {"external.targetValue", "external.target.value"},
    {"external.targetAverageValue", "external.target.averageValue"},
    {"external.currentValue", "external.current.value"},
    {"external.currentAverageValue", "external.current.averageValue"},
};

static json_t *metric_from_stored(const json_t *new)
{
    json_t *old = json_object();
    jset_str(old, "type", jstr_or(new, "type", ""));
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        const json_t *v = jget(new, pairs[i].new);
        if (v)
            jset(old, pairs[i].old, json_deep_copy(v));
    }
    return old;
}

static json_t *metric_to_stored(const json_t *old, const char *side)
{
    json_t *new = json_object(), *source;
    const char *name;
    jset_str(new, "type", jstr_or(old, "type", ""));
    _cleanup_free_ char *other = xasprintf(".%s.", streq(side, "target") ? "current" : "target");
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        const json_t *v = jget(old, pairs[i].old);
        if (v && !strstr(pairs[i].new, other))
            jset(new, pairs[i].new, json_deep_copy(v));
    }
    json_object_foreach(new, name, source) {
        json_t *target = jget(source, "target");
        if (json_is_object(target))
            jset_str(target, "type",
                     jget(target, "averageUtilization") ? "Utilization"
                     : jget(target, "averageValue")     ? "AverageValue"
                                                        : "Value");
    }
    return new;
}

static bool is_cpu(const json_t *metric, const char *percent)
{
    return streq(jstr_or(metric, "resource.name", ""), "cpu") && jget(metric, percent);
}

/* --- annotations --- */

static const char *annotation(const json_t *obj, const char *name)
{
    _cleanup_free_ char *key = xasprintf(ANNOTATION "%s", name);
    return json_string_value(json_object_get(jget(obj, "metadata.annotations"), key));
}

static void annotate(json_t *obj, const char *name, json_t *value)
{
    _cleanup_free_ char *key = xasprintf(ANNOTATION "%s", name), *text = jprint(value);
    if (!jget(obj, "metadata.annotations"))
        jset(obj, "metadata.annotations", json_object());
    json_object_set_new(jget(obj, "metadata.annotations"), key, json_string(text));
    json_decref(value);
}

/* Behaviour is annotated in Go's own names ("ScaleUp"). */
static json_t *with_case(const json_t *v, int (*change)(int), int depth)
{
    if (depth > ANNOTATION_MAX_DEPTH)
        return json_null();
    if (json_is_array(v)) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(v); i++)
            json_array_append_new(list, with_case(json_array_get(v, i), change, depth + 1));
        return list;
    }
    if (!json_is_object(v))
        return json_deep_copy(v);
    json_t *obj = json_object(), *member;
    const char *name;
    json_object_foreach((json_t *)v, name, member) {
        _cleanup_free_ char *other = xstrdup(name);
        other[0] = (char)change((unsigned char)other[0]);
        if (!json_is_null(member))
            json_object_set_new(obj, other, with_case(member, change, depth + 1));
    }
    return obj;
}

static void from_stored(json_t *obj)
{
    json_t *others = json_array(), *measured = json_array(), *metric;
    const json_t *behavior = jget(obj, "spec.behavior"), *conditions = jget(obj, "status.conditions");
    size_t i;
    json_array_foreach(jget(obj, "spec.metrics"), i, metric) {
        if (!is_cpu(metric, "resource.target.averageUtilization"))
            json_array_append_new(others, metric_from_stored(metric));
        else if (!jget(obj, "spec.targetCPUUtilizationPercentage"))
            jset_int(obj, "spec.targetCPUUtilizationPercentage", jint(metric, "resource.target.averageUtilization", 0));
    }
    json_array_foreach(jget(obj, "status.currentMetrics"), i, metric) {
        if (is_cpu(metric, "resource.current.averageUtilization"))
            jset_int(obj, "status.currentCPUUtilizationPercentage",
                     jint(metric, "resource.current.averageUtilization", 0));
        json_array_append_new(measured, metric_from_stored(metric));
    }
    if (json_array_size(others))
        annotate(obj, "metrics", json_incref(others));
    if (json_array_size(measured))
        annotate(obj, "current-metrics", json_incref(measured));
    if (json_array_size(conditions))
        annotate(obj, "conditions", json_deep_copy(conditions));
    if (behavior)
        annotate(obj, "behavior", with_case(behavior, toupper, 0));
    json_decref(others);
    json_decref(measured);
    static const char *const unknown[] = {"spec.metrics", "spec.behavior", "status.currentMetrics",
                                          "status.conditions"};
    for (i = 0; i < ARRAY_LEN(unknown); i++)
        if (jget(obj, unknown[i]))
            jset(obj, unknown[i], NULL);
}

/* A list of metrics out of an annotation, or NULL. */
static json_t *annotated_metrics(const json_t *obj, const char *name, const char *side)
{
    const char *text = annotation(obj, name);
    _cleanup_json_ json_t *old = text ? json_loads(text, 0, NULL) : NULL;
    if (!json_is_array(old))
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(old); i++)
        if (json_is_object(json_array_get(old, i)))
            json_array_append_new(list, metric_to_stored(json_array_get(old, i), side));
    return list;
}

static void drop_annotations(json_t *obj)
{
    static const char *const names[] = {"metrics", "current-metrics", "conditions", "behavior"};
    json_t *annotations = jget(obj, "metadata.annotations");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _cleanup_free_ char *key = xasprintf(ANNOTATION "%s", names[i]);
        json_object_del(annotations, key);
    }
    if (annotations && !json_object_size(annotations))
        jset(obj, "metadata.annotations", NULL);
}

static void to_stored(json_t *obj)
{
    const json_t *percent = jget(obj, "spec.targetCPUUtilizationPercentage");
    json_t *metrics = annotated_metrics(obj, "metrics", "target");
    json_t *measured = annotated_metrics(obj, "current-metrics", "current");
    const char *behavior = annotation(obj, "behavior"), *conditions = annotation(obj, "conditions");
    _cleanup_json_ json_t *rules = behavior ? json_loads(behavior, 0, NULL) : NULL;
    json_t *states = conditions ? json_loads(conditions, 0, NULL) : NULL;
    if (percent && !metrics)
        metrics = json_array();
    if (percent)
        json_array_append_new(metrics,
                              json_pack("{s:s, s:{s:s, s:{s:s, s:O}}}", "type", "Resource", "resource", "name", "cpu",
                                        "target", "type", "Utilization", "averageUtilization", percent));
    if (metrics)
        jset(obj, "spec.metrics", metrics);
    if (measured)
        jset(obj, "status.currentMetrics", measured);
    if (json_is_object(rules))
        jset(obj, "spec.behavior", with_case(rules, tolower, 0));
    if (json_is_array(states))
        jset(obj, "status.conditions", json_incref(states));
    json_decref(states);
    if (percent)
        jset(obj, "spec.targetCPUUtilizationPercentage", NULL);
    if (jget(obj, "status.currentCPUUtilizationPercentage"))
        jset(obj, "status.currentCPUUtilizationPercentage", NULL);
    drop_annotations(obj);
}

const struct kind kind_autoscaler_v1 = {
    .group = "autoscaling",
    .version = "v1",
    .kind = "HorizontalPodAutoscaler",
    .plural = "horizontalpodautoscalers",
    .singular = "horizontalpodautoscaler",
    .list_kind = "HorizontalPodAutoscalerList",
    .short_names = autoscaler_short_names,
    .categories = autoscaler_categories,
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = autoscaler_columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .stored = &kind_autoscaler,
    .to_stored = to_stored,
    .from_stored = from_stored,
};
