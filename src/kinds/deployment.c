/* Deployments: a number of equal pods that are replaced step by step when their template changes. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

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
    FIELD_POD_SELECTOR,
    {"template", F_OBJECT, .sub = pod_template_spec_fields, .dflt = "{}",
     .doc = "The pods to be made; a change replaces the pods."},
    {"strategy", F_OBJECT, RETAIN, .sub = deployment_strategy_fields, .dflt = "{}", .doc = "How pods are replaced."},
    FIELD_MIN_READY_SECONDS,
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
    FIELD_OBSERVED_GENERATION,
    {"replicas", F_INT, OPT, .doc = "Pods there are."},
    {"updatedReplicas", F_INT, OPT, .doc = "Pods of the present template."},
    {"readyReplicas", F_INT, OPT, .doc = "Pods that are ready."},
    {"availableReplicas", F_INT, OPT, .doc = "Pods that have been ready for minReadySeconds."},
    {"unavailableReplicas", F_INT, OPT, .doc = "Pods that are still missing."},
    {"terminatingReplicas", F_INT, .doc = "Pods that are ending."},
    FIELD_CONDITIONS(deployment_condition_fields, "Available, Progressing and ReplicaFailure."),
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

static json_t *cell_ready(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_sprintf("%lld/%lld", (long long)jint(obj, "status.readyReplicas", 0),
                        (long long)jint(obj, "spec.replicas", 0));
}

CELL_INT(cell_updated, "status.updatedReplicas");
CELL_INT(cell_available, "status.availableReplicas");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Ready", "string", "", 0, cell_ready},
    {"Up-to-date", "string", "", 0, cell_updated},
    {"Available", "string", "", 0, cell_available},
    {"Age", "string", "", 0, cell_age},
    COLUMNS_OF_TEMPLATE,
    {"Selector", "string", "", 1, cell_spec_selector},
    {0},
};

static const struct kind_scale scale = {"spec.replicas", "status.replicas", "spec.selector", false};

static void default_more(json_t *obj)
{
    pod_spec_default(jget(obj, "spec.template.spec"));
    if (!streq(jstr_or(obj, "spec.strategy.type", ""), "RollingUpdate"))
        return;
    if (!jget(obj, "spec.strategy.rollingUpdate.maxUnavailable"))
        jset_str(obj, "spec.strategy.rollingUpdate.maxUnavailable", "25%");
    if (!jget(obj, "spec.strategy.rollingUpdate.maxSurge"))
        jset_str(obj, "spec.strategy.rollingUpdate.maxSurge", "25%");
}

static void check_strategy(const json_t *obj, struct status_causes *causes)
{
    const json_t *rolling = jget(obj, "spec.strategy.rollingUpdate");
    bool recreate = streq(jstr_or(obj, "spec.strategy.type", ""), "Recreate");
    if (rolling && recreate)
        causes_add(causes, CAUSE_FORBIDDEN, "spec.strategy.rollingUpdate", NULL,
                   "may not be specified when strategy `type` is 'Recreate'");
    if (!rolling || recreate)
        return;
    int64_t unavailable =
        rule_amount(causes, jget(rolling, "maxUnavailable"), "spec.strategy.rollingUpdate.maxUnavailable");
    int64_t surge = rule_amount(causes, jget(rolling, "maxSurge"), "spec.strategy.rollingUpdate.maxSurge");
    if (unavailable == 0 && surge == 0)
        causes_add(causes, CAUSE_INVALID, "spec.strategy.rollingUpdate.maxUnavailable", jget(rolling, "maxUnavailable"),
                   "may not be 0 when `maxSurge` is 0");
    rule_at_most_all(causes, jget(rolling, "maxUnavailable"), "spec.strategy.rollingUpdate.maxUnavailable");
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    const json_t *deadline = jget(obj, "spec.progressDeadlineSeconds");
    rule_workload(causes, obj);
    check_strategy(obj, causes);
    if (deadline && json_integer_value(deadline) <= jint(obj, "spec.minReadySeconds", 0))
        causes_add(causes, CAUSE_INVALID, "spec.progressDeadlineSeconds", deadline,
                   "must be greater than minReadySeconds");
}

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
    .scale = &scale,
    .default_more = default_more,
    .validate = validate,
};
