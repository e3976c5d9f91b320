/* What storage drivers tell the cluster: CSIDriver, CSINode, CSIStorageCapacity. Kept and shown. Rules:
 * pkg/apis/storage/validation/validation.go. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

/* --- CSIDriver --- */

static const struct field token_fields[] = {
    {"audience", F_STR, .doc = "For whom the token is meant."},
    {"expirationSeconds", F_INT64, .min = 600, .max = 4294967296, .doc = "Seconds for which the token is valid."},
    {0},
};

static const struct field driver_spec_fields[] = {
    {"attachRequired", F_BOOL, IMMUT, .dflt = "true", .doc = "Volumes must be attached to nodes."},
    {"podInfoOnMount", F_BOOL, .dflt = "false", .doc = "The driver is told for which pod it mounts."},
    {"volumeLifecycleModes", F_LIST, OPT, STRINGS, .dflt = "[\"Persistent\"]", .list_keys = "",
     .doc = "Persistent, Ephemeral or both."},
    {"storageCapacity", F_BOOL, .dflt = "false", .doc = "The driver tells its capacity."},
    {"fsGroupPolicy", F_STR, .dflt = "\"ReadWriteOnceWithFSType\"",
     .oneof = ONE_OF("File", "None", "ReadWriteOnceWithFSType"), .doc = "Whether files get the pod's fsGroup."},
    {"tokenRequests", F_LIST, OPT | ATOMIC, LIST_OF(token_fields), .doc = "Tokens of pods that the driver gets."},
    {"requiresRepublish", F_BOOL, .dflt = "false", .doc = "The driver is called again and again."},
    {"seLinuxMount", F_BOOL, .dflt = "false", .doc = "The driver mounts with SELinux labels."},
    {0},
};

static const struct field driver_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, REQ, .sub = driver_spec_fields, .doc = "What the driver can do."},
    {0},
};

static json_t *truth_cell(const json_t *obj, const char *path)
{
    return json_string(jbool(obj, path, false) ? "true" : "false");
}

#define CELL_TRUTH(fn, path)                                                                                           \
    static json_t *fn(const json_t *obj, int64_t now_usec)                                                             \
    {                                                                                                                  \
        (void)now_usec;                                                                                                \
        return truth_cell(obj, path);                                                                                  \
    }                                                                                                                  \
    static cell_fn fn

CELL_TRUTH(cell_attach, "spec.attachRequired");
CELL_TRUTH(cell_pod_info, "spec.podInfoOnMount");
CELL_TRUTH(cell_tells_capacity, "spec.storageCapacity");
CELL_TRUTH(cell_republish, "spec.requiresRepublish");

static json_t *cell_tokens(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    const json_t *tokens = jget(obj, "spec.tokenRequests");
    return json_array_size(tokens) ? cell_joined(tokens, "audience") : json_string("<unset>");
}

static json_t *cell_lifecycles(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    struct buf text = BUF_INIT(0);
    size_t i;
    json_t *mode;
    json_array_foreach(jget(obj, "spec.volumeLifecycleModes"), i, mode)
        buf_addf(&text, "%s%s", i ? "," : "", json_string_value(mode) ?: "");
    json_t *cell = json_string(i ? buf_str(&text) : "<none>");
    buf_done(&text);
    return cell;
}

static const struct column driver_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"AttachRequired", "boolean", "", 0, cell_attach},
    {"PodInfoOnMount", "boolean", "", 0, cell_pod_info},
    {"StorageCapacity", "boolean", "", 0, cell_tells_capacity},
    {"TokenRequests", "string", "", 0, cell_tokens},
    {"RequiresRepublish", "boolean", "", 0, cell_republish},
    {"Modes", "string", "", 0, cell_lifecycles},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_csidriver = {
    .group = "storage.k8s.io",
    .version = "v1",
    .kind = "CSIDriver",
    .plural = "csidrivers",
    .singular = "csidriver",
    .list_kind = "CSIDriverList",
    .verbs = V_ALL,
    .fields = driver_fields,
    .columns = driver_columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
};

/* --- CSINode --- */

static const struct field allocatable_fields[] = {
    {"count", F_INT, .max = NO_MAX, .doc = "How many volumes the node can use."},
    {0},
};

static const struct field node_driver_fields[] = {
    {"name", F_STR, REQ, .check = check_dns_subdomain, .doc = "Name of the driver."},
    {"nodeID", F_STR, REQ, .max_len = 192, .doc = "What the driver calls the node."},
    {"topologyKeys", F_LIST, ATOMIC | NULLABLE, STRINGS, .doc = "Labels of the node that the driver sets."},
    {"allocatable", F_OBJECT, .sub = allocatable_fields, .doc = "What the node can take."},
    {0},
};

static const struct field node_spec_fields[] = {
    {"drivers", F_LIST, UNIQUE, LIST_OF(node_driver_fields), .dflt = "[]", .merge_key = "name", .list_keys = "name",
     .doc = "Drivers that run on the node."},
    {0},
};

static const struct field node_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, REQ, .sub = node_spec_fields, .doc = "The node's drivers."},
    {0},
};

static json_t *cell_drivers(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_integer((json_int_t)json_array_size(jget(obj, "spec.drivers")));
}

static const struct column node_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Drivers", "integer", "", 0, cell_drivers},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_csinode = {
    .group = "storage.k8s.io",
    .version = "v1",
    .kind = "CSINode",
    .plural = "csinodes",
    .singular = "csinode",
    .list_kind = "CSINodeList",
    .verbs = V_ALL,
    .fields = node_fields,
    .columns = node_columns,
    .check_name = check_dns_subdomain,
};

/* --- CSIStorageCapacity --- */

static const struct field capacity_fields[] = {
    FIELD_METADATA,
    {"nodeTopology", F_OBJECT, ATOMIC | IMMUT, .sub = label_selector_fields, .doc = "Nodes that reach the storage."},
    {"storageClassName", F_STR, REQ | IMMUT, .check = check_dns_subdomain, .doc = "StorageClass it is about."},
    {"capacity", F_QUANTITY, .doc = "How much there is."},
    {"maximumVolumeSize", F_QUANTITY, .doc = "Largest volume that can be made."},
    {0},
};

CELL_TEXT(cell_class, "storageClassName", "");
CELL_TEXT(cell_capacity, "capacity", "<unset>");

static const struct column capacity_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"StorageClassName", "string", "", 0, cell_class},
    {"Capacity", "string", "", 0, cell_capacity},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_csistoragecapacity = {
    .group = "storage.k8s.io",
    .version = "v1",
    .kind = "CSIStorageCapacity",
    .plural = "csistoragecapacities",
    .singular = "csistoragecapacity",
    .list_kind = "CSIStorageCapacityList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = capacity_fields,
    .columns = capacity_columns,
    .check_name = check_dns_subdomain,
};
