/* Nodes. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field taint_fields[] = {
    {"key", F_STR, REQ, .check = check_qualified_name, .doc = "Key of the mark."},
    {"value", F_STR, OPT, .check = check_label_value, .doc = "Value of the mark."},
    {"effect", F_STR, REQ, .oneof = ONE_OF("NoSchedule", "PreferNoSchedule", "NoExecute"),
     .doc = "NoSchedule and PreferNoSchedule concern new pods, NoExecute also evicts running ones."},
    {"timeAdded", F_TIME, .doc = "When a NoExecute mark was set."},
    {0},
};

static const struct field node_spec_fields[] = {
    {"podCIDR", F_STR, OPT, .check = check_cidr,
     .doc = "Address range from which the node's pods get their addresses."},
    {"podCIDRs", F_LIST, OPT, .sub = cidr_item, .merge_key = "", .list_keys = "",
     .doc = "The ranges of all address families; the first one equals podCIDR."},
    {"providerID", F_STR, OPT, .doc = "Name of the machine at its provider, as PROVIDER://ID."},
    {"unschedulable", F_BOOL, OPT, .doc = "True keeps new pods away (kubectl cordon)."},
    {"taints", F_LIST, OPT, LIST_OF(taint_fields),
     .doc = "Marks that keep away, or evict, pods that do not tolerate them."},
    {"configSource", F_OBJECT, .sub = node_config_source_fields,
     .doc = "Formerly the source of the agent's configuration; without effect."},
    {"externalID", F_STR, OPT, .doc = "Formerly the provider's name of the machine; without effect."},
    {0},
};

static const struct field node_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = node_spec_fields, .dflt = "{}", .doc = "What is wanted of the node."},
    {"status", F_OBJECT, .sub = node_status_fields, .dflt = "{}", .doc = "What the node's agent reports."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_node = {
    .group = "",
    .version = "v1",
    .kind = "Node",
    .plural = "nodes",
    .singular = "node",
    .list_kind = "NodeList",
    .short_names = (const char *const[]){"no", NULL},
    .namespaced = false,
    .verbs = V_ALL,
    .fields = node_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
};
