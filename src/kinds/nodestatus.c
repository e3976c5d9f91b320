/* What a node's agent tells about its node. */
#include "kinds/fields.h"

static const struct field node_condition_fields[] = {
    {"type", F_STR, REQ, .doc = "Name of the condition."},
    {"status", F_STR, REQ, .doc = "True, False or Unknown."},
    {"lastHeartbeatTime", F_TIME, .doc = "When it was last reported."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field node_address_fields[] = {
    {"type", F_STR, .doc = "Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS."},
    {"address", F_STR, .doc = "The address."},
    {0},
};

static const struct field daemon_endpoint_fields[] = {
    {"Port", F_INT, .dflt = "0", .doc = "Port number."},
    {0},
};

static const struct field node_daemon_endpoints_fields[] = {
    {"kubeletEndpoint", F_OBJECT, .sub = daemon_endpoint_fields, .dflt = "{}",
     .doc = "Port of the agent's HTTPS server."},
    {0},
};

static const struct field node_swap_status_fields[] = {
    {"capacity", F_INT64, .doc = "Bytes of swap space."},
    {0},
};

static const struct field node_system_info_fields[] = {
    {"machineID", F_STR, .dflt = "\"\"", .doc = "Identity from /etc/machine-id."},
    {"systemUUID", F_STR, .dflt = "\"\"", .doc = "Identity from the firmware."},
    {"bootID", F_STR, .dflt = "\"\"", .doc = "Identity of this boot."},
    {"kernelVersion", F_STR, .dflt = "\"\"", .doc = "Kernel release, as uname -r prints it."},
    {"osImage", F_STR, .dflt = "\"\"", .doc = "Operating system's name from /etc/os-release."},
    {"containerRuntimeVersion", F_STR, .dflt = "\"\"", .doc = "Runtime and version, as NAME://VERSION."},
    {"kubeletVersion", F_STR, .dflt = "\"\"", .doc = "Version of the node's agent."},
    {"kubeProxyVersion", F_STR, .dflt = "\"\"", .doc = "Version of the Service proxy; deprecated."},
    {"operatingSystem", F_STR, .dflt = "\"\"", .doc = "linux."},
    {"architecture", F_STR, .dflt = "\"\"", .doc = "Machine architecture, as Go names it (amd64, arm64)."},
    {"swap", F_OBJECT, .sub = node_swap_status_fields, .doc = "Swap space of the node."},
    {0},
};

static const struct field container_image_fields[] = {
    {"names", F_LIST, STRINGS, .doc = "Names by which the image is known."},
    {"sizeBytes", F_INT64, OPT, .doc = "Size of the image in bytes."},
    {0},
};

static const struct field attached_volume_fields[] = {
    {"name", F_STR, .doc = "Name of the volume."},
    {"devicePath", F_STR, .doc = "Device at which the volume appears."},
    {0},
};

static const struct field configmap_node_config_source_fields[] = {
    {"namespace", F_STR},        {"name", F_STR},
    {"uid", F_STR, OPT},         {"resourceVersion", F_STR, OPT},
    {"kubeletConfigKey", F_STR}, {0},
};

const struct field node_config_source_fields[] = {
    {"configMap", F_OBJECT, .sub = configmap_node_config_source_fields},
    {0},
};

static const struct field node_config_status_fields[] = {
    {"assigned", F_OBJECT, .sub = node_config_source_fields},
    {"active", F_OBJECT, .sub = node_config_source_fields},
    {"lastKnownGood", F_OBJECT, .sub = node_config_source_fields},
    {"error", F_STR, OPT},
    {0},
};

static const struct field node_runtime_handler_features_fields[] = {
    {"recursiveReadOnlyMounts", F_BOOL, .doc = "Whether mounts can be read-only all the way down."},
    {"userNamespaces", F_BOOL, .doc = "Whether pods can have user namespaces."},
    {0},
};

static const struct field node_runtime_handler_fields[] = {
    {"name", F_STR, .doc = "Name of the runtime; empty for the default one."},
    {"features", F_OBJECT, .sub = node_runtime_handler_features_fields, .doc = "What it can do."},
    {0},
};

static const struct field node_features_fields[] = {
    {"supplementalGroupsPolicy", F_BOOL, .doc = "Whether the pods' supplementalGroupsPolicy is obeyed."},
    {0},
};

const struct field node_status_fields[] = {
    {"capacity", F_MAP, OPT, QUANTITIES, .doc = "All resources of the node."},
    {"allocatable", F_MAP, OPT, QUANTITIES, .doc = "Resources that pods may use."},
    {"phase", F_STR, OPT, .doc = "No longer set."},
    FIELD_CONDITIONS(node_condition_fields, "Observed conditions: Ready, MemoryPressure, DiskPressure, PIDPressure."),
    {"addresses", F_LIST, OPT, LIST_OF(node_address_fields), .merge_key = "type", .list_keys = "type",
     .doc = "Addresses and names at which the node is reached."},
    {"daemonEndpoints", F_OBJECT, .sub = node_daemon_endpoints_fields, .dflt = "{}",
     .doc = "Where the node's agent listens."},
    {"nodeInfo", F_OBJECT, .sub = node_system_info_fields, .dflt = "{}",
     .doc = "Versions and identity of the node's software."},
    {"images", F_LIST, OPT, LIST_OF(container_image_fields), .doc = "Container images present on the node."},
    {"volumesInUse", F_LIST, OPT, STRINGS, .doc = "Attachable volumes that are mounted on the node."},
    {"volumesAttached", F_LIST, OPT, LIST_OF(attached_volume_fields), .doc = "Volumes that are attached to the node."},
    {"config", F_OBJECT, .sub = node_config_status_fields, .doc = "Formerly the state of the agent's configuration."},
    {"runtimeHandlers", F_LIST, OPT, LIST_OF(node_runtime_handler_fields),
     .doc = "Runtimes that pods can name through a RuntimeClass."},
    {"features", F_OBJECT, .sub = node_features_fields, .doc = "What the container runtime can do."},
    {"declaredFeatures", F_LIST, OPT, STRINGS, .doc = "Features that the agent declares."},
    {0},
};
