/* What every object says about itself (metav1.ObjectMeta), and the conditions of newer kinds (metav1.Condition). */
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field owner_reference_fields[] = {
    {"apiVersion", F_STR, REQ, .doc = "API version of the owner."},
    {"kind", F_STR, REQ, .doc = "Kind of the owner."},
    {"name", F_STR, REQ, .doc = "Name of the owner."},
    {"uid", F_STR, REQ, .doc = "Uid of the owner."},
    {"controller", F_BOOL, .doc = "Whether the owner is the controller that manages the object; at most one is."},
    {"blockOwnerDeletion", F_BOOL, .doc = "Whether a foreground deletion of the owner waits for this object."},
    {0},
};

static const struct field managed_fields_fields[] = {
    {"manager", F_STR, OPT, .doc = "Who set the fields."},
    {"operation", F_STR, OPT, .oneof = ONE_OF("Apply", "Update"), .doc = "Apply or Update."},
    {"apiVersion", F_STR, OPT, .doc = "Version in which the fields are named."},
    {"time", F_TIME, .doc = "When they were last set."},
    {"fieldsType", F_STR, OPT, .doc = "Format of the set: FieldsV1."},
    {"fieldsV1", F_RAW, .doc = "The set of fields."},
    {"subresource", F_STR, OPT, .doc = "Subresource through which they were set."},
    {0},
};

const struct field meta_fields[] = {
    {"name", F_STR, OPT, .doc = "Name, unique among the objects of its kind and namespace; never changes."},
    {"generateName", F_STR, OPT, .doc = "Beginning of a name that the server completes, when name is missing."},
    {"namespace", F_STR, OPT, .doc = "Namespace the object lives in; never changes."},
    {"selfLink", F_STR, OPT, .doc = "No longer set."},
    {"uid", F_STR, OPT, .doc = "Identity in time and space: a new object of the same name has another one."},
    {"resourceVersion", F_STR, OPT, .doc = "Changes with every write; sent back, it guards against lost updates."},
    {"generation", F_INT64, OPT, .doc = "Counts the changes of what is wanted."},
    {"creationTimestamp", F_TIME, .doc = "When the object was created."},
    {"deletionTimestamp", F_TIME, .doc = "When the object will be, or should have been, gone; set by a deletion."},
    {"deletionGracePeriodSeconds", F_INT64, .doc = "Seconds the object is given to end."},
    {"labels", F_MAP, OPT, LABELS, .doc = "Keys and values by which objects are selected."},
    {"annotations", F_MAP, OPT, STRINGS, .doc = "Keys and values for tools; nothing is selected by them."},
    {"ownerReferences", F_LIST, OPT, LIST_OF(owner_reference_fields), .merge_key = "uid", .list_keys = "uid",
     .doc = "Objects this one belongs to; it goes away with the last of them."},
    {"finalizers", F_LIST, OPT, STRINGS, .merge_key = "", .list_keys = "",
     .doc = "Who must agree before a deleted object goes away."},
    {"managedFields", F_LIST, OPT, LIST_OF(managed_fields_fields), .doc = "Who last set which fields."},
    {0},
};

const struct field condition_fields[] = {
    {"type", F_STR, REQ, .check = check_qualified_name, .doc = "Name of the condition."},
    {"status", F_STR, REQ, .oneof = ONE_OF("False", "True", "Unknown"), .doc = "True, False or Unknown."},
    {"observedGeneration", F_INT64, OPT, .max = NO_MAX, .doc = "metadata.generation on which it was based."},
    {"lastTransitionTime", F_TIME, REQ, .doc = "When the status last changed."},
    {"reason", F_STR, REQ, .max_len = 1024, .doc = "One word for why."},
    {"message", F_STR, .max_len = 32768, .doc = "The reason for a person."},
    {0},
};

const struct field plain_condition_fields[] = {
    {"type", F_STR, .doc = "Name of the condition."},
    {"status", F_STR, .doc = "True, False or Unknown."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};
