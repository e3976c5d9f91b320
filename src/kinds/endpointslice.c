/* EndpointSlices: the addresses behind a Service, in slices, so that a change of one pod does not rewrite them all. */
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/endpointslice.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

const struct field endpoint_conditions_fields[] = {
    {"ready", F_BOOL, .doc = "It takes new connections."},
    {"serving", F_BOOL, .doc = "It answers, even while terminating."},
    {"terminating", F_BOOL, .doc = "It is being deleted."},
    {0},
};

const struct field endpoint_zone_fields[] = {
    {"name", F_STR, REQ, .check = check_label_value, .doc = "Name of the zone."},
    {0},
};

static const struct field for_node_fields[] = {
    {"name", F_STR, REQ, .check = check_dns_subdomain, .doc = "Name of the node."},
    {0},
};

static const struct field endpoint_hints_fields[] = {
    {"forZones", F_LIST, OPT, LIST_OF(endpoint_zone_fields), .max_len = 8, .doc = "Zones that should use it."},
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

const struct field endpoint_port_fields[] = {
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
    {"ports", F_LIST, LIST_OF(endpoint_port_fields), .max_len = 20000,
     .doc = "Ports that every endpoint of the slice has."},
    {0},
};

CELL_TEXT(cell_address_type, "addressType", "");

static json_t *cell_ports(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    struct shortlist list = SHORTLIST_INIT;
    size_t i;
    json_t *port;
    json_array_foreach(jget(obj, "ports"), i, port) {
        if (jget(port, "port"))
            shortlist_add(&list, "%lld", (long long)jint(port, "port", 0));
        else
            shortlist_add(&list, "%s", jstr_or(port, "name", "*"));
    }
    return shortlist_cell(&list, "<unset>");
}

static json_t *cell_endpoints(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    struct shortlist list = SHORTLIST_INIT;
    size_t i, a;
    json_t *endpoint, *address;
    json_array_foreach(jget(obj, "endpoints"), i, endpoint)
        json_array_foreach(jget(endpoint, "addresses"), a, address)
            shortlist_add(&list, "%s", json_string_value(address) ?: "");
    return shortlist_cell(&list, "<unset>");
}

const struct column endpointslice_columns[] = {
    {"Name", "string", "name", 0, cell_name}, {"AddressType", "string", "", 0, cell_address_type},
    {"Ports", "string", "", 0, cell_ports},   {"Endpoints", "string", "", 0, cell_endpoints},
    {"Age", "string", "", 0, cell_age},       {0},
};

static const struct {
    const char *type;
    check_fn *check;
} address_types[] = {
    {"IPv4", check_endpoint_ipv4},
    {"IPv6", check_endpoint_ipv6},
    {"FQDN", check_fqdn},
};

static check_fn *address_check(const json_t *slice)
{
    for (size_t i = 0; i < ARRAY_LEN(address_types); i++)
        if (streq(address_types[i].type, jstr_or(slice, "addressType", "")))
            return address_types[i].check;
    return NULL;
}

static void check_addresses(const json_t *slice, struct status_causes *causes)
{
    check_fn *check = address_check(slice);
    size_t i, a;
    json_t *endpoint, *address;
    if (!check)
        return;
    json_array_foreach(jget(slice, "endpoints"), i, endpoint)
        json_array_foreach(jget(endpoint, "addresses"), a, address)
            rule_check_text(causes, check, json_string_value(address) ?: "", "endpoints[%zu].addresses[%zu]", i, a);
}

static void validate(const json_t *slice, const json_t *old, struct status_causes *causes)
{
    (void)old;
    struct map names = {0};
    size_t i;
    json_t *port;
    check_addresses(slice, causes);
    json_array_foreach(jget(slice, "ports"), i, port) {
        const char *name = jstr_or(port, "name", "");
        if (*name)
            rule_check_text(causes, check_dns_label, name, "ports[%zu].name", i);
        if (map_put(&names, name, port))
            rule_broken_text(causes, CAUSE_DUPLICATE, name, "", "ports[%zu].name", i);
    }
    map_done(&names);
}

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
    .columns = endpointslice_columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
    .validate = validate,
};
