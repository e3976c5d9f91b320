/* ReplicaSets: a number of equal pods. */
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

static const struct field replica_set_spec_fields[] = {
    {"replicas", F_INT, .dflt = "1", .max = NO_MAX, .doc = "How many pods are wanted."},
    FIELD_MIN_READY_SECONDS,
    FIELD_POD_SELECTOR,
    {"template", F_OBJECT, .sub = pod_template_spec_fields, .dflt = "{}", .doc = "The pods to be made."},
    {0},
};

static const struct field replica_set_status_fields[] = {
    {"replicas", F_INT, .dflt = "0", .doc = "Pods there are."},
    {"fullyLabeledReplicas", F_INT, OPT, .doc = "Pods that have all labels of the template."},
    {"readyReplicas", F_INT, OPT, .doc = "Pods that are ready."},
    {"availableReplicas", F_INT, OPT, .doc = "Pods that have been ready for minReadySeconds."},
    {"terminatingReplicas", F_INT, .doc = "Pods that are ending."},
    FIELD_OBSERVED_GENERATION,
    FIELD_CONDITIONS(plain_condition_fields, "ReplicaFailure."),
    {0},
};

static const struct field replicaset_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = replica_set_spec_fields, .dflt = "{}", .doc = "How many pods of which kind."},
    {"status", F_OBJECT, .sub = replica_set_status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

CELL_INT(cell_desired, "spec.replicas");
CELL_INT(cell_current, "status.replicas");
CELL_INT(cell_ready, "status.readyReplicas");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Desired", "integer", "", 0, cell_desired},
    {"Current", "integer", "", 0, cell_current},
    {"Ready", "integer", "", 0, cell_ready},
    {"Age", "string", "", 0, cell_age},
    COLUMNS_OF_TEMPLATE,
    {"Selector", "string", "", 1, cell_spec_selector},
    {0},
};

static const struct field_label field_labels[] = {
    {"status.replicas", "status.replicas", "0"},
    {0},
};

static const struct kind_scale scale = {"spec.replicas", "status.replicas", "spec.selector", false};

static void default_more(json_t *obj)
{
    pod_spec_default(jget(obj, "spec.template.spec"));
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    rule_workload(causes, obj);
}

const struct kind kind_replicaset = {
    .group = "apps",
    .version = "v1",
    .kind = "ReplicaSet",
    .plural = "replicasets",
    .singular = "replicaset",
    .list_kind = "ReplicaSetList",
    .short_names = (const char *const[]){"rs", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = replicaset_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .field_labels = field_labels,
    .scale = &scale,
    .default_more = default_more,
    .validate = validate,
};
