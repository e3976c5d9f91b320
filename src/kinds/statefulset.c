/* StatefulSets: pods with names of their own that come and go in order. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/podspec.h"
#include "kinds/rules.h"

static const struct field rolling_update_fields[] = {
    {"partition", F_INT, .dflt = "0", .max = NO_MAX, .doc = "Pods with a lower number keep the template they have."},
    {0},
};

static const struct field update_strategy_fields[] = {
    {"type", F_STR, OPT, .dflt = "\"RollingUpdate\"", .oneof = ONE_OF("OnDelete", "RollingUpdate"),
     .doc = "RollingUpdate, or OnDelete to replace only pods that somebody else deletes."},
    {"rollingUpdate", F_OBJECT, .sub = rolling_update_fields, .doc = "Numbers for RollingUpdate."},
    {0},
};

static const struct field ordinals_fields[] = {
    {"start", F_INT, .dflt = "0", .max = NO_MAX, .doc = "Number of the first pod."},
    {0},
};

static const struct field retention_fields[] = {
    {"whenDeleted", F_STR, OPT, .dflt = "\"Retain\"", .oneof = ONE_OF("Delete", "Retain"),
     .doc = "What becomes of the claims when the set is deleted."},
    {"whenScaled", F_STR, OPT, .dflt = "\"Retain\"", .oneof = ONE_OF("Delete", "Retain"),
     .doc = "What becomes of the claims of pods that are one too many."},
    {0},
};

static const struct field stateful_set_spec_fields[] = {
    {"replicas", F_INT, .dflt = "1", .max = NO_MAX, .doc = "How many pods are wanted."},
    {"selector", F_OBJECT, REQ | ATOMIC, .sub = label_selector_fields,
     .doc = "Labels of the pods that count; must match the template."},
    {"template", F_OBJECT, .sub = pod_template_spec_fields, .dflt = "{}", .doc = "The pods to be made."},
    {"volumeClaimTemplates", F_LIST, OPT | ATOMIC, LIST_OF(claim_fields),
     .doc = "Claims that every pod gets for itself."},
    {"serviceName", F_STR, OPT, .doc = "Headless Service under which the pods have names in DNS."},
    {"podManagementPolicy", F_STR, OPT, .dflt = "\"OrderedReady\"", .oneof = ONE_OF("OrderedReady", "Parallel"),
     .doc = "OrderedReady: one pod after the other, or Parallel."},
    {"updateStrategy", F_OBJECT, .sub = update_strategy_fields, .dflt = "{}", .doc = "How pods are replaced."},
    {"revisionHistoryLimit", F_INT, .dflt = "10", .max = NO_MAX,
     .doc = "How many old revisions are kept for going back."},
    FIELD_MIN_READY_SECONDS,
    {"persistentVolumeClaimRetentionPolicy", F_OBJECT, .sub = retention_fields, .dflt = "{}",
     .doc = "Whether claims stay after their pods."},
    {"ordinals", F_OBJECT, .sub = ordinals_fields, .doc = "How the pods are numbered."},
    {0},
};

static const struct field stateful_set_status_fields[] = {
    FIELD_OBSERVED_GENERATION,
    {"replicas", F_INT, .dflt = "0", .doc = "Pods there are."},
    {"readyReplicas", F_INT, OPT, .doc = "Pods that are ready."},
    {"currentReplicas", F_INT, OPT, .doc = "Pods of currentRevision."},
    {"updatedReplicas", F_INT, OPT, .doc = "Pods of updateRevision."},
    {"currentRevision", F_STR, OPT, .doc = "Revision of the pods that are not updated yet."},
    {"updateRevision", F_STR, OPT, .doc = "Revision of the present template."},
    {"collisionCount", F_INT, .doc = "How often the hash in a revision's name was taken already."},
    FIELD_CONDITIONS(plain_condition_fields, "None so far."),
    {"availableReplicas", F_INT, .dflt = "0", .doc = "Pods that have been ready for minReadySeconds."},
    {0},
};

static const struct field statefulset_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = stateful_set_spec_fields, .dflt = "{}", .doc = "How many pods, and how they change."},
    {"status", F_OBJECT, .sub = stateful_set_status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

static json_t *cell_ready(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_sprintf("%lld/%lld", (long long)jint(obj, "status.readyReplicas", 0),
                        (long long)jint(obj, "spec.replicas", 0));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Ready", "string", "", 0, cell_ready},
    {"Age", "string", "", 0, cell_age},
    COLUMNS_OF_TEMPLATE,
    {0},
};

static const struct kind_scale scale = {"spec.replicas", "status.replicas", "spec.selector", false};

/* As upstream shows them. */
static void complete_claims(json_t *claims)
{
    size_t i;
    json_t *claim;
    json_array_foreach(claims, i, claim) {
        jset_str(claim, "apiVersion", "v1");
        jset_str(claim, "kind", "PersistentVolumeClaim");
        jset_str(claim, "status.phase", "Pending");
    }
}

