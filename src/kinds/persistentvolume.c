/* PersistentVolumes: storage that outlives pods. Rules: pkg/apis/core/validation/validation.go. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"
#include "kinds/storage.h"

static const struct field node_affinity_fields[] = {
    {"required", F_OBJECT, ATOMIC, .sub = node_selector_fields, .doc = "Which nodes can reach the volume."},
    {0},
};

/* The sources come first, so that the rules find them. */
const struct field persistent_volume_spec_fields[] = {
    {"gcePersistentDisk", F_OBJECT, .sub = gce_persistent_disk_volume_fields, .doc = "GCE disk (deprecated)."},
    {"awsElasticBlockStore", F_OBJECT, .sub = aws_elastic_block_store_volume_fields, .doc = "AWS disk (deprecated)."},
    {"hostPath", F_OBJECT, .sub = host_path_volume_fields, .doc = "Directory of the node."},
    {"glusterfs", F_OBJECT, .sub = persistent_glusterfs_fields, .doc = "Gluster volume (deprecated)."},
    {"nfs", F_OBJECT, .sub = nfs_volume_fields, .doc = "NFS export."},
    {"rbd", F_OBJECT, .sub = persistent_rbd_fields, .doc = "Ceph block device (deprecated)."},
    {"iscsi", F_OBJECT, .sub = persistent_iscsi_fields, .doc = "iSCSI disk."},
    {"cinder", F_OBJECT, .sub = persistent_cinder_fields, .doc = "OpenStack disk (deprecated)."},
    {"cephfs", F_OBJECT, .sub = persistent_cephfs_fields, .doc = "Ceph file system (deprecated)."},
    {"fc", F_OBJECT, .sub = fc_volume_fields, .doc = "Fibre Channel disk."},
    {"flocker", F_OBJECT, .sub = flocker_volume_fields, .doc = "Flocker volume (deprecated)."},
    {"flexVolume", F_OBJECT, .sub = persistent_flex_fields, .doc = "Volume of an exec-based driver (deprecated)."},
    {"azureFile", F_OBJECT, .sub = persistent_azure_file_fields, .doc = "Azure file share (deprecated)."},
    {"vsphereVolume", F_OBJECT, .sub = vsphere_virtual_disk_volume_fields, .doc = "vSphere disk (deprecated)."},
    {"quobyte", F_OBJECT, .sub = quobyte_volume_fields, .doc = "Quobyte volume (deprecated)."},
    {"azureDisk", F_OBJECT, .sub = azure_disk_volume_fields, .doc = "Azure disk (deprecated)."},
    {"photonPersistentDisk", F_OBJECT, .sub = photon_persistent_disk_volume_fields, .doc = "Photon disk (deprecated)."},
    {"portworxVolume", F_OBJECT, .sub = portworx_volume_fields, .doc = "Portworx volume (deprecated)."},
    {"scaleIO", F_OBJECT, .sub = persistent_scaleio_fields, .doc = "ScaleIO volume (deprecated)."},
    {"local", F_OBJECT, .sub = local_volume_fields, .doc = "Directory or disk of one node; nodeAffinity says which."},
    {"storageos", F_OBJECT, .sub = persistent_storageos_fields, .doc = "StorageOS volume (deprecated)."},
    {"csi", F_OBJECT, .sub = persistent_csi_fields, .doc = "Volume of a CSI driver."},
    {"capacity", F_MAP, OPT, QUANTITIES, .doc = "How large it is."},
    {"accessModes", F_LIST, OPT | ATOMIC, STRINGS, .doc = "How the volume may be mounted."},
    {"claimRef", F_OBJECT, .sub = object_reference_fields, .doc = "Claim that it is bound to, or kept for."},
    {"persistentVolumeReclaimPolicy", F_STR, OPT, .dflt = "\"Retain\"", .oneof = ONE_OF("Delete", "Recycle", "Retain"),
     .doc = "What becomes of it after its claim: Retain, Delete or Recycle (deprecated)."},
    {"storageClassName", F_STR, OPT, .doc = "StorageClass it belongs to; empty: none."},
    {"mountOptions", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Further options of mount."},
    {"volumeMode", F_STR, IMMUT, .dflt = "\"Filesystem\"", .oneof = ONE_OF("Block", "Filesystem"),
     .doc = "Filesystem or Block."},
    {"nodeAffinity", F_OBJECT, .sub = node_affinity_fields, .doc = "Where the volume can be reached."},
    {"volumeAttributesClassName", F_STR, .doc = "VolumeAttributesClass of the volume."},
    {0},
};

static const struct field status_fields[] = {
    {"phase", F_STR, OPT, .doc = "Pending, Available, Bound, Released or Failed."},
    {"message", F_STR, OPT, .doc = "Why, for a person."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"lastPhaseTransitionTime", F_TIME, .doc = "When the phase last changed."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = persistent_volume_spec_fields, .dflt = "{}", .doc = "The storage and who may have it."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

/* --- columns --- */

json_t *access_modes_cell(const json_t *modes)
{
    static const struct {
        const char *mode, *shown;
    } all[] = {
        {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
    struct buf text = BUF_INIT(0);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t j = 0; j < json_array_size(modes); j++)
            if (streq(all[i].mode, json_string_value(json_array_get(modes, j)) ?: "")) {
                buf_addf(&text, "%s%s", text.len ? "," : "", all[i].shown);
                break;
            }
    json_t *cell = json_string(buf_str(&text));
    buf_done(&text);
    return cell;
}

json_t *volume_phase_cell(const json_t *obj)
{
    return jget(obj, "metadata.deletionTimestamp") ? json_string("Terminating") : cell_text(obj, "status.phase", "");
}

json_t *cell_volume_mode(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_text(obj, "spec.volumeMode", "<unset>");
}

json_t *cell_attributes_class(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_text(obj, "spec.volumeAttributesClassName", "<unset>");
}

CELL_TEXT(cell_capacity, "spec.capacity.storage", "");
CELL_TEXT(cell_reclaim, "spec.persistentVolumeReclaimPolicy", "");
CELL_TEXT(cell_class, "spec.storageClassName", "");
CELL_TEXT(cell_reason, "status.reason", "");

static json_t *cell_modes(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return access_modes_cell(jget(obj, "spec.accessModes"));
}

static json_t *cell_status(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return volume_phase_cell(obj);
}

static json_t *cell_claim(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *claim = jget(obj, "spec.claimRef");
    return claim ? json_sprintf("%s/%s", jstr_or(claim, "namespace", ""), jstr_or(claim, "name", "")) : json_string("");
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Capacity", "string", "", 0, cell_capacity},
    {"Access Modes", "string", "", 0, cell_modes},
    {"Reclaim Policy", "string", "", 0, cell_reclaim},
    {"Status", "string", "", 0, cell_status},
    {"Claim", "string", "", 0, cell_claim},
    {"StorageClass", "string", "", 0, cell_class},
    {"VolumeAttributesClass", "string", "", 0, cell_attributes_class},
    {"Reason", "string", "", 0, cell_reason},
    {"Age", "string", "", 0, cell_age},
    {"VolumeMode", "string", "", 1, cell_volume_mode},
    {0},
};

/* --- rules --- */

void access_modes_validate(const json_t *modes, struct status_causes *c)
{
    static const char *const known[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};
    bool alone = false;
    for (size_t i = 0; i < json_array_size(modes); i++) {
        const char *mode = json_string_value(json_array_get(modes, i)) ?: "";
        size_t k = 0;
        while (k < ARRAY_LEN(known) && !streq(known[k], mode))
            k++;
        if (k == ARRAY_LEN(known))
            rule_broken_text(c, CAUSE_NOT_SUPPORTED, mode,
                             "supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", "
                             "\"ReadWriteOncePod\"",
                             "spec.accessModes");
        alone |= streq(mode, "ReadWriteOncePod");
    }
    if (alone && json_array_size(modes) > 1)
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not use ReadWriteOncePod with other access modes",
                    "spec.accessModes");
}

static bool is_source(const struct field *f)
{
    return f->type == F_OBJECT && !streq(f->name, "claimRef") && !streq(f->name, "nodeAffinity");
}

static bool differ(const json_t *a, const json_t *b)
{
    return a && b ? !json_equal((json_t *)a, (json_t *)b) : a != b;
}

static void check_sources(struct status_causes *c, const json_t *spec, const json_t *old)
{
    size_t n = 0;
    bool changed = false;
    for (const struct field *f = persistent_volume_spec_fields; f->name; f++) {
        if (!is_source(f))
            continue;
        if (jget(spec, f->name) && n++ > 0)
            rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not specify more than 1 volume type", "spec.%s", f->name);
        changed |= old && differ(jget(spec, f->name), jget(old, f->name));
    }
    if (n == 0)
        rule_broken(c, CAUSE_REQUIRED, NULL, "must specify a volume type", "spec");
    if (changed)
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "spec.persistentvolumesource is immutable after creation",
                    "spec.persistentvolumesource");
}

static void check_capacity(struct status_causes *c, const json_t *capacity)
{
    struct quantity q;
    const char *storage = jstr(capacity, "storage");
    if (!json_object_size(capacity))
        rule_broken(c, CAUSE_REQUIRED, NULL, "", "spec.capacity");
    else if (!storage || json_object_size(capacity) > 1)
        rule_broken(c, CAUSE_NOT_SUPPORTED, capacity, "supported values: \"storage\"", "spec.capacity");
    else if (quantity_parse(storage, &q) && q.nano <= 0)
        rule_broken_text(c, CAUSE_INVALID, storage, "must be greater than zero", "spec.capacity[storage]");
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const json_t *spec = jget(obj, "spec");
    const char *path = jstr_or(spec, "hostPath.path", ""), *class = jstr_or(spec, "storageClassName", "");
    if (!json_array_size(jget(spec, "accessModes")))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "", "spec.accessModes");
    access_modes_validate(jget(spec, "accessModes"), causes);
    check_capacity(causes, jget(spec, "capacity"));
    check_sources(causes, spec, old ? jget(old, "spec") : NULL);
    if (jget(spec, "local") && !jget(spec, "nodeAffinity"))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "Local volume requires node affinity", "spec.nodeAffinity");
    if (streq(path, "/") && streq(jstr_or(spec, "persistentVolumeReclaimPolicy", ""), "Recycle"))
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, "may not be 'recycle' for a hostPath mount of '/'",
                    "spec.persistentVolumeReclaimPolicy");
    if (*class)
        rule_check_text(causes, check_dns_subdomain, class, "spec.storageClassName");
    if (old && jget(old, "spec.nodeAffinity") && differ(jget(spec, "nodeAffinity"), jget(old, "spec.nodeAffinity")))
        rule_broken(causes, CAUSE_INVALID, jget(spec, "nodeAffinity"), "field is immutable", "spec.nodeAffinity");
}

static void prepare(json_t *obj, const json_t *old)
{
    if (!old)
        jset_str(obj, "status.phase", "Pending");
}

const struct kind kind_persistentvolume = {
    .group = "",
    .version = "v1",
    .kind = "PersistentVolume",
    .plural = "persistentvolumes",
    .singular = "persistentvolume",
    .list_kind = "PersistentVolumeList",
    .short_names = (const char *const[]){"pv", NULL},
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .prepare = prepare,
    .validate = validate,
};
