/* The containers of a pod. */
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field container_port_fields[] = {
    {"name", F_STR, OPT, .check = check_port_name, .doc = "Name by which Services and probes refer to the port."},
    {"hostPort", F_INT, OPT, .min = 1, .max = 65535, .doc = "Port of the node that leads to this one."},
    {"containerPort", F_INT, REQ, .min = 1, .max = 65535, .doc = "Number of the port."},
    {"protocol", F_STR, OPT, .dflt = "\"TCP\"", .oneof = ONE_OF("SCTP", "TCP", "UDP"), .doc = "TCP, UDP or SCTP."},
    {"hostIP", F_STR, OPT, .check = check_ip, .doc = "Address of the node at which hostPort is open."},
    {0},
};

static const struct field volume_mount_fields[] = {
    {"name", F_STR, REQ, .doc = "Name of the volume."},
    {"readOnly", F_BOOL, OPT, .doc = "Mounts it read-only."},
    {"recursiveReadOnly", F_STR, .oneof = ONE_OF("Disabled", "Enabled", "IfPossible"),
     .doc = "Whether mounts below are read-only too."},
    {"mountPath", F_STR, REQ, .doc = "Path in the container."},
    {"subPath", F_STR, OPT, .doc = "Path in the volume; its root if missing."},
    {"mountPropagation", F_STR, .oneof = ONE_OF("Bidirectional", "HostToContainer", "None"),
     .doc = "Whether mounts travel between node and container."},
    {"subPathExpr", F_STR, OPT, .doc = "Like subPath, with $(NAME) of environment variables."},
    {0},
};

static const struct field volume_device_fields[] = {
    {"name", F_STR, REQ, .doc = "Name of the claim's volume."},
    {"devicePath", F_STR, REQ, .doc = "Path of the device in the container."},
    {0},
};

static const struct field container_restart_rule_exit_codes_fields[] = {
    {"operator", F_STR, REQ, .oneof = ONE_OF("In", "NotIn"), .doc = "In or NotIn."},
    {"values", F_LIST, OPT, .sub = int_item, .list_keys = "", .doc = "The exit codes."},
    {0},
};

static const struct field container_restart_rule_fields[] = {
    {"action", F_STR, REQ, .oneof = ONE_OF("Restart", "RestartAllContainers"),
     .doc = "What is done when the rule fits."},
    {"exitCodes", F_OBJECT, .sub = container_restart_rule_exit_codes_fields,
     .doc = "Exit codes for which the rule fits."},
    {0},
};

/* An ephemeral container has the same members and one more. */
/* clang-format off */
#define CONTAINER_MEMBERS                                                                                              \
    {"name", F_STR, REQ, .check = check_dns_label, .doc = "Name of the container; unique in the pod, a DNS label."},   \
    {"image", F_STR, REQ, .doc = "Name of the image."},                                                                \
    {"command", F_LIST, OPT, STRINGS, .doc = "Program and first arguments; the image's ENTRYPOINT if missing."},       \
    {"args", F_LIST, OPT, STRINGS, .doc = "Arguments; the image's CMD if missing."},                                   \
    {"workingDir", F_STR, OPT, .doc = "Working directory; the image's if missing."},                                   \
    {"ports", F_LIST, OPT, LIST_OF(container_port_fields), .merge_key = "containerPort",                               \
     .list_keys = "containerPort,protocol",                                                                            \
     .doc = "Ports the container listens on."},                                                                        \
    {"envFrom", F_LIST, OPT, LIST_OF(env_from_source_fields),                                                          \
     .doc = "Sources of which every key becomes an environment variable."},                                            \
    {"env", F_LIST, OPT, LIST_OF(env_var_fields), .merge_key = "name", .list_keys = "name",                            \
     .doc = "Environment variables."},                                                                                 \
    {"resources", F_OBJECT, .sub = resource_requirements_fields, .dflt = "{}",                                         \
     .doc = "Resources that are asked for and that may be used."},                                                     \
    {"resizePolicy", F_LIST, OPT, LIST_OF(container_resize_policy_fields),                                             \
     .doc = "Whether changed resources need a restart."},                                                              \
    {"restartPolicy", F_STR, .oneof = ONE_OF("Always", "Never", "OnFailure"),                                          \
     .doc = "Always makes an init container a sidecar."},                                                              \
    {"restartPolicyRules", F_LIST, OPT, LIST_OF(container_restart_rule_fields),                                        \
     .doc = "Exceptions from the restart policy by exit code."},                                                       \
    {"volumeMounts", F_LIST, OPT, LIST_OF(volume_mount_fields), .merge_key = "mountPath", .list_keys = "mountPath",    \
     .doc = "Where the pod's volumes appear in the container."},                                                       \
    {"volumeDevices", F_LIST, OPT, LIST_OF(volume_device_fields), .merge_key = "devicePath",                           \
     .list_keys = "devicePath",                                                                                        \
     .doc = "Where block devices appear in the container."},                                                           \
    {"livenessProbe", F_OBJECT, .sub = probe_fields, .doc = "Failing restarts the container."},                        \
    {"readinessProbe", F_OBJECT, .sub = probe_fields, .doc = "Failing takes the pod out of its Services."},            \
    {"startupProbe", F_OBJECT, .sub = probe_fields, .doc = "The other probes wait until this one has succeeded."},     \
    {"lifecycle", F_OBJECT, .sub = lifecycle_fields, .doc = "What is done after the start and before the end."},       \
    {"terminationMessagePath", F_STR, OPT, .dflt = "\"/dev/termination-log\"",                                         \
     .doc = "File from which the container's last words are read."},                                                   \
    {"terminationMessagePolicy", F_STR, OPT, .dflt = "\"File\"", .oneof = ONE_OF("FallbackToLogsOnError", "File"),     \
     .doc = "File, or FallbackToLogsOnError to use the end of the log after a failure."},                              \
    {"imagePullPolicy", F_STR, OPT, .oneof = ONE_OF("Always", "IfNotPresent", "Never"),                                \
     .doc = "Always, Never or IfNotPresent; Always for the tag latest, else IfNotPresent."},                           \
    {"securityContext", F_OBJECT, .sub = security_context_fields,                                                      \
     .doc = "Security settings; they win over the pod's."},                                                            \
    {"stdin", F_BOOL, OPT, .doc = "Keeps standard input open for attaching."},                                         \
    {"stdinOnce", F_BOOL, OPT, .doc = "Closes standard input after the first attach ends."},                           \
    {"tty", F_BOOL, OPT, .doc = "Gives the container a terminal."}
/* clang-format on */

const struct field container_fields[] = {
    CONTAINER_MEMBERS,
    {0},
};

const struct field ephemeral_container_fields[] = {
    CONTAINER_MEMBERS,
    {"targetContainerName", F_STR, OPT, .doc = "Container whose processes this one sees."},
    {0},
};
