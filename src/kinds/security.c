/* Security settings of pods and containers. */
#include "kinds/fields.h"

static const struct field selinux_options_fields[] = {
    {"user", F_STR, OPT}, {"role", F_STR, OPT}, {"type", F_STR, OPT}, {"level", F_STR, OPT}, {0},
};

static const struct field windows_security_context_options_fields[] = {
    {"gmsaCredentialSpecName", F_STR},
    {"gmsaCredentialSpec", F_STR},
    {"runAsUserName", F_STR},
    {"hostProcess", F_BOOL},
    {0},
};

static const struct field seccomp_profile_fields[] = {
    {"type", F_STR, REQ, .oneof = ONE_OF("Localhost", "RuntimeDefault", "Unconfined"),
     .doc = "RuntimeDefault, Unconfined or Localhost."},
    {"localhostProfile", F_STR, .doc = "File of the profile for Localhost."},
    {0},
};

static const struct field app_armor_profile_fields[] = {
    {"type", F_STR, REQ, .oneof = ONE_OF("Localhost", "RuntimeDefault", "Unconfined"),
     .doc = "RuntimeDefault, Unconfined or Localhost."},
    {"localhostProfile", F_STR, .doc = "Name of a loaded profile for Localhost."},
    {0},
};

static const struct field capabilities_fields[] = {
    {"add", F_LIST, OPT, STRINGS, .doc = "Capabilities given."},
    {"drop", F_LIST, OPT, STRINGS, .doc = "Capabilities taken."},
    {0},
};

const struct field security_context_fields[] = {
    {"capabilities", F_OBJECT, .sub = capabilities_fields,
     .doc = "Capabilities given or taken beyond the runtime's set."},
    {"privileged", F_BOOL, .doc = "Gives the container the rights of root on the node."},
    {"seLinuxOptions", F_OBJECT, .sub = selinux_options_fields, .doc = "SELinux label."},
    {"windowsOptions", F_OBJECT, .sub = windows_security_context_options_fields,
     .doc = "Settings for Windows; without effect here."},
    {"runAsUser", F_INT64, .max = INT32_MAX, .doc = "User id of the process; the image's if missing."},
    {"runAsGroup", F_INT64, .max = INT32_MAX, .doc = "Group id of the process."},
    {"runAsNonRoot", F_BOOL, .doc = "Refuses to start as user 0."},
    {"readOnlyRootFilesystem", F_BOOL, .doc = "The root file system cannot be written."},
    {"allowPrivilegeEscalation", F_BOOL, .doc = "Whether a child may have more rights (no_new_privs unless true)."},
    {"procMount", F_STR, .oneof = ONE_OF("Default", "Unmasked"), .doc = "How /proc is masked."},
    {"seccompProfile", F_OBJECT, .sub = seccomp_profile_fields, .doc = "Filter of system calls."},
    {"appArmorProfile", F_OBJECT, .sub = app_armor_profile_fields, .doc = "AppArmor profile."},
    {0},
};

static const struct field sysctl_fields[] = {
    {"name", F_STR, REQ, .doc = "Name of the setting."},
    {"value", F_STR, .doc = "Value of the setting."},
    {0},
};

const struct field pod_security_context_fields[] = {
    {"seLinuxOptions", F_OBJECT, .sub = selinux_options_fields, .doc = "SELinux label."},
    {"windowsOptions", F_OBJECT, .sub = windows_security_context_options_fields,
     .doc = "Settings for Windows; without effect here."},
    {"runAsUser", F_INT64, .max = INT32_MAX, .doc = "User id of the processes."},
    {"runAsGroup", F_INT64, .max = INT32_MAX, .doc = "Group id of the processes."},
    {"runAsNonRoot", F_BOOL, .doc = "Refuses to start containers as user 0."},
    {"supplementalGroups", F_LIST, OPT, .sub = int64_item, .doc = "Further group ids of the processes."},
    {"supplementalGroupsPolicy", F_STR, .oneof = ONE_OF("Merge", "Strict"),
     .doc = "Whether groups of the image count as well."},
    {"fsGroup", F_INT64, .max = INT32_MAX, .doc = "Group that owns the volumes."},
    {"sysctls", F_LIST, OPT, LIST_OF(sysctl_fields), .doc = "Kernel settings of the pod's namespaces."},
    {"fsGroupChangePolicy", F_STR, .oneof = ONE_OF("Always", "OnRootMismatch"),
     .doc = "Whether ownership is always changed or only if the root differs."},
    {"seccompProfile", F_OBJECT, .sub = seccomp_profile_fields, .doc = "Filter of system calls."},
    {"appArmorProfile", F_OBJECT, .sub = app_armor_profile_fields, .doc = "AppArmor profile."},
    {"seLinuxChangePolicy", F_STR, .oneof = ONE_OF("MountOption", "Recursive"),
     .doc = "How volumes get their SELinux label."},
    {0},
};
