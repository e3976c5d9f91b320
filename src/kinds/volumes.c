/* What a pod can mount. */
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/storage.h"

const struct field host_path_volume_fields[] = {
    {"path", F_STR, REQ, .doc = "Path on the node."},
    {"type", F_STR, .dflt = "\"\"",
     .oneof =
         ONE_OF("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"),
     .doc = "What must be found at the path, or is made there; empty: no check."},
    {0},
};

static const struct field emptydir_volume_fields[] = {
    {"medium", F_STR, OPT, .doc = "Memory for a tmpfs, empty for the node's disk."},
    {"sizeLimit", F_QUANTITY, .doc = "Most that may be stored."},
    {0},
};

static const struct field key_to_path_fields[] = {
    {"key", F_STR, REQ, .doc = "Key in the data."},
    {"path", F_STR, REQ, .doc = "Relative path of the file."},
    {"mode", F_INT, .doc = "Permission bits of this file."},
    {0},
};

static const struct field secret_volume_fields[] = {
    {"secretName", F_STR, REQ, .doc = "Name of the Secret."},
    {"items", F_LIST, OPT, LIST_OF(key_to_path_fields),
     .doc = "Keys to be shown and their paths; all keys if missing."},
    {"defaultMode", F_INT, .dflt = "420", .doc = "Permission bits of the files."},
    {"optional", F_BOOL, .doc = "Whether the Secret and its keys may be missing."},
    {0},
};

static const struct field configmap_volume_fields[] = {
    {"name", F_STR, REQ, .doc = "Its name, in the same namespace."},
    {"items", F_LIST, OPT, LIST_OF(key_to_path_fields),
     .doc = "Keys to be shown and their paths; all keys if missing."},
    {"defaultMode", F_INT, .dflt = "420", .doc = "Permission bits of the files."},
    {"optional", F_BOOL, .doc = "Whether the ConfigMap and its keys may be missing."},
    {0},
};

static const struct field downward_api_volume_file_fields[] = {
    {"path", F_STR, REQ, .doc = "Relative path of the file."},
    {"fieldRef", F_OBJECT, ATOMIC, .sub = object_field_selector_fields,
     .doc = "Field of the pod that is the contents."},
    {"resourceFieldRef", F_OBJECT, ATOMIC, .sub = resource_field_selector_fields,
     .doc = "Resource of a container that is the contents."},
    {"mode", F_INT, .doc = "Permission bits of this file."},
    {0},
};

static const struct field downward_api_volume_fields[] = {
    {"items", F_LIST, OPT, LIST_OF(downward_api_volume_file_fields), .doc = "The files."},
    {"defaultMode", F_INT, .dflt = "420", .doc = "Permission bits of the files."},
    {0},
};

static const struct field secret_projection_fields[] = {
    {"name", F_STR, REQ, .doc = "Its name, in the same namespace."},
    {"items", F_LIST, OPT, LIST_OF(key_to_path_fields)},
    {"optional", F_BOOL},
    {0},
};

static const struct field configmap_projection_fields[] = {
    {"name", F_STR, REQ, .doc = "Its name, in the same namespace."},
    {"items", F_LIST, OPT, LIST_OF(key_to_path_fields)},
    {"optional", F_BOOL},
    {0},
};

static const struct field downward_api_projection_fields[] = {
    {"items", F_LIST, OPT, LIST_OF(downward_api_volume_file_fields)},
    {0},
};

static const struct field service_account_token_projection_fields[] = {
    {"audience", F_STR, OPT, .doc = "For whom the token is meant."},
    {"expirationSeconds", F_INT64, .dflt = "3600", .min = 600, .max = 4294967296,
     .doc = "Seconds for which the token is valid."},
    {"path", F_STR, REQ, .doc = "Relative path of the file."},
    {0},
};

static const struct field cluster_trust_bundle_projection_fields[] = {
    {"name", F_STR},      {"signerName", F_STR}, {"labelSelector", F_OBJECT, ATOMIC, .sub = label_selector_fields},
    {"optional", F_BOOL}, {"path", F_STR, REQ},  {0},
};

static const struct field pod_certificate_projection_fields[] = {
    {"signerName", F_STR, REQ},
    {"keyType", F_STR, REQ},
    {"maxExpirationSeconds", F_INT},
    {"credentialBundlePath", F_STR, OPT},
    {"keyPath", F_STR, OPT},
    {"certificateChainPath", F_STR, OPT},
    {"userAnnotations", F_MAP, OPT, STRINGS},
    {0},
};

static const struct field volume_projection_fields[] = {
    {"secret", F_OBJECT, .sub = secret_projection_fields, .doc = "Contents of a Secret."},
    {"downwardAPI", F_OBJECT, .sub = downward_api_projection_fields, .doc = "Facts about the pod."},
    {"configMap", F_OBJECT, .sub = configmap_projection_fields, .doc = "Contents of a ConfigMap."},
    {"serviceAccountToken", F_OBJECT, .sub = service_account_token_projection_fields,
     .doc = "Token of the pod's ServiceAccount."},
    {"clusterTrustBundle", F_OBJECT, .sub = cluster_trust_bundle_projection_fields,
     .doc = "Certificates of a ClusterTrustBundle."},
    {"podCertificate", F_OBJECT, .sub = pod_certificate_projection_fields,
     .doc = "Key and certificate made for the pod."},
    {0},
};

static const struct field projected_volume_fields[] = {
    {"sources", F_LIST, LIST_OF(volume_projection_fields), .doc = "What is shown in the directory."},
    {"defaultMode", F_INT, .dflt = "420", .doc = "Permission bits of the files."},
    {0},
};

