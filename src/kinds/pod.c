/* Pods: containers that share a network and, if they like, files. What there is to say about them fills several files;
 * see podspec.h. */
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/podspec.h"

#include "json/json.h"

static const struct field pod_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = pod_spec_fields, .dflt = "{}", .doc = "What should run, and how."},
    {"status", F_OBJECT, .sub = pod_status_fields, .dflt = "{}",
     .doc = "What was last observed; written by the scheduler and the node's agent."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Ready", "string", "", 0, pod_cell_ready},
    {"Status", "string", "", 0, pod_cell_status},
    {"Restarts", "string", "", 0, pod_cell_restarts},
    {"Age", "string", "", 0, cell_age},
    {"IP", "string", "", 1, pod_cell_ip},
    {"Node", "string", "", 1, pod_cell_node},
    {"Nominated Node", "string", "", 1, pod_cell_nominated_node},
    {"Readiness Gates", "string", "", 1, pod_cell_readiness_gates},
    {0},
};

static const struct field_label field_labels[] = {
    {"spec.nodeName", "spec.nodeName", ""},
    {"spec.host", "spec.nodeName", ""},
    {"spec.restartPolicy", "spec.restartPolicy", ""},
    {"spec.schedulerName", "spec.schedulerName", ""},
    {"spec.serviceAccountName", "spec.serviceAccountName", ""},
    {"spec.hostNetwork", "spec.hostNetwork", "false"},
    {"status.phase", "status.phase", ""},
    {"status.podIP", "status.podIP", ""},
    {"status.nominatedNodeName", "status.nominatedNodeName", ""},
    {0},
};

static void prepare(json_t *pod, const json_t *old)
{
    if (old)
        return;
    jset_str(pod, "status.phase", "Pending");
    jset_str(pod, "status.qosClass", pod_qos_class(pod));
    if (json_array_size(jget(pod, "spec.schedulingGates")))
        jset(pod, "status.conditions",
             json_pack("[{s:s, s:s, s:s, s:s}]", "type", "PodScheduled", "status", "False", "reason", "SchedulingGated",
                       "message", "Scheduling is blocked due to non-empty scheduling gates"));
}

static void validate(const json_t *pod, const json_t *old, struct status_causes *causes)
{
    pod_spec_validate(jget(pod, "spec"), "spec", causes);
    if (json_array_size(jget(pod, "spec.ephemeralContainers")) && !old)
        causes_add(causes, CAUSE_FORBIDDEN, "spec.ephemeralContainers", NULL, "cannot be set on create");
    if (old)
        pod_update_validate(pod, old, causes);
}

const struct kind kind_pod = {
    .group = "",
    .version = "v1",
    .kind = "Pod",
    .plural = "pods",
    .singular = "pod",
    .list_kind = "PodList",
    .short_names = (const char *const[]){"po", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = pod_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .field_labels = field_labels,
    .default_grace_seconds = 30,
    .subresources = (const char *const[]){"attach", "binding", "ephemeralcontainers", "eviction", "exec", "log",
                                          "portforward", "proxy", NULL},
    .default_more = pod_default,
    .prepare = prepare,
    .validate = validate,
};
