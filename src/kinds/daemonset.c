/* DaemonSets: one pod on every node that fits. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

static const struct field rolling_update_fields[] = {
    {"maxUnavailable", F_INT_OR_STR, .dflt = "1",
     .doc = "How many nodes may be without an available pod during an update, as a number or percentage (rounded up)."},
    {"maxSurge", F_INT_OR_STR, .dflt = "0",
     .doc = "How many nodes may have an old and a new pod at once, as a number or percentage (rounded up)."},
    {0},
};

static const struct field update_strategy_fields[] = {
    {"type", F_STR, OPT, .dflt = "\"RollingUpdate\"", .oneof = ONE_OF("OnDelete", "RollingUpdate"),
     .doc = "RollingUpdate, or OnDelete to replace only pods that somebody else deletes."},
    {"rollingUpdate", F_OBJECT, .sub = rolling_update_fields, .doc = "Numbers for RollingUpdate."},
    {0},
};

static const struct field daemon_set_spec_fields[] = {
    FIELD_POD_SELECTOR,
    {"template", F_OBJECT, .sub = pod_template_spec_fields, .dflt = "{}",
     .doc = "The pods to be made, one on each node that fits."},
    {"updateStrategy", F_OBJECT, .sub = update_strategy_fields, .dflt = "{}", .doc = "How pods are replaced."},
    FIELD_MIN_READY_SECONDS,
    {"revisionHistoryLimit", F_INT, .dflt = "10", .max = NO_MAX,
     .doc = "How many old revisions are kept for going back."},
    {0},
};

static const struct field daemon_set_status_fields[] = {
    {"currentNumberScheduled", F_INT, .dflt = "0", .doc = "Nodes that have a pod and shall have one."},
    {"numberMisscheduled", F_INT, .dflt = "0", .doc = "Nodes that have a pod and shall have none."},
    {"desiredNumberScheduled", F_INT, .dflt = "0", .doc = "Nodes that shall have a pod."},
    {"numberReady", F_INT, .dflt = "0", .doc = "Nodes that shall have a pod and have a ready one."},
    FIELD_OBSERVED_GENERATION,
    {"updatedNumberScheduled", F_INT, OPT, .doc = "Nodes whose pod is of the present template."},
    {"numberAvailable", F_INT, OPT, .doc = "Nodes whose pod has been ready for minReadySeconds."},
    {"numberUnavailable", F_INT, OPT, .doc = "Nodes that shall have a pod and have no available one."},
    {"collisionCount", F_INT, .doc = "How often the hash in a revision's name was taken already."},
    FIELD_CONDITIONS(plain_condition_fields, "None so far."),
    {0},
};

static const struct field daemonset_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = daemon_set_spec_fields, .dflt = "{}", .doc = "Which pods, and how they are replaced."},
    {"status", F_OBJECT, .sub = daemon_set_status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

CELL_INT(cell_desired, "status.desiredNumberScheduled");
CELL_INT(cell_current, "status.currentNumberScheduled");
CELL_INT(cell_ready, "status.numberReady");
CELL_INT(cell_updated, "status.updatedNumberScheduled");
CELL_INT(cell_available, "status.numberAvailable");

static json_t *cell_node_selector(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_map_selector(jget(obj, "spec.template.spec.nodeSelector"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Desired", "integer", "", 0, cell_desired},
    {"Current", "integer", "", 0, cell_current},
    {"Ready", "integer", "", 0, cell_ready},
    {"Up-to-date", "integer", "", 0, cell_updated},
    {"Available", "integer", "", 0, cell_available},
    {"Node Selector", "string", "", 0, cell_node_selector},
    {"Age", "string", "", 0, cell_age},
    COLUMNS_OF_TEMPLATE,
    {"Selector", "string", "", 1, cell_spec_selector},
    {0},
};

static void default_more(json_t *obj)
{
    pod_spec_default(jget(obj, "spec.template.spec"));
    if (!streq(jstr_or(obj, "spec.updateStrategy.type", ""), "RollingUpdate"))
        return;
    if (!jget(obj, "spec.updateStrategy.rollingUpdate.maxUnavailable"))
        jset_int(obj, "spec.updateStrategy.rollingUpdate.maxUnavailable", 1);
    if (!jget(obj, "spec.updateStrategy.rollingUpdate.maxSurge"))
        jset_int(obj, "spec.updateStrategy.rollingUpdate.maxSurge", 0);
}

static void check_strategy(const json_t *obj, struct status_causes *causes)
{
    const json_t *rolling = jget(obj, "spec.updateStrategy.rollingUpdate");
    if (!streq(jstr_or(obj, "spec.updateStrategy.type", ""), "RollingUpdate"))
        return;
    if (!rolling) {
        causes_add(causes, CAUSE_REQUIRED, "spec.updateStrategy.rollingUpdate", NULL, "%s", "");
        return;
    }
    int64_t unavailable =
        rule_amount(causes, jget(rolling, "maxUnavailable"), "spec.updateStrategy.rollingUpdate.maxUnavailable");
    int64_t surge = rule_amount(causes, jget(rolling, "maxSurge"), "spec.updateStrategy.rollingUpdate.maxSurge");
    rule_at_most_all(causes, jget(rolling, "maxUnavailable"), "spec.updateStrategy.rollingUpdate.maxUnavailable");
    rule_at_most_all(causes, jget(rolling, "maxSurge"), "spec.updateStrategy.rollingUpdate.maxSurge");
    if (unavailable > 0 && surge > 0)
        causes_add(causes, CAUSE_INVALID, "spec.updateStrategy.rollingUpdate.maxSurge", jget(rolling, "maxSurge"),
                   "may not be set when maxUnavailable is non-zero");
    if (unavailable == 0 && surge == 0)
        causes_add(causes, CAUSE_REQUIRED, "spec.updateStrategy.rollingUpdate.maxUnavailable", NULL,
                   "cannot be 0 when maxSurge is 0");
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    rule_workload_named(causes, obj, "DaemonSet", "daemonset");
    check_strategy(obj, causes);
}

const struct kind kind_daemonset = {
    .group = "apps",
    .version = "v1",
    .kind = "DaemonSet",
    .plural = "daemonsets",
    .singular = "daemonset",
    .list_kind = "DaemonSetList",
    .short_names = (const char *const[]){"ds", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = daemonset_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .default_more = default_more,
    .validate = validate,
};
