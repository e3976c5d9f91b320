/* Endpoints: the addresses behind a Service in their older form, for those who still read it; c8s itself reads
 * EndpointSlices. */
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

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

static void add_addresses(struct shortlist *list, const json_t *addresses, int64_t port)
{
    size_t i;
    json_t *address;
    json_array_foreach(addresses, i, address) {
        const char *ip = jstr_or(address, "ip", "");
        if (port == 0)
            shortlist_add(list, "%s", ip);
        else
            shortlist_add(list, is_ipv6(ip) ? "[%s]:%lld" : "%s:%lld", ip, (long long)port);
    }
}

static json_t *cell_endpoints(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    struct shortlist list = SHORTLIST_INIT;
    const json_t *subsets = jget(obj, "subsets"), *subset, *port;
    size_t i, p;
    json_array_foreach(subsets, i, subset) {
        const json_t *ports = jget(subset, "ports"), *addresses = jget(subset, "addresses");
        if (!json_array_size(ports))
            add_addresses(&list, addresses, 0);
        json_array_foreach(ports, p, port)
            add_addresses(&list, addresses, jint(port, "port", 0));
    }
    return shortlist_cell(&list, json_array_size(subsets) ? "" : "<none>");
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Endpoints", "string", "", 0, cell_endpoints},
    {"Age", "string", "", 0, cell_age},
    {0},
};

static void check_addresses(const json_t *addresses, size_t subset, const char *member, struct status_causes *causes)
{
    size_t i;
    json_t *address;
    json_array_foreach(addresses, i, address) {
        const char *ip = jstr_or(address, "ip", "");
        if (*ip)
            rule_check_text(causes, check_endpoint_ip, ip, "subsets[%zu].%s[%zu].ip", subset, member, i);
    }
}

static void check_subset(const json_t *subset, size_t n, struct status_causes *causes)
{
    const json_t *ports = jget(subset, "ports"), *port;
    const json_t *ready = jget(subset, "addresses"), *others = jget(subset, "notReadyAddresses");
    size_t i;
    if (!json_array_size(ready) && !json_array_size(others))
        rule_broken(causes, CAUSE_REQUIRED, NULL, "must specify `addresses` or `notReadyAddresses`", "subsets[%zu]", n);
    check_addresses(ready, n, "addresses", causes);
    check_addresses(others, n, "notReadyAddresses", causes);
    json_array_foreach(ports, i, port)
        if (json_array_size(ports) > 1 && !*jstr_or(port, "name", ""))
            rule_broken(causes, CAUSE_REQUIRED, NULL, "", "subsets[%zu].ports[%zu].name", n, i);
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    size_t i;
    json_t *subset;
    json_array_foreach(jget(obj, "subsets"), i, subset)
        check_subset(subset, i, causes);
}

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
    .validate = validate,
};