static void default_more(json_t *obj)
{
    complete_claims(jget(obj, "spec.volumeClaimTemplates"));
    pod_spec_default(jget(obj, "spec.template.spec"));
    if (streq(jstr_or(obj, "spec.updateStrategy.type", ""), "RollingUpdate") &&
        !jget(obj, "spec.updateStrategy.rollingUpdate.partition"))
        jset_int(obj, "spec.updateStrategy.rollingUpdate.partition", 0);
}

static json_t *fixed_part(const json_t *spec)
{
    static const char *const free_members[] = {"replicas",
                                               "ordinals",
                                               "template",
                                               "updateStrategy",
                                               "revisionHistoryLimit",
                                               "minReadySeconds",
                                               "persistentVolumeClaimRetentionPolicy"};
    json_t *copy = json_deep_copy(spec);
    for (size_t i = 0; i < ARRAY_LEN(free_members); i++)
        json_object_del(copy, free_members[i]);
    return copy;
}

/* A copy whose template has the volumes that claims will be, so that it can mount them. */
static json_t *with_claimed_volumes(const json_t *obj)
{
    json_t *copy = json_deep_copy(obj), *volumes = jget(copy, "spec.template.spec.volumes"), *claim;
    size_t i;
    json_array_foreach(jget(copy, "spec.volumeClaimTemplates"), i, claim) {
        const char *name = jstr_or(claim, "metadata.name", "");
        if (!volumes)
            jset(copy, "spec.template.spec.volumes", volumes = json_array());
        if (*name && !jfind(volumes, "name", name))
            json_array_append_new(volumes, json_pack("{ss, s{}}", "name", name, "emptyDir"));
    }
    return copy;
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    bool rolling = streq(jstr_or(obj, "spec.updateStrategy.type", ""), "RollingUpdate");
    _cleanup_json_ json_t *complete = with_claimed_volumes(obj);
    rule_workload_named(causes, complete, "StatefulSet", "statefulset");
    if (!rolling && jget(obj, "spec.updateStrategy.rollingUpdate"))
        causes_add(causes, CAUSE_INVALID, "spec.updateStrategy.rollingUpdate",
                   jget(obj, "spec.updateStrategy.rollingUpdate"), "only allowed for updateStrategy 'RollingUpdate'");
    if (!old)
        return;
    _cleanup_json_ json_t *now = fixed_part(jget(obj, "spec")), *before = fixed_part(jget(old, "spec"));
    if (now && before && !json_equal(now, before))
        causes_add(causes, CAUSE_FORBIDDEN, "spec", NULL,
                   "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                   "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
                   "'minReadySeconds' are forbidden");
}

const struct kind kind_statefulset = {
    .group = "apps",
    .version = "v1",
    .kind = "StatefulSet",
    .plural = "statefulsets",
    .singular = "statefulset",
    .list_kind = "StatefulSetList",
    .short_names = (const char *const[]){"sts", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = statefulset_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .scale = &scale,
    .default_more = default_more,
    .validate = validate,
};
