/* RuntimeClasses: which container runtime pods want. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field overhead_fields[] = {
    {"podFixed", F_MAP, OPT, QUANTITIES, .doc = "What running a pod itself costs."},
    {0},
};

static const struct field scheduling_fields[] = {
    {"nodeSelector", F_MAP, OPT | ATOMIC, LABELS, .doc = "Labels of the nodes that have the runtime."},
    {"tolerations", F_LIST, OPT | ATOMIC, LIST_OF(toleration_fields), .doc = "Taints its pods put up with."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"handler", F_STR, REQ | IMMUT, .check = check_dns_label, .doc = "What the nodes call the runtime."},
    {"overhead", F_OBJECT, .sub = overhead_fields, .doc = "What is added to a pod's requests."},
    {"scheduling", F_OBJECT, .sub = scheduling_fields, .doc = "Which nodes have it."},
    {0},
};

CELL_TEXT(cell_handler, "handler", "");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Handler", "string", "", 0, cell_handler},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_runtimeclass = {
    .group = "node.k8s.io",
    .version = "v1",
    .kind = "RuntimeClass",
    .plural = "runtimeclasses",
    .singular = "runtimeclass",
    .list_kind = "RuntimeClassList",
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
