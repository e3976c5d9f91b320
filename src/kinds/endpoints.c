/* Endpoints: the addresses behind a Service in their older form; EndpointSlices are what is read. */
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field endpoint_address_fields[] = {
    {"ip", F_STR, REQ, .doc = "The address."},
    {"hostname", F_STR, OPT, .check = check_dns_label, .doc = "Name in DNS below the Service."},
    {"nodeName", F_STR, .check = check_dns_subdomain, .doc = "Node it is on."},
    {"targetRef", F_OBJECT, ATOMIC, .sub = object_reference_fields, .doc = "Pod it belongs to."},
    {0},
};

static const struct field endpoint_port_fields[] = {
    {"name", F_STR, OPT, .check = check_dns_label, .doc = "Name of the Service's port."},
    {"port", F_INT, REQ, .min = 1, .max = 65535, .doc = "Number of the port."},
    {"protocol", F_STR, OPT, .dflt = "\"TCP\"", .oneof = ONE_OF("SCTP", "TCP", "UDP"), .doc = "TCP, UDP or SCTP."},
    {"appProtocol", F_STR, .check = check_qualified_name, .doc = "What is spoken over the port."},
    {0},
};

static const struct field endpoint_subset_fields[] = {
    {"addresses", F_LIST, OPT, LIST_OF(endpoint_address_fields), .doc = "Addresses that are ready."},
    {"notReadyAddresses", F_LIST, OPT, LIST_OF(endpoint_address_fields), .doc = "Addresses that are not ready."},
    {"ports", F_LIST, OPT, LIST_OF(endpoint_port_fields), .doc = "Ports of the addresses."},
    {0},
};

static const struct field endpoints_fields[] = {
    FIELD_METADATA,
    {"subsets", F_LIST, OPT, LIST_OF(endpoint_subset_fields),
     .doc = "The addresses behind the Service, grouped by their ports."},
    {0},
};

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_endpoints = {
    .group = "",
    .version = "v1",
    .kind = "Endpoints",
    .plural = "endpoints",
    .singular = "endpoints",
    .list_kind = "EndpointsList",
    .short_names = (const char *const[]){"ep", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = endpoints_fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
};
