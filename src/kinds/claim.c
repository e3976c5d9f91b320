/* PersistentVolumeClaims, as objects and inside of pods and StatefulSets. Rules:
 * pkg/apis/core/validation/validation.go. */
#include <string.h>

#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"
#include "kinds/storage.h"

static const struct field volume_resource_requirements_fields[] = {
    {"limits", F_MAP, OPT, QUANTITIES, .doc = "Largest size."},
    {"requests", F_MAP, OPT, QUANTITIES, .doc = "Smallest size."},
    {0},
};

static const struct field claim_spec_fields[] = {
    {"accessModes", F_LIST, OPT | ATOMIC, STRINGS, .doc = "How the volume may be mounted."},
    {"selector", F_OBJECT, ATOMIC, .sub = label_selector_fields, .doc = "Labels of the volumes that may be bound."},
    {"resources", F_OBJECT, .sub = volume_resource_requirements_fields, .dflt = "{}", .doc = "How large it must be."},
    {"volumeName", F_STR, OPT, .doc = "Volume that is bound."},
    {"storageClassName", F_STR, .doc = "StorageClass that provides the volume."},
    {"volumeMode", F_STR, .dflt = "\"Filesystem\"", .oneof = ONE_OF("Block", "Filesystem"),
     .doc = "Filesystem or Block."},
    {"dataSource", F_OBJECT, ATOMIC, .sub = typed_local_object_reference_fields,
     .doc = "What the volume is filled from."},
    {"dataSourceRef", F_OBJECT, .sub = typed_object_reference_fields,
     .doc = "What the volume is filled from, any kind."},
    {"volumeAttributesClassName", F_STR, .doc = "VolumeAttributesClass of the volume."},
    {0},
};

const struct field claim_template_fields[] = {
    {"metadata", F_OBJECT, .sub = meta_fields, .dflt = "{}", .doc = "Labels and annotations of the claim."},
    {"spec", F_OBJECT, REQ, .sub = claim_spec_fields, .doc = "The claim."},
    {0},
};

static const struct field condition_row_fields[] = {
    {"type", F_STR, .doc = "Resizing, FileSystemResizePending and the like."},
    {"status", F_STR, .doc = "True, False or Unknown."},
    {"lastProbeTime", F_TIME, .doc = "When it was last checked."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field modify_fields[] = {
    {"targetVolumeAttributesClassName", F_STR, OPT, .doc = "VolumeAttributesClass it gets."},
    {"status", F_STR, .doc = "Pending, InProgress or Infeasible."},
    {0},
};

static const struct field status_fields[] = {
    {"phase", F_STR, OPT, .doc = "Pending, Bound or Lost."},
    {"accessModes", F_LIST, OPT | ATOMIC, STRINGS, .doc = "How the bound volume may be mounted."},
    {"capacity", F_MAP, OPT, QUANTITIES, .doc = "How large the bound volume is."},
    FIELD_CONDITIONS(condition_row_fields, "What is being done to it."),
    {"allocatedResources", F_MAP, OPT, QUANTITIES, .doc = "How large it is being made."},
    {"allocatedResourceStatuses", F_MAP, OPT, STRINGS, .doc = "How far that is."},
    {"currentVolumeAttributesClassName", F_STR, .doc = "VolumeAttributesClass it has."},
    {"modifyVolumeStatus", F_OBJECT, .sub = modify_fields, .doc = "Change to another VolumeAttributesClass."},
    {0},
};

/* In StatefulSets claims are whole objects, with the members that elsewhere only the object as a whole has. */
const struct field claim_fields[] = {
    {"apiVersion", F_STR, OPT, .doc = "Version of the schema: v1."},
    {"kind", F_STR, OPT, .doc = "PersistentVolumeClaim."},
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = claim_spec_fields, .dflt = "{}", .doc = "The volume that is wanted."},
    {"status", F_OBJECT, .sub = status_fields, .dflt = "{}", .doc = "What was last observed."},
    {0},
};

/* --- columns --- */

CELL_TEXT(cell_volume, "spec.volumeName", "");
CELL_TEXT(cell_class, "spec.storageClassName", "");

static json_t *cell_status(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return volume_phase_cell(obj);
}

static json_t *cell_capacity(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return *jstr_or(obj, "spec.volumeName", "") ? cell_text(obj, "status.capacity.storage", "") : json_string("");
}

static json_t *cell_modes(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return access_modes_cell(*jstr_or(obj, "spec.volumeName", "") ? jget(obj, "status.accessModes") : NULL);
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Status", "string", "", 0, cell_status},
    {"Volume", "string", "", 0, cell_volume},
    {"Capacity", "string", "", 0, cell_capacity},
    {"Access Modes", "string", "", 0, cell_modes},
    {"StorageClass", "string", "", 0, cell_class},
    {"VolumeAttributesClass", "string", "", 0, cell_attributes_class},
    {"Age", "string", "", 0, cell_age},
    {"VolumeMode", "string", "", 1, cell_volume_mode},
    {0},
};

/* --- rules --- */

/* A claim may be bound, given its class, and grow. */
static bool may_become(const json_t *old, const json_t *new)
{
    static const char *const free_members[] = {"resources", "volumeAttributesClassName"};
    static const char *const once[] = {"volumeName", "storageClassName"};
    _cleanup_json_ json_t *a = json_deep_copy(old), *b = json_deep_copy(new);
    for (size_t i = 0; i < 2; i++) {
        json_object_del(a, free_members[i]);
        json_object_del(b, free_members[i]);
        if (!json_object_get(a, once[i]))
            json_object_del(b, once[i]);
    }
    return json_equal(a, b);
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    const json_t *spec = jget(obj, "spec"), *modes = jget(spec, "accessModes"), *class = jget(spec, "storageClassName");
    const char *size = jstr(spec, "resources.requests.storage"),
               *had = old ? jstr(old, "spec.resources.requests.storage") : NULL;
    struct quantity q, before;
    if (!json_array_size(modes))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "at least 1 access mode is required", "spec.accessModes");
    access_modes_validate(modes, causes);
    rule_label_selector(causes, jget(spec, "selector"), "spec.selector");
    if (!size)
        rule_broken(causes, CAUSE_REQUIRED, NULL, "", "spec.resources[storage]");
    else if (quantity_parse(size, &q) && q.nano <= 0)
        rule_broken_text(causes, CAUSE_INVALID, size, "must be greater than zero", "spec.resources[storage]");
    if (class && *json_string_value(class))
        rule_check_text(causes, check_dns_subdomain, json_string_value(class), "spec.storageClassName");
    if (!old)
        return;
    if (!may_become(jget(old, "spec"), spec))
        rule_broken(
            causes, CAUSE_FORBIDDEN, NULL,
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
            "claims",
            "spec");
    else if (size && had && quantity_parse(size, &q) && quantity_parse(had, &before) && q.nano < before.nano)
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, "field can not be less than status.capacity",
                    "spec.resources.requests.storage");
}

static void prepare(json_t *obj, const json_t *old)
{
    if (!old)
        jset_str(obj, "status.phase", "Pending");
}

const struct kind kind_persistentvolumeclaim = {
    .group = "",
    .version = "v1",
    .kind = "PersistentVolumeClaim",
    .plural = "persistentvolumeclaims",
    .singular = "persistentvolumeclaim",
    .list_kind = "PersistentVolumeClaimList",
    .short_names = (const char *const[]){"pvc", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = claim_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .prepare = prepare,
    .validate = validate,
};
