/* PersistentVolumeClaims inside of pods: the only place where volumes of their own kind appear so far. */
#include "kinds/fields.h"

static const struct field volume_resource_requirements_fields[] = {
    {"limits", F_MAP, OPT, QUANTITIES, .doc = "Largest size."},
    {"requests", F_MAP, OPT, QUANTITIES, .doc = "Smallest size."},
    {0},
};

static const struct field claim_spec_fields[] = {
    {"accessModes", F_LIST, OPT, STRINGS, .doc = "How the volume may be mounted."},
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
