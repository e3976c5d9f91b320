/* Nodes: the machines, or what stands for machines, that run pods. */
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/node.h"
#include "kinds/rules.h"

#define KEEP_AWAY "node.kubernetes.io/exclude-from-external-load-balancers"

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

static json_t *cell_status(const json_t *node, int64_t now_usec)
{
    (void)now_usec;
    const json_t *ready = jfind(jget(node, "status.conditions"), "type", "Ready");
    const char *status = !ready ? "Unknown" : streq(jstr_or(ready, "status", ""), "True") ? "Ready" : "NotReady";
    return json_sprintf("%s%s", status, jbool(node, "spec.unschedulable", false) ? ",SchedulingDisabled" : "");
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The role a label names; NULL when it names none. */
static const char *role_of_label(const char *key, const json_t *value)
{
    const char *role = str_after(key, "node-role.kubernetes.io/");
    if (!role && streq(key, "kubernetes.io/role"))
        role = json_string_value(value);
    return role && *role ? role : NULL;
}

#define ROLES_MAX 32 /* shown; more tell nobody anything */

static json_t *cell_roles(const json_t *node, int64_t now_usec)
{
    (void)now_usec;
    const char *roles[ROLES_MAX], *key;
    struct buf text = BUF_INIT(0);
    json_t *value;
    size_t n = 0;
    json_object_foreach(jget(node, "metadata.labels"), key, value) {
        const char *role = role_of_label(key, value);
        if (role && n < ROLES_MAX)
            roles[n++] = role;
    }
    qsort(roles, n, sizeof(*roles), compare_texts);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !streq(roles[i], roles[i - 1]))
            buf_addf(&text, "%s%s", i > 0 ? "," : "", roles[i]);
    json_t *cell = json_string(n > 0 ? buf_str(&text) : "<none>");
    buf_done(&text);
    return cell;
}

static json_t *address_cell(const json_t *node, const char *type)
{
    return cell_text(jfind(jget(node, "status.addresses"), "type", type), "address", "<none>");
}

static json_t *cell_internal_ip(const json_t *node, int64_t now_usec)
{
    (void)now_usec;
    return address_cell(node, "InternalIP");
}

static json_t *cell_external_ip(const json_t *node, int64_t now_usec)
{
    (void)now_usec;
    return address_cell(node, "ExternalIP");
}

CELL_TEXT(cell_version, "status.nodeInfo.kubeletVersion", "");
CELL_TEXT(cell_os_image, "status.nodeInfo.osImage", "<unknown>");
CELL_TEXT(cell_kernel_version, "status.nodeInfo.kernelVersion", "<unknown>");
CELL_TEXT(cell_runtime, "status.nodeInfo.containerRuntimeVersion", "<unknown>");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Status", "string", "", 0, cell_status},
    {"Roles", "string", "", 0, cell_roles},
    {"Age", "string", "", 0, cell_age},
    {"Version", "string", "", 0, cell_version},
    {"Internal-IP", "string", "", 1, cell_internal_ip},
    {"External-IP", "string", "", 1, cell_external_ip},
    {"OS-Image", "string", "", 1, cell_os_image},
    {"Kernel-Version", "string", "", 1, cell_kernel_version},
    {"Container-Runtime", "string", "", 1, cell_runtime},
    {0},
};

static const struct field_label field_labels[] = {
    {"spec.unschedulable", "spec.unschedulable", "false"},
    {0},
};

static void default_more(json_t *node)
{
    json_t *capacity = jget(node, "status.capacity"), *ranges = jget(node, "spec.podCIDRs");
    const char *range = jstr(node, "spec.podCIDR"), *first = json_string_value(json_array_get(ranges, 0));
    if (capacity && !jget(node, "status.allocatable"))
        jset(node, "status.allocatable", json_deep_copy(capacity));
    if (first && !range)
        jset_str(node, "spec.podCIDR", first);
    if (range && !streq_or_null(range, first))
        jset(node, "spec.podCIDRs", json_pack("[s]", range));
}

static void check_taints(const json_t *node, struct status_causes *causes)
{
    struct map seen = {0};
    size_t i;
    json_t *taint;
    json_array_foreach(jget(node, "spec.taints"), i, taint) {
        _cleanup_free_ char *key = xasprintf("%s %s", jstr_or(taint, "effect", ""), jstr_or(taint, "key", ""));
        if (map_put(&seen, key, taint))
            rule_broken(causes, CAUSE_DUPLICATE, taint, "", "spec.taints[%zu]", i);
    }
    map_done(&seen);
}

/* Set once, never changed: pods have addresses out of the range. */
static void check_set_once(const json_t *node, const json_t *old, const char *member, const char *why,
                           struct status_causes *causes)
{
    const json_t *before = jget(jget(old, "spec"), member), *after = jget(jget(node, "spec"), member);
    if (before && !(after && json_equal(before, after)))
        rule_broken(causes, CAUSE_FORBIDDEN, NULL, why, "spec.%s", member);
}

static void validate(const json_t *node, const json_t *old, struct status_causes *causes)
{
    check_taints(node, causes);
    if (!old)
        return;
    check_set_once(node, old, "podCIDRs", "node updates may not change podCIDR except from \"\" to valid", causes);
    check_set_once(node, old, "providerID", "node updates may not change providerID except from \"\" to valid", causes);
}

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
    .subresources = (const char *const[]){"proxy", NULL},
    .field_labels = field_labels,
    .default_more = default_more,
    .validate = validate,
};

bool node_is_ready(const json_t *node)
{
    return streq(jstr_or(jfind(jget(node, "status.conditions"), "type", "Ready"), "status", ""), "True");
}

bool node_has_address(const json_t *node, const char *text)
{
    size_t i;
    const json_t *address;
    json_array_foreach(jget(node, "status.addresses"), i, address)
        if (streq(jstr_or(address, "address", ""), text))
            return true;
    return false;
}

bool node_takes_traffic(const json_t *node)
{
    return node_is_ready(node) && !json_object_get(jget(node, "metadata.labels"), KEEP_AWAY) &&
           !jget(node, "metadata.deletionTimestamp");
}
