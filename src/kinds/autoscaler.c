/* HorizontalPodAutoscalers, as they are stored: how many pods a workload should have, by measure. The rules are in
 * autoscalerrules.c, the columns in autoscalercells.c, the version of before in autoscalerold.c. */
#include "kinds/autoscaler.h"

#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

const struct field autoscaler_target_fields[] = {
    {"kind", F_STR, REQ, .doc = "Kind of the object."},
    {"name", F_STR, REQ, .doc = "Name of the object."},
    {"apiVersion", F_STR, OPT, .doc = "Version of its API."},
    {0},
};

static const struct field metric_fields[] = {
    {"name", F_STR, .doc = "Name of the metric."},
    {"selector", F_OBJECT, ATOMIC, .sub = label_selector_fields, .doc = "Labels of the series that are meant."},
    {0},
};

static const struct field wanted_fields[] = {
    {"type", F_STR, .doc = "Utilization, Value or AverageValue."},
    {"value", F_QUANTITY, .doc = "Value that is wanted."},
    {"averageValue", F_QUANTITY, .doc = "Value that is wanted, a pod on average."},
    {"averageUtilization", F_INT, .doc = "Percentage of the request that is wanted, a pod on average."},
    {0},
};

static const struct field measured_fields[] = {
    {"value", F_QUANTITY, .doc = "Value that was measured."},
    {"averageValue", F_QUANTITY, .doc = "Value that was measured, a pod on average."},
    {"averageUtilization", F_INT, .doc = "Percentage of the request that was measured, a pod on average."},
    {0},
};

/* What is wanted and what was measured differ in one member. */
#define SOURCES(prefix, last_name, last_fields, last_doc)                                                              \
    static const struct field prefix##object_fields[] = {                                                              \
        {"describedObject", F_OBJECT, .sub = autoscaler_target_fields, .doc = "Object that is measured."},             \
        {last_name, F_OBJECT, .sub = last_fields, .doc = last_doc},                                                    \
        {"metric", F_OBJECT, .sub = metric_fields, .doc = "What is measured."},                                        \
        {0},                                                                                                           \
    };                                                                                                                 \
    static const struct field prefix##metric_source_fields[] = {                                                       \
        {"metric", F_OBJECT, .sub = metric_fields, .doc = "What is measured."},                                        \
        {last_name, F_OBJECT, .sub = last_fields, .doc = last_doc},                                                    \
        {0},                                                                                                           \
    };                                                                                                                 \
    static const struct field prefix##resource_fields[] = {                                                            \
        {"name", F_STR, .doc = "cpu or memory."},                                                                      \
        {last_name, F_OBJECT, .sub = last_fields, .doc = last_doc},                                                    \
        {0},                                                                                                           \
    };                                                                                                                 \
    static const struct field prefix##container_fields[] = {                                                           \
        {"name", F_STR, .doc = "cpu or memory."},                                                                      \
        {last_name, F_OBJECT, .sub = last_fields, .doc = last_doc},                                                    \
        {"container", F_STR, .doc = "Container that is measured."},                                                    \
        {0},                                                                                                           \
    };                                                                                                                 \
    static const struct field prefix##fields[] = {                                                                     \
        {"type", F_STR,                                                                                                \
         .doc = "Which of the other members is set: Object, Pods, Resource, ContainerResource or "                     \
                "External."},                                                                                          \
        {"object", F_OBJECT, .sub = prefix##object_fields, .doc = "One object of the cluster."},                       \
        {"pods", F_OBJECT, .sub = prefix##metric_source_fields, .doc = "The pods, by a metric of their own."},         \
        {"resource", F_OBJECT, .sub = prefix##resource_fields, .doc = "The pods, by what they use."},                  \
        {"containerResource", F_OBJECT, .sub = prefix##container_fields, .doc = "A container of the pods."},           \
        {"external", F_OBJECT, .sub = prefix##metric_source_fields, .doc = "Something outside of the cluster."},       \
        {0},                                                                                                           \
    }

SOURCES(spec_metric_, "target", wanted_fields, "What is wanted.");
SOURCES(status_metric_, "current", measured_fields, "What was measured.");

static const struct field policy_fields[] = {
    {"type", F_STR, .doc = "Pods or Percent."},
    {"value", F_INT, .doc = "Most pods, or percentage of them, that come or go in a period."},
    {"periodSeconds", F_INT, .doc = "How long a period is."},
    {0},
};

static const struct field scaling_fields[] = {
    {"stabilizationWindowSeconds", F_INT, .doc = "How long past recommendations are heeded."},
    {"selectPolicy", F_STR, .doc = "Max, Min or Disabled: which of the policies counts."},
    {"policies", F_LIST, OPT | ATOMIC, LIST_OF(policy_fields), .doc = "How fast it may go."},
    {0},
};

static const struct field behavior_fields[] = {
    {"scaleUp", F_OBJECT, .sub = scaling_fields, .doc = "More pods."},
    {"scaleDown", F_OBJECT, .sub = scaling_fields, .doc = "Fewer pods."},
    {0},
};

static const struct field spec_fields[] = {
    {"scaleTargetRef", F_OBJECT, REQ, .sub = autoscaler_target_fields, .doc = "Whose pods they are."},
    {"minReplicas", F_INT, .dflt = "1", .doc = "Fewest pods."},
    {"maxReplicas", F_INT, .doc = "Most pods."},
    {"metrics", F_LIST, OPT | ATOMIC, LIST_OF(spec_metric_fields),
     .doc = "By what the number is found; the largest counts."},
    {"behavior", F_OBJECT, .sub = behavior_fields, .doc = "How fast the number changes."},
    {0},
};

static const struct field status_fields[] = {
    {"observedGeneration", F_INT64, .doc = "metadata.generation that this is about."},
    {"lastScaleTime", F_TIME, .doc = "When the number changed last."},
    {"currentReplicas", F_INT, OPT, .doc = "How many pods there were."},
    {"desiredReplicas", F_INT, .doc = "How many there should be."},
    {"currentMetrics", F_LIST, ATOMIC | NULLABLE, LIST_OF(status_metric_fields), .doc = "What was measured."},
    FIELD_CONDITIONS(plain_condition_fields, "Whether it works."),
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "What is scaled, and by what."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

/* --- defaults --- */

static void default_rules(json_t *behavior, const char *direction, const char *rules)
{
    _cleanup_json_ json_t *all = json_loads(rules, 0, NULL);
    json_t *given = json_object_get(behavior, direction);
    if (given)
        json_object_update_missing(given, all);
    else
        json_object_set(behavior, direction, all);
}

static void default_more(json_t *obj)
{
    json_t *spec = jget(obj, "spec"), *behavior = jget(spec, "behavior");
    if (spec && !json_array_size(jget(spec, "metrics")))
        json_object_set_new(spec, "metrics",
                            json_pack("[{s:s, s:{s:s, s:{s:s, s:i}}}]", "type", "Resource", "resource", "name", "cpu",
                                      "target", "type", "Utilization", "averageUtilization", 80));
    if (!behavior)
        return;
    default_rules(behavior, "scaleUp",
                  "{\"stabilizationWindowSeconds\":0,\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Pods\","
                  "\"value\":4,\"periodSeconds\":15},{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]}");
    default_rules(
        behavior, "scaleDown",
        "{\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]}");
}

const char *const autoscaler_short_names[] = {"hpa", NULL}, *const autoscaler_categories[] = {"all", NULL};

const struct kind kind_autoscaler = {
    .group = "autoscaling",
    .version = "v2",
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
    .default_more = default_more,
    .validate = autoscaler_validate,
};
