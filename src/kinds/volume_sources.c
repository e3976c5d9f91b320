/* What PersistentVolumes lie on. Unlike the volumes of pods (volumes_plugins.c) these name Secrets of any namespace. */
#include "kinds/fields.h"

static const struct field secret_fields[] = {
    {"name", F_STR, OPT, .doc = "Name of the Secret."},
    {"namespace", F_STR, OPT, .doc = "Its namespace."},
    {0},
};
#define SECRET(member)                                                                                                 \
    {                                                                                                                  \
        member, F_OBJECT, ATOMIC, .sub = secret_fields, .doc = "Secret with the credentials."                          \
    }

const struct field persistent_glusterfs_fields[] = {
    {"endpoints", F_STR, REQ}, {"path", F_STR, REQ}, {"readOnly", F_BOOL, OPT}, {"endpointsNamespace", F_STR}, {0},
};

const struct field persistent_rbd_fields[] = {
    {"monitors", F_LIST, REQ | NONEMPTY | ATOMIC, STRINGS},
    {"image", F_STR, REQ},
    {"fsType", F_STR, OPT},
    {"pool", F_STR, OPT, .dflt = "\"rbd\""},
    {"user", F_STR, OPT, .dflt = "\"admin\""},
    {"keyring", F_STR, OPT, .dflt = "\"/etc/ceph/keyring\""},
    SECRET("secretRef"),
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field persistent_iscsi_fields[] = {
    {"targetPortal", F_STR, REQ},
    {"iqn", F_STR, REQ},
    {"lun", F_INT, .max = 255},
    {"iscsiInterface", F_STR, OPT, .dflt = "\"default\""},
    {"fsType", F_STR, OPT},
    {"readOnly", F_BOOL, OPT},
    {"portals", F_LIST, OPT | ATOMIC, STRINGS},
    {"chapAuthDiscovery", F_BOOL, OPT},
    {"chapAuthSession", F_BOOL, OPT},
    SECRET("secretRef"),
    {"initiatorName", F_STR},
    {0},
};

const struct field persistent_cinder_fields[] = {
    {"volumeID", F_STR, REQ}, {"fsType", F_STR, OPT}, {"readOnly", F_BOOL, OPT}, SECRET("secretRef"), {0},
};

const struct field persistent_cephfs_fields[] = {
    {"monitors", F_LIST, REQ | NONEMPTY | ATOMIC, STRINGS},
    {"path", F_STR, OPT},
    {"user", F_STR, OPT},
    {"secretFile", F_STR, OPT},
    SECRET("secretRef"),
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field persistent_flex_fields[] = {
    {"driver", F_STR, REQ},    {"fsType", F_STR, OPT},           SECRET("secretRef"),
    {"readOnly", F_BOOL, OPT}, {"options", F_MAP, OPT, STRINGS}, {0},
};

const struct field persistent_azure_file_fields[] = {
    {"secretName", F_STR, REQ}, {"shareName", F_STR, REQ}, {"readOnly", F_BOOL, OPT}, {"secretNamespace", F_STR}, {0},
};

const struct field persistent_scaleio_fields[] = {
    {"gateway", F_STR, REQ},
    {"system", F_STR, REQ},
    SECRET("secretRef"),
    {"sslEnabled", F_BOOL, OPT},
    {"protectionDomain", F_STR, OPT},
    {"storagePool", F_STR, OPT},
    {"storageMode", F_STR, OPT, .dflt = "\"ThinProvisioned\""},
    {"volumeName", F_STR, OPT},
    {"fsType", F_STR, OPT, .dflt = "\"xfs\""},
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field persistent_storageos_fields[] = {
    {"volumeName", F_STR, OPT},
    {"volumeNamespace", F_STR, OPT},
    {"fsType", F_STR, OPT},
    {"readOnly", F_BOOL, OPT},
    {"secretRef", F_OBJECT, ATOMIC, .sub = object_reference_fields},
    {0},
};

const struct field local_volume_fields[] = {
    {"path", F_STR, REQ, .doc = "Directory or block device on the node."},
    {"fsType", F_STR, .doc = "File system, for a block device."},
    {0},
};

const struct field persistent_csi_fields[] = {
    {"driver", F_STR, REQ, .doc = "Name of the driver."},
    {"volumeHandle", F_STR, REQ, .doc = "What the driver calls the volume."},
    {"readOnly", F_BOOL, OPT, .doc = "Mounts it read-only."},
    {"fsType", F_STR, OPT, .doc = "File system."},
    {"volumeAttributes", F_MAP, OPT, STRINGS, .doc = "What the driver wants to know."},
    SECRET("controllerPublishSecretRef"),
    SECRET("nodeStageSecretRef"),
    SECRET("nodePublishSecretRef"),
    SECRET("controllerExpandSecretRef"),
    SECRET("nodeExpandSecretRef"),
    {0},
};
