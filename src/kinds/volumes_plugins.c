/* Volumes of single products. c8s mounts none of them; the tables keep what a manifest says. */
#include "kinds/fields.h"

const struct field gce_persistent_disk_volume_fields[] = {
    {"pdName", F_STR, REQ}, {"fsType", F_STR, OPT}, {"partition", F_INT, OPT}, {"readOnly", F_BOOL, OPT}, {0},
};

const struct field aws_elastic_block_store_volume_fields[] = {
    {"volumeID", F_STR, REQ}, {"fsType", F_STR, OPT}, {"partition", F_INT, OPT}, {"readOnly", F_BOOL, OPT}, {0},
};

const struct field gitrepo_volume_fields[] = {
    {"repository", F_STR, REQ},
    {"revision", F_STR, OPT},
    {"directory", F_STR, OPT},
    {0},
};

const struct field iscsi_volume_fields[] = {
    {"targetPortal", F_STR, REQ},
    {"iqn", F_STR, REQ},
    {"lun", F_INT, .max = 255},
    {"iscsiInterface", F_STR, OPT, .dflt = "\"default\""},
    {"fsType", F_STR, OPT},
    {"readOnly", F_BOOL, OPT},
    {"portals", F_LIST, OPT, STRINGS},
    {"chapAuthDiscovery", F_BOOL, OPT},
    {"chapAuthSession", F_BOOL, OPT},
    {"secretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {"initiatorName", F_STR},
    {0},
};

const struct field glusterfs_volume_fields[] = {
    {"endpoints", F_STR, REQ},
    {"path", F_STR, REQ},
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field rbd_volume_fields[] = {
    {"monitors", F_LIST, REQ | NONEMPTY, STRINGS},
    {"image", F_STR, REQ},
    {"fsType", F_STR, OPT},
    {"pool", F_STR, OPT, .dflt = "\"rbd\""},
    {"user", F_STR, OPT, .dflt = "\"admin\""},
    {"keyring", F_STR, OPT, .dflt = "\"/etc/ceph/keyring\""},
    {"secretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field flex_volume_fields[] = {
    {"driver", F_STR, REQ},
    {"fsType", F_STR, OPT},
    {"secretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {"readOnly", F_BOOL, OPT},
    {"options", F_MAP, OPT, STRINGS},
    {0},
};

const struct field cinder_volume_fields[] = {
    {"volumeID", F_STR, REQ},
    {"fsType", F_STR, OPT},
    {"readOnly", F_BOOL, OPT},
    {"secretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {0},
};

const struct field cephfs_volume_fields[] = {
    {"monitors", F_LIST, REQ | NONEMPTY, STRINGS},
    {"path", F_STR, OPT},
    {"user", F_STR, OPT},
    {"secretFile", F_STR, OPT},
    {"secretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field flocker_volume_fields[] = {
    {"datasetName", F_STR, OPT},
    {"datasetUUID", F_STR, OPT},
    {0},
};

const struct field fc_volume_fields[] = {
    {"targetWWNs", F_LIST, OPT, STRINGS},
    {"lun", F_INT},
    {"fsType", F_STR, OPT},
    {"readOnly", F_BOOL, OPT},
    {"wwids", F_LIST, OPT, STRINGS},
    {0},
};

const struct field azure_file_volume_fields[] = {
    {"secretName", F_STR, REQ},
    {"shareName", F_STR, REQ},
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field vsphere_virtual_disk_volume_fields[] = {
    {"volumePath", F_STR, REQ},
    {"fsType", F_STR, OPT},
    {"storagePolicyName", F_STR, OPT},
    {"storagePolicyID", F_STR, OPT},
    {0},
};

const struct field quobyte_volume_fields[] = {
    {"registry", F_STR, REQ},
    {"volume", F_STR, REQ},
    {"readOnly", F_BOOL, OPT},
    {"user", F_STR, OPT},
    {"group", F_STR, OPT},
    {"tenant", F_STR, OPT},
    {0},
};

const struct field azure_disk_volume_fields[] = {
    {"diskName", F_STR, REQ},
    {"diskURI", F_STR, REQ},
    {"cachingMode", F_STR, .dflt = "\"ReadWrite\"", .oneof = ONE_OF("None", "ReadOnly", "ReadWrite")},
    {"fsType", F_STR, .dflt = "\"ext4\""},
    {"readOnly", F_BOOL, .dflt = "false"},
    {"kind", F_STR, .dflt = "\"Shared\"", .oneof = ONE_OF("Dedicated", "Managed", "Shared")},
    {0},
};

const struct field photon_persistent_disk_volume_fields[] = {
    {"pdID", F_STR, REQ},
    {"fsType", F_STR, OPT},
    {0},
};

const struct field portworx_volume_fields[] = {
    {"volumeID", F_STR, REQ},
    {"fsType", F_STR, OPT},
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field scaleio_volume_fields[] = {
    {"gateway", F_STR, REQ},
    {"system", F_STR, REQ},
    {"secretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {"sslEnabled", F_BOOL, OPT},
    {"protectionDomain", F_STR, OPT},
    {"storagePool", F_STR, OPT},
    {"storageMode", F_STR, OPT, .dflt = "\"ThinProvisioned\""},
    {"volumeName", F_STR, REQ},
    {"fsType", F_STR, OPT, .dflt = "\"xfs\""},
    {"readOnly", F_BOOL, OPT},
    {0},
};

const struct field storageos_volume_fields[] = {
    {"volumeName", F_STR, OPT},
    {"volumeNamespace", F_STR, OPT},
    {"fsType", F_STR, OPT},
    {"readOnly", F_BOOL, OPT},
    {"secretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {0},
};
