/* ReplicationControllers: the older ReplicaSet, with a plain map as selector. */
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/labels.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

static const struct field rc_spec_fields[] = {
    {"replicas", F_INT, .dflt = "1", .max = NO_MAX, .doc = "How many pods are wanted."},
    FIELD_MIN_READY_SECONDS,
    {"selector", F_MAP, OPT | ATOMIC, LABELS, .doc = "Labels of the pods that count; the template's if missing."},
    {"template", F_OBJECT, REQ, .sub = pod_template_spec_fields, .doc = "The pods to be made."},
    {0},
};

static const struct field rc_status_fields[] = {
    {"replicas", F_INT, .dflt = "0", .doc = "Pods there are."},
    {"fullyLabeledReplicas", F_INT, OPT, .doc = "Pods that have all labels of the template."},
    {"readyReplicas", F_INT, OPT, .doc = "Pods that are ready."},
    {"availableReplicas", F_INT, OPT, .doc = "Pods that have been ready for minReadySeconds."},
    FIELD_OBSERVED_GENERATION,
    FIELD_CONDITIONS(plain_condition_fields, "ReplicaFailure."),
    {0},
};

static const struct field replicationcontroller_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = rc_spec_fields, .dflt = "{}", .doc = "How many pods of which kind."},
    {"status", F_OBJECT, .sub = rc_status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

CELL_INT(cell_desired, "spec.replicas");
CELL_INT(cell_current, "status.replicas");
CELL_INT(cell_ready, "status.readyReplicas");

static json_t *cell_plain_selector(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_map_selector(jget(obj, "spec.selector"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Desired", "integer", "", 0, cell_desired},
    {"Current", "integer", "", 0, cell_current},
    {"Ready", "integer", "", 0, cell_ready},
    {"Age", "string", "", 0, cell_age},
    COLUMNS_OF_TEMPLATE,
    {"Selector", "string", "", 1, cell_plain_selector},
    {0},
};

static const struct field_label field_labels[] = {
    {"status.replicas", "status.replicas", "0"},
    {0},
};

static const struct kind_scale scale = {"spec.replicas", "status.replicas", "spec.selector", true};

/* Selector and labels come from the template's labels when there are none. */
static void default_more(json_t *rc)
{
    json_t *labels = jget(rc, "spec.template.metadata.labels");
    if (json_object_size(labels) && !json_object_size(jget(rc, "spec.selector")))
        jset(rc, "spec.selector", json_deep_copy(labels));
    if (json_object_size(labels) && !json_object_size(jget(rc, "metadata.labels")))
        jset(rc, "metadata.labels", json_deep_copy(labels));
    pod_spec_default(jget(rc, "spec.template.spec"));
}

static void validate(const json_t *rc, const json_t *old, struct status_causes *causes)
{
    (void)old;
    const json_t *selector = jget(rc, "spec.selector"), *template = jget(rc, "spec.template");
    if (json_object_size(selector) == 0)
        causes_add(causes, CAUSE_REQUIRED, "spec.selector", NULL, "%s", "");
    if (template)
        rule_pod_template(causes, template, map_selector_matches(selector, jget(template, "metadata.labels")),
                          "ReplicationController");
}

const struct kind kind_replicationcontroller = {
    .group = "",
    .version = "v1",
    .kind = "ReplicationController",
    .plural = "replicationcontrollers",
    .singular = "replicationcontroller",
    .list_kind = "ReplicationControllerList",
    .short_names = (const char *const[]){"rc", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = replicationcontroller_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .field_labels = field_labels,
    .scale = &scale,
    .default_more = default_more,
    .validate = validate,
};