static const struct field claim_volume_fields[] = {
    {"claimName", F_STR, REQ, .doc = "Name of the PersistentVolumeClaim."},
    {"readOnly", F_BOOL, OPT, .doc = "Mounts it read-only everywhere."},
    {0},
};

static const struct field ephemeral_volume_fields[] = {
    {"volumeClaimTemplate", F_OBJECT, REQ, .sub = claim_template_fields, .doc = "The claim to be made."},
    {0},
};

static const struct field csi_volume_fields[] = {
    {"driver", F_STR, REQ, .doc = "Name of the driver."},
    {"readOnly", F_BOOL},
    {"fsType", F_STR},
    {"volumeAttributes", F_MAP, OPT, STRINGS},
    {"nodePublishSecretRef", F_OBJECT, ATOMIC, .sub = local_reference_fields},
    {0},
};

static const struct field image_volume_fields[] = {
    {"reference", F_STR, OPT, .doc = "Name of the image."},
    {"pullPolicy", F_STR, OPT, .oneof = ONE_OF("Always", "IfNotPresent", "Never"), .doc = "When the image is fetched."},
    {0},
};

const struct field nfs_volume_fields[] = {
    {"server", F_STR, REQ, .doc = "Name or address of the server."},
    {"path", F_STR, REQ, .doc = "Path that the server exports."},
    {"readOnly", F_BOOL, OPT, .doc = "Mounts it read-only."},
    {0},
};

const struct field volume_fields[] = {
    {"name", F_STR, REQ, .check = check_dns_label, .doc = "Name by which containers mount the volume."},
    {"hostPath", F_OBJECT, .sub = host_path_volume_fields, .doc = "File or directory of the node."},
    {"emptyDir", F_OBJECT, .sub = emptydir_volume_fields, .doc = "Directory that lives as long as the pod."},
    {"gcePersistentDisk", F_OBJECT, .sub = gce_persistent_disk_volume_fields, .doc = "GCE disk (deprecated)."},
    {"awsElasticBlockStore", F_OBJECT, .sub = aws_elastic_block_store_volume_fields,
     .doc = "AWS EBS disk (deprecated)."},
    {"gitRepo", F_OBJECT, .sub = gitrepo_volume_fields, .doc = "Clone of a git repository (deprecated)."},
    {"secret", F_OBJECT, .sub = secret_volume_fields, .doc = "Files with the contents of a Secret."},
    {"nfs", F_OBJECT, .sub = nfs_volume_fields, .doc = "NFS export."},
    {"iscsi", F_OBJECT, .sub = iscsi_volume_fields, .doc = "iSCSI disk."},
    {"glusterfs", F_OBJECT, .sub = glusterfs_volume_fields, .doc = "Gluster volume (deprecated)."},
    {"persistentVolumeClaim", F_OBJECT, .sub = claim_volume_fields, .doc = "Volume bound to a claim of the namespace."},
    {"rbd", F_OBJECT, .sub = rbd_volume_fields, .doc = "Ceph block device (deprecated)."},
    {"flexVolume", F_OBJECT, .sub = flex_volume_fields, .doc = "Volume of an exec-based driver (deprecated)."},
    {"cinder", F_OBJECT, .sub = cinder_volume_fields, .doc = "OpenStack disk (deprecated)."},
    {"cephfs", F_OBJECT, .sub = cephfs_volume_fields, .doc = "Ceph file system (deprecated)."},
    {"flocker", F_OBJECT, .sub = flocker_volume_fields, .doc = "Flocker volume (deprecated)."},
    {"downwardAPI", F_OBJECT, .sub = downward_api_volume_fields, .doc = "Files with facts about the pod."},
    {"fc", F_OBJECT, .sub = fc_volume_fields, .doc = "Fibre Channel disk."},
    {"azureFile", F_OBJECT, .sub = azure_file_volume_fields, .doc = "Azure file share (deprecated)."},
    {"configMap", F_OBJECT, .sub = configmap_volume_fields, .doc = "Files with the contents of a ConfigMap."},
    {"vsphereVolume", F_OBJECT, .sub = vsphere_virtual_disk_volume_fields, .doc = "vSphere disk (deprecated)."},
    {"quobyte", F_OBJECT, .sub = quobyte_volume_fields, .doc = "Quobyte volume (deprecated)."},
    {"azureDisk", F_OBJECT, .sub = azure_disk_volume_fields, .doc = "Azure disk (deprecated)."},
    {"photonPersistentDisk", F_OBJECT, .sub = photon_persistent_disk_volume_fields, .doc = "Photon disk (deprecated)."},
    {"projected", F_OBJECT, .sub = projected_volume_fields, .doc = "Several sources in one directory."},
    {"portworxVolume", F_OBJECT, .sub = portworx_volume_fields, .doc = "Portworx volume (deprecated)."},
    {"scaleIO", F_OBJECT, .sub = scaleio_volume_fields, .doc = "ScaleIO volume (deprecated)."},
    {"storageos", F_OBJECT, .sub = storageos_volume_fields, .doc = "StorageOS volume (deprecated)."},
    {"csi", F_OBJECT, .sub = csi_volume_fields, .doc = "Volume of a CSI driver that lives as long as the pod."},
    {"ephemeral", F_OBJECT, .sub = ephemeral_volume_fields, .doc = "Claim made for, and deleted with, the pod."},
    {"image", F_OBJECT, .sub = image_volume_fields, .doc = "Contents of an OCI image or artifact."},
    {0},
};
