/* EndpointSlices: the addresses behind a Service, in slices. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field endpoint_conditions_fields[] = {
    {"ready", F_BOOL, .doc = "It takes new connections."},
    {"serving", F_BOOL, .doc = "It answers, even while terminating."},
    {"terminating", F_BOOL, .doc = "It is being deleted."},
    {0},
};

static const struct field for_zone_fields[] = {
    {"name", F_STR, REQ, .check = check_label_value, .doc = "Name of the zone."},
    {0},
};

static const struct field for_node_fields[] = {
    {"name", F_STR, REQ, .check = check_dns_subdomain, .doc = "Name of the node."},
    {0},
};

static const struct field endpoint_hints_fields[] = {
    {"forZones", F_LIST, OPT, LIST_OF(for_zone_fields), .max_len = 8, .doc = "Zones that should use it."},
    {"forNodes", F_LIST, OPT, LIST_OF(for_node_fields), .max_len = 8, .doc = "Nodes that should use it."},
    {0},
};

static const struct field endpoint_fields[] = {
    {"addresses", F_LIST, REQ | NONEMPTY | UNIQUE, STRINGS, .max_len = 100, .list_keys = "",
     .doc = "Addresses of the endpoint; all lead to the same place."},
    {"conditions", F_OBJECT, .sub = endpoint_conditions_fields, .dflt = "{}", .doc = "Whether it can be used."},
    {"hostname", F_STR, .check = check_dns_label, .doc = "Name in DNS below the Service."},
    {"targetRef", F_OBJECT, ATOMIC, .sub = object_reference_fields, .doc = "Pod it belongs to."},
    {"deprecatedTopology", F_MAP, OPT, LABELS, .max_len = 16, .doc = "Formerly labels of the node."},
    {"nodeName", F_STR, .check = check_dns_subdomain, .doc = "Node it is on."},
    {"zone", F_STR, .check = check_label_value, .doc = "Zone it is in."},
    {"hints", F_OBJECT, .sub = endpoint_hints_fields, .doc = "Who should use it."},
    {0},
};

static const struct field discovery_endpoint_port_fields[] = {
    {"name", F_STR, .dflt = "\"\"", .doc = "Name of the Service's port."},
    {"protocol", F_STR, .dflt = "\"TCP\"", .oneof = ONE_OF("SCTP", "TCP", "UDP"), .doc = "TCP, UDP or SCTP."},
    {"port", F_INT, .min = 1, .max = 65535, .doc = "Number of the port; missing: all ports."},
    {"appProtocol", F_STR, .check = check_qualified_name, .doc = "What is spoken over the port."},
    {0},
};

static const struct field endpointslice_fields[] = {
    FIELD_METADATA,
    {"addressType", F_STR, REQ | IMMUT, .oneof = ONE_OF("FQDN", "IPv4", "IPv6"),
     .doc = "IPv4, IPv6 or FQDN, for all endpoints of the slice."},
    {"endpoints", F_LIST, LIST_OF(endpoint_fields), .dflt = "[]", .max_len = 1000, .doc = "The endpoints."},
    {"ports", F_LIST, LIST_OF(discovery_endpoint_port_fields), .max_len = 20000,
     .doc = "Ports that every endpoint of the slice has."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_endpointslice = {
    .group = "discovery.k8s.io",
    .version = "v1",
    .kind = "EndpointSlice",
    .plural = "endpointslices",
    .singular = "endpointslice",
    .list_kind = "EndpointSliceList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = endpointslice_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
};
