/* Environment variables and where their values come from. */
#include "kinds/checks.h"
#include "kinds/fields.h"

const struct field object_field_selector_fields[] = {
    {"apiVersion", F_STR, OPT, .dflt = "\"v1\"", .doc = "Version in which the path is meant."},
    {"fieldPath", F_STR, REQ, .doc = "Path of the field, such as metadata.name."},
    {0},
};

const struct field resource_field_selector_fields[] = {
    {"containerName", F_STR, OPT, .doc = "Container that is meant; in a volume it must be said."},
    {"resource", F_STR, REQ, .doc = "Resource, such as limits.cpu."},
    {"divisor", F_QUANTITY, .doc = "Unit in which the number is given."},
    {0},
};

static const struct field configmap_key_selector_fields[] = {
    {"name", F_STR, REQ, .doc = "Its name, in the same namespace."},
    {"key", F_STR, REQ, .check = check_data_key, .doc = "The key."},
    {"optional", F_BOOL, .doc = "Whether ConfigMap or key may be missing."},
    {0},
};

static const struct field secret_key_selector_fields[] = {
    {"name", F_STR, REQ, .doc = "Its name, in the same namespace."},
    {"key", F_STR, REQ, .check = check_data_key, .doc = "The key."},
    {"optional", F_BOOL, .doc = "Whether Secret or key may be missing."},
    {0},
};

static const struct field file_key_selector_fields[] = {
    {"volumeName", F_STR, REQ, .check = check_dns_label, .doc = "Volume with the file."},
    {"path", F_STR, REQ, .doc = "Relative path of the file."},
    {"key", F_STR, REQ, .check = check_env_name, .doc = "Key in the file."},
    {"optional", F_BOOL, .dflt = "false", .doc = "Whether file or key may be missing."},
    {0},
};

static const struct field env_var_source_fields[] = {
    {"fieldRef", F_OBJECT, ATOMIC, .sub = object_field_selector_fields, .doc = "Field of the pod."},
    {"resourceFieldRef", F_OBJECT, ATOMIC, .sub = resource_field_selector_fields, .doc = "Resource of a container."},
    {"configMapKeyRef", F_OBJECT, ATOMIC, .sub = configmap_key_selector_fields, .doc = "Key of a ConfigMap."},
    {"secretKeyRef", F_OBJECT, ATOMIC, .sub = secret_key_selector_fields, .doc = "Key of a Secret."},
    {"fileKeyRef", F_OBJECT, ATOMIC, .sub = file_key_selector_fields, .doc = "Key of a file in a volume."},
    {0},
};

const struct field env_var_fields[] = {
    {"name", F_STR, REQ, .check = check_env_name, .doc = "Name of the variable."},
    {"value", F_STR, OPT, .doc = "Value; $(NAME) refers to variables before it."},
    {"valueFrom", F_OBJECT, .sub = env_var_source_fields, .doc = "Where the value comes from instead."},
    {0},
};

static const struct field configmap_env_source_fields[] = {
    {"name", F_STR, REQ, .doc = "Its name, in the same namespace."},
    {"optional", F_BOOL, .doc = "Whether the ConfigMap may be missing."},
    {0},
};

static const struct field secret_env_source_fields[] = {
    {"name", F_STR, REQ, .doc = "Its name, in the same namespace."},
    {"optional", F_BOOL, .doc = "Whether the Secret may be missing."},
    {0},
};

const struct field env_from_source_fields[] = {
    {"prefix", F_STR, OPT, .check = check_env_name, .doc = "Put before every key."},
    {"configMapRef", F_OBJECT, .sub = configmap_env_source_fields, .doc = "The ConfigMap."},
    {"secretRef", F_OBJECT, .sub = secret_env_source_fields, .doc = "The Secret."},
    {0},
};
