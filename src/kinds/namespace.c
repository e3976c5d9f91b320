/* Namespaces. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field namespace_spec_fields[] = {
    {"finalizers", F_LIST, OPT, STRINGS, .doc = "Who must agree before the emptied namespace goes away."},
    {0},
};

static const struct field namespace_condition_fields[] = {
    {"type", F_STR, .doc = "Name of the condition."},
    {"status", F_STR, .doc = "True, False or Unknown."},
    {"lastTransitionTime", F_TIME, .doc = "When the status last changed."},
    {"reason", F_STR, OPT, .doc = "One word for why."},
    {"message", F_STR, OPT, .doc = "The reason for a person."},
    {0},
};

static const struct field namespace_status_fields[] = {
    {"phase", F_STR, OPT, .oneof = ONE_OF("Active", "Terminating"),
     .doc = "Active, or Terminating while its contents are being deleted."},
    {"conditions", F_LIST, OPT, LIST_OF(namespace_condition_fields), .merge_key = "type", .list_keys = "type",
     .doc = "What the deletion is waiting for."},
    {0},
};

static const struct field namespace_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = namespace_spec_fields, .dflt = "{}", .doc = "How the namespace ends."},
    {"status", F_OBJECT, .sub = namespace_status_fields, .dflt = "{}", .doc = "Where the namespace is in its life."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_namespace = {
    .group = "",
    .version = "v1",
    .kind = "Namespace",
    .plural = "namespaces",
    .singular = "namespace",
    .list_kind = "NamespaceList",
    .short_names = (const char *const[]){"ns", NULL},
    .namespaced = false,
    .verbs = V_ALL,
    .fields = namespace_fields,
    .columns = columns,
    .check_name = check_dns_label,
    .has_status = true,
};
