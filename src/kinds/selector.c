/* metav1.LabelSelector. */
#include "kinds/fields.h"

static const struct field label_selector_requirement_fields[] = {
    {"key", F_STR, REQ, .doc = "Key of the label."},
    {"operator", F_STR, REQ, .doc = "In, NotIn, Exists or DoesNotExist."},
    {"values", F_LIST, OPT, STRINGS, .doc = "Values to compare with, for In and NotIn."},
    {0},
};

const struct field label_selector_fields[] = {
    {"matchExpressions", F_LIST, OPT, LIST_OF(label_selector_requirement_fields),
     .doc = "Conditions on labels; all must hold."},
    {"matchLabels", F_MAP, OPT, STRINGS, .doc = "Labels that must be there with these values."},
    {0},
};
