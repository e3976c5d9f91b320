/* ReplicaSets. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field replica_set_spec_fields[] = {
    {"replicas", F_INT, .dflt = "1", .max = NO_MAX, .doc = "How many pods are wanted."},
    {"minReadySeconds", F_INT, OPT, .max = NO_MAX, .doc = "Seconds a pod must be ready to count as available."},
    {"selector", F_OBJECT, REQ | IMMUT | ATOMIC, .sub = label_selector_fields,
     .doc = "Labels of the pods that count; must match the template."},
    {"template", F_OBJECT, .sub = pod_template_spec_fields, .dflt = "{}", .doc = "The pods to be made."},
    {0},
};

static const struct field replica_set_condition_fields[] = {
    {"type", F_STR, .doc = "Name of the condition."},
    {"status", F_STR, .doc = "True, False or Unknown."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field replica_set_status_fields[] = {
    {"replicas", F_INT, .dflt = "0", .doc = "Pods there are."},
    {"fullyLabeledReplicas", F_INT, OPT, .doc = "Pods that have all labels of the template."},
    {"readyReplicas", F_INT, OPT, .doc = "Pods that are ready."},
    {"availableReplicas", F_INT, OPT, .doc = "Pods that have been ready for minReadySeconds."},
    {"terminatingReplicas", F_INT, .doc = "Pods that are ending."},
    {"observedGeneration", F_INT64, OPT, .doc = "metadata.generation that the controller has seen."},
    {"conditions", F_LIST, OPT, LIST_OF(replica_set_condition_fields), .merge_key = "type", .list_keys = "type",
     .doc = "ReplicaFailure."},
    {0},
};

static const struct field replicaset_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = replica_set_spec_fields, .dflt = "{}", .doc = "How many pods of which kind."},
    {"status", F_OBJECT, .sub = replica_set_status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

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
};
