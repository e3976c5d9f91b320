/* EndpointSlice as discovery.k8s.io/v1beta1 had it: node and zone among the labels of a topology. Rules:
 * pkg/apis/discovery/v1beta1/conversion.go. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/endpointslice.h"
#include "kinds/fields.h"

#define HOSTNAME_LABEL "kubernetes.io/hostname"
#define ZONE_LABEL "topology.kubernetes.io/zone"

static const struct field hints_fields[] = {
    {"forZones", F_LIST, OPT | ATOMIC, LIST_OF(endpoint_zone_fields), .max_len = 8, .doc = "Zones that should use it."},
    {0},
};

static const struct field endpoint_fields[] = {
    {"addresses", F_LIST, REQ | NONEMPTY | UNIQUE, STRINGS, .max_len = 100, .list_keys = "",
     .doc = "Addresses of the endpoint; all lead to the same place."},
    {"conditions", F_OBJECT, .sub = endpoint_conditions_fields, .doc = "Whether it can be used."},
    {"hostname", F_STR, .doc = "Name in DNS below the Service."},
    {"targetRef", F_OBJECT, ATOMIC, .sub = object_reference_fields, .doc = "Pod it belongs to."},
    {"topology", F_MAP, OPT, STRINGS, .doc = "Labels of where it is: " HOSTNAME_LABEL ", " ZONE_LABEL "."},
    {"nodeName", F_STR, .doc = "Node it is on."},
    {"hints", F_OBJECT, .sub = hints_fields, .doc = "Who should use it."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"addressType", F_STR, REQ | IMMUT, .oneof = ONE_OF("FQDN", "IPv4", "IPv6"),
     .doc = "IPv4, IPv6 or FQDN, for all endpoints of the slice."},
    {"endpoints", F_LIST, ATOMIC, LIST_OF(endpoint_fields), .doc = "The endpoints."},
    {"ports", F_LIST, ATOMIC, LIST_OF(endpoint_port_fields), .doc = "Ports that every endpoint of the slice has."},
    {0},
};

/* Moves a label of the topology to a member of its own. */
static void take_label(json_t *endpoint, const char *label, const char *member)
{
    json_t *topology = jget(endpoint, "topology"), *v = json_object_get(topology, label);
    if (!v)
        return;
    if (!jget(endpoint, member))
        json_object_set(endpoint, member, v);
    json_object_del(topology, label);
}

static void to_stored(json_t *obj)
{
    size_t i;
    json_t *endpoint;
    json_array_foreach(jget(obj, "endpoints"), i, endpoint) {
        take_label(endpoint, HOSTNAME_LABEL, "nodeName");
        take_label(endpoint, ZONE_LABEL, "zone");
        if (json_object_size(jget(endpoint, "topology")))
            json_object_set(endpoint, "deprecatedTopology", jget(endpoint, "topology"));
        json_object_del(endpoint, "topology");
    }
}

static void from_stored(json_t *obj)
{
    size_t i;
    json_t *endpoint;
    json_array_foreach(jget(obj, "endpoints"), i, endpoint) {
        const json_t *others = jget(endpoint, "deprecatedTopology");
        json_t *topology = others ? json_deep_copy(others) : json_object();
        json_t *node = jget(endpoint, "nodeName"), *zone = jget(endpoint, "zone");
        if (node)
            json_object_set(topology, HOSTNAME_LABEL, node);
        if (zone)
            json_object_set(topology, ZONE_LABEL, zone);
        if (json_object_size(topology))
            json_object_set(endpoint, "topology", topology);
        json_decref(topology);
        json_object_del(endpoint, "deprecatedTopology");
        json_object_del(endpoint, "zone");
        json_object_del(jget(endpoint, "hints"), "forNodes");
    }
}

const struct kind kind_endpointslice_v1beta1 = {
    .group = "discovery.k8s.io",
    .version = "v1beta1",
    .kind = "EndpointSlice",
    .plural = "endpointslices",
    .singular = "endpointslice",
    .list_kind = "EndpointSliceList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = endpointslice_columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
    .stored = &kind_endpointslice,
    .to_stored = to_stored,
    .from_stored = from_stored,
};
