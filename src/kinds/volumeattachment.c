/* VolumeAttachments: a volume that is to be attached to a node. Kept and shown. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"
#include "kinds/storage.h"

static const struct field source_fields[] = {
    {"persistentVolumeName", F_STR, .doc = "Name of the PersistentVolume."},
    {"inlineVolumeSpec", F_OBJECT, .sub = persistent_volume_spec_fields, .doc = "A volume of a pod, instead."},
    {0},
};

static const struct field spec_fields[] = {
    {"attacher", F_STR, REQ, .check = check_dns_subdomain, .doc = "Driver that attaches it."},
    {"source", F_OBJECT, REQ, .sub = source_fields, .doc = "The volume."},
    {"nodeName", F_STR, REQ, .check = check_dns_subdomain, .doc = "The node."},
    {0},
};

static const struct field error_fields[] = {
    {"time", F_TIME, .doc = "When it happened."},
    {"message", F_STR, OPT, .doc = "What happened."},
    {0},
};

static const struct field status_fields[] = {
    {"attached", F_BOOL, .dflt = "false", .doc = "Whether it is attached."},
    {"attachmentMetadata", F_MAP, OPT, STRINGS, .doc = "What the driver needs to know when it mounts."},
    {"attachError", F_OBJECT, .sub = error_fields, .doc = "What went wrong last while attaching."},
    {"detachError", F_OBJECT, .sub = error_fields, .doc = "What went wrong last while detaching."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, REQ, .sub = spec_fields, .doc = "What is to be attached, and where."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

CELL_TEXT(cell_attacher, "spec.attacher", "");
CELL_TEXT(cell_volume, "spec.source.persistentVolumeName", "");
CELL_TEXT(cell_node, "spec.nodeName", "");

static json_t *cell_attached(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_string(jbool(obj, "status.attached", false) ? "true" : "false");
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Attacher", "string", "", 0, cell_attacher},
    {"PV", "string", "", 0, cell_volume},
    {"Node", "string", "", 0, cell_node},
    {"Attached", "boolean", "", 0, cell_attached},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const json_t *source = jget(obj, "spec.source");
    const json_t *volume = jget(source, "persistentVolumeName"), *inlined = jget(source, "inlineVolumeSpec");
    if (!volume && !inlined)
        rule_broken(causes, CAUSE_REQUIRED, NULL,
                    "must specify exactly one of inlineVolumeSpec and persistentVolumeName", "spec.source");
    if (volume && inlined)
        rule_broken(causes, CAUSE_FORBIDDEN, NULL,
                    "must specify exactly one of inlineVolumeSpec and persistentVolumeName", "spec.source");
    if (old && !json_equal(jget(obj, "spec"), jget(old, "spec")))
        rule_broken(causes, CAUSE_INVALID, jget(obj, "spec"), "field is immutable", "spec");
}

const struct kind kind_volumeattachment = {
    .group = "storage.k8s.io",
    .version = "v1",
    .kind = "VolumeAttachment",
    .plural = "volumeattachments",
    .singular = "volumeattachment",
    .list_kind = "VolumeAttachmentList",
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .validate = validate,
};
