/* Deployments. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field rolling_update_deployment_fields[] = {
    {"maxUnavailable", F_INT_OR_STR,
     .doc = "How many of the wanted pods may be missing, as a number or percentage (rounded down)."},
    {"maxSurge", F_INT_OR_STR,
     .doc = "How many pods there may be beyond the wanted ones, as a number or percentage (rounded up)."},
    {0},
};

static const struct field deployment_strategy_fields[] = {
    {"type", F_STR, OPT, .dflt = "\"RollingUpdate\"", .oneof = ONE_OF("Recreate", "RollingUpdate"),
     .doc = "RollingUpdate, or Recreate to end all old pods first."},
    {"rollingUpdate", F_OBJECT, .sub = rolling_update_deployment_fields, .doc = "Numbers for RollingUpdate."},
    {0},
};

static const struct field deployment_spec_fields[] = {
    {"replicas", F_INT, .dflt = "1", .max = NO_MAX, .doc = "How many pods are wanted."},
    {"selector", F_OBJECT, REQ | IMMUT | ATOMIC, .sub = label_selector_fields,
     .doc = "Labels of the pods that count; must match the template."},
    {"template", F_OBJECT, REQ, .sub = pod_template_spec_fields,
     .doc = "The pods to be made; a change replaces the pods."},
    {"strategy", F_OBJECT, RETAIN, .sub = deployment_strategy_fields, .dflt = "{}", .doc = "How pods are replaced."},
    {"minReadySeconds", F_INT, OPT, .max = NO_MAX, .doc = "Seconds a pod must be ready to count as available."},
    {"revisionHistoryLimit", F_INT, .dflt = "10", .max = NO_MAX,
     .doc = "How many old ReplicaSets are kept for going back."},
    {"paused", F_BOOL, OPT, .doc = "Changes wait until this is false again."},
    {"progressDeadlineSeconds", F_INT, .dflt = "600", .max = NO_MAX,
     .doc = "Seconds without progress after which the change counts as failed."},
    {0},
};

static const struct field deployment_condition_fields[] = {
    {"type", F_STR, .doc = "Name of the condition."},
    {"status", F_STR, .doc = "True, False or Unknown."},
    {"lastUpdateTime", F_TIME, .doc = "When it was last written."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field deployment_status_fields[] = {
    {"observedGeneration", F_INT64, OPT, .doc = "metadata.generation that the controller has seen."},
    {"replicas", F_INT, OPT, .doc = "Pods there are."},
    {"updatedReplicas", F_INT, OPT, .doc = "Pods of the present template."},
    {"readyReplicas", F_INT, OPT, .doc = "Pods that are ready."},
    {"availableReplicas", F_INT, OPT, .doc = "Pods that have been ready for minReadySeconds."},
    {"unavailableReplicas", F_INT, OPT, .doc = "Pods that are still missing."},
    {"terminatingReplicas", F_INT, .doc = "Pods that are ending."},
    {"conditions", F_LIST, OPT, LIST_OF(deployment_condition_fields), .merge_key = "type", .list_keys = "type",
     .doc = "Available, Progressing and ReplicaFailure."},
    {"collisionCount", F_INT, .doc = "How often the hash in a ReplicaSet's name was taken already."},
    {0},
};

static const struct field deployment_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = deployment_spec_fields, .dflt = "{}",
     .doc = "How many pods of which kind, and how they are replaced."},
    {"status", F_OBJECT, .sub = deployment_status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_deployment = {
    .group = "apps",
    .version = "v1",
    .kind = "Deployment",
    .plural = "deployments",
    .singular = "deployment",
    .list_kind = "DeploymentList",
    .short_names = (const char *const[]){"deploy", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = deployment_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
};
