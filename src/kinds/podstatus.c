/* What a node's agent tells about a pod. */
#include "kinds/fields.h"

static const struct field pod_condition_fields[] = {
    {"type", F_STR, REQ, .doc = "Name of the condition."},
    {"observedGeneration", F_INT64, OPT, .doc = "metadata.generation on which it was based."},
    {"status", F_STR, REQ, .doc = "True, False or Unknown."},
    {"lastProbeTime", F_TIME, .doc = "When it was last checked."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field host_ip_fields[] = {
    {"ip", F_STR, .doc = "An address."},
    {0},
};

static const struct field pod_ip_fields[] = {
    {"ip", F_STR, .doc = "An address."},
    {0},
};

static const struct field container_state_waiting_fields[] = {
    {"reason", F_STR, OPT, .doc = "One word for why it waits, such as ImagePullBackOff."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field container_state_running_fields[] = {
    {"startedAt", F_TIME, .doc = "When it was started."},
    {0},
};

static const struct field container_state_terminated_fields[] = {
    {"exitCode", F_INT, .doc = "Exit code of its first process."},
    {"signal", F_INT, OPT, .doc = "Signal that ended it."},
    {"reason", F_STR, OPT, .doc = "One word for why, such as Completed, Error or OOMKilled."},
    {"message", F_STR, OPT, .doc = "The container's last words."},
    {"startedAt", F_TIME, .doc = "When it was started."},
    {"finishedAt", F_TIME, .doc = "When it ended."},
    {"containerID", F_STR, OPT, .doc = "Runtime's name for it."},
    {0},
};

static const struct field container_state_fields[] = {
    {"waiting", F_OBJECT, .sub = container_state_waiting_fields, .doc = "It has not started yet."},
    {"running", F_OBJECT, .sub = container_state_running_fields, .doc = "It runs."},
    {"terminated", F_OBJECT, .sub = container_state_terminated_fields, .doc = "It has ended."},
    {0},
};

static const struct field image_volume_status_fields[] = {
    {"imageRef", F_STR, OPT, .doc = "Digest of the image that is mounted."},
    {0},
};

static const struct field volume_status_fields[] = {
    {"image", F_OBJECT, .sub = image_volume_status_fields, .doc = "State of an image volume."},
    {0},
};

static const struct field volume_mount_status_fields[] = {
    {"name", F_STR, .doc = "Name of the volume."},
    {"mountPath", F_STR, .doc = "Path in the container."},
    {"readOnly", F_BOOL, OPT, .doc = "Whether it is read-only."},
    {"recursiveReadOnly", F_STR, .doc = "Whether mounts below are read-only too."},
    {"volumeStatus", F_OBJECT, .sub = volume_status_fields, .doc = "State that depends on the kind of volume."},
    {0},
};

static const struct field linux_container_user_fields[] = {
    {"uid", F_INT64, .doc = "User id."},
    {"gid", F_INT64, .doc = "Group id."},
    {"supplementalGroups", F_LIST, OPT, .sub = int64_item, .doc = "Further group ids."},
    {0},
};

static const struct field container_user_fields[] = {
    {"linux", F_OBJECT, .sub = linux_container_user_fields, .doc = "Ids of the process."},
    {0},
};

static const struct field resource_health_fields[] = {
    {"resourceID", F_STR, .doc = "Name of the device."},
    {"health", F_STR, OPT, .doc = "Healthy, Unhealthy or Unknown."},
    {"message", F_STR, .doc = "The health for a person."},
    {0},
};

static const struct field resource_status_fields[] = {
    {"name", F_STR, .doc = "Resource that the devices belong to."},
    {"resources", F_LIST, OPT, LIST_OF(resource_health_fields), .list_keys = "resourceID", .doc = "The devices."},
    {0},
};

static const struct field container_status_fields[] = {
    {"name", F_STR, REQ, .doc = "Name of the container."},
    {"state", F_OBJECT, .sub = container_state_fields, .dflt = "{}", .doc = "What it is doing now."},
    {"lastState", F_OBJECT, .sub = container_state_fields, .dflt = "{}", .doc = "How its previous run ended."},
    {"ready", F_BOOL, .dflt = "false", .doc = "Whether its readiness probe succeeds."},
    {"restartCount", F_INT, .dflt = "0", .doc = "How often it was started again."},
    {"image", F_STR, .doc = "Image that runs."},
    {"imageID", F_STR, .doc = "Digest of the image that runs."},
    {"containerID", F_STR, OPT, .doc = "Runtime's name for it, as RUNTIME://ID."},
    {"started", F_BOOL, .doc = "Whether it has passed its startup probe."},
    {"allocatedResources", F_MAP, OPT, QUANTITIES, .doc = "Resources set aside."},
    {"resources", F_OBJECT, .sub = resource_requirements_fields, .doc = "Resources in force."},
    {"volumeMounts", F_LIST, OPT, LIST_OF(volume_mount_status_fields), .merge_key = "mountPath",
     .list_keys = "mountPath", .doc = "State of its mounts."},
    {"user", F_OBJECT, .sub = container_user_fields, .doc = "User and groups of its first process."},
    {"allocatedResourcesStatus", F_LIST, OPT, LIST_OF(resource_status_fields), .merge_key = "name", .list_keys = "name",
     .doc = "Health of its devices."},
    {"stopSignal", F_STR, .doc = "Signal that asks it to end."},
    {0},
};

static const struct field pod_resource_claim_status_fields[] = {
    {"name", F_STR, .doc = "Name of the pod's claim."},
    {"resourceClaimName", F_STR, .doc = "ResourceClaim made for it."},
    {0},
};

static const struct field container_extended_resource_request_fields[] = {
    {"containerName", F_STR, .doc = "Container that asks for it."},
    {"resourceName", F_STR, .doc = "Extended resource that is asked for."},
    {"requestName", F_STR, .doc = "Request of the claim that serves it."},
    {0},
};

static const struct field pod_extended_resource_claim_status_fields[] = {
    {"requestMappings", F_LIST, LIST_OF(container_extended_resource_request_fields),
     .doc = "Which request serves which container."},
    {"resourceClaimName", F_STR, .doc = "The claim."},
    {0},
};

const struct field pod_status_fields[] = {
    {"observedGeneration", F_INT64, OPT, .doc = "metadata.generation that the agent has seen."},
    {"phase", F_STR, OPT, .doc = "Pending, Running, Succeeded, Failed or Unknown."},
    FIELD_CONDITIONS(pod_condition_fields, "PodScheduled, Initialized, ContainersReady, Ready and others."),
    {"message", F_STR, OPT, .doc = "Why the pod is in this state, for a person."},
    {"reason", F_STR, OPT, .doc = "One word for why, such as Evicted."},
    {"nominatedNodeName", F_STR, OPT, .doc = "Node where room is being made for the pod."},
    {"hostIP", F_STR, OPT, .doc = "Address of the node."},
    {"hostIPs", F_LIST, OPT, LIST_OF(host_ip_fields), .merge_key = "ip", .doc = "Addresses of the node."},
    {"podIP", F_STR, OPT, .doc = "Address of the pod."},
    {"podIPs", F_LIST, OPT, LIST_OF(pod_ip_fields), .merge_key = "ip", .list_keys = "ip",
     .doc = "Addresses of the pod, one a family."},
    {"startTime", F_TIME, .doc = "When the agent took up the pod."},
    {"initContainerStatuses", F_LIST, OPT, LIST_OF(container_status_fields), .doc = "State of the init containers."},
    {"containerStatuses", F_LIST, OPT, LIST_OF(container_status_fields), .doc = "State of the containers."},
    {"qosClass", F_STR, OPT, .oneof = ONE_OF("BestEffort", "Burstable", "Guaranteed"),
     .doc = "Guaranteed, Burstable or BestEffort, from the resources."},
    {"ephemeralContainerStatuses", F_LIST, OPT, LIST_OF(container_status_fields),
     .doc = "State of the ephemeral containers."},
    {"resize", F_STR, OPT, .doc = "State of a change of resources; conditions replace it."},
    {"resourceClaimStatuses", F_LIST, OPT | RETAIN, LIST_OF(pod_resource_claim_status_fields), .merge_key = "name",
     .list_keys = "name", .doc = "Claims made for the pod."},
    {"extendedResourceClaimStatus", F_OBJECT, .sub = pod_extended_resource_claim_status_fields,
     .doc = "Claim made for extended resources."},
    {"allocatedResources", F_MAP, OPT, QUANTITIES, .doc = "Resources set aside for the pod as a whole."},
    {"resources", F_OBJECT, .sub = resource_requirements_fields, .doc = "Resources in force for the pod as a whole."},
    {0},
};
