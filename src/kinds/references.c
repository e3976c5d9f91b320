/* How objects point at other objects. */
#include "kinds/fields.h"

const struct field local_reference_fields[] = {
    {"name", F_STR, OPT, .doc = "Its name, in the same namespace."},
    {0},
};

const struct field object_reference_fields[] = {
    {"kind", F_STR, OPT, .doc = "Its kind."},
    {"namespace", F_STR, OPT, .doc = "Its namespace."},
    {"name", F_STR, OPT, .doc = "Its name."},
    {"uid", F_STR, OPT, .doc = "Its uid."},
    {"apiVersion", F_STR, OPT, .doc = "Its API version."},
    {"resourceVersion", F_STR, OPT, .doc = "The version that is meant."},
    {"fieldPath", F_STR, OPT, .doc = "The part of the object that is meant."},
    {0},
};

const struct field typed_local_object_reference_fields[] = {
    {"apiGroup", F_STR},
    {"kind", F_STR},
    {"name", F_STR},
    {0},
};

const struct field typed_object_reference_fields[] = {
    {"apiGroup", F_STR}, {"kind", F_STR}, {"name", F_STR}, {"namespace", F_STR}, {0},
};
