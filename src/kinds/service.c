/* Services: a name and an address for the pods behind a selector. Columns, defaults and the list of the kind; the rules
 * are in servicerules.c. */
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/servicerules.h"

static const struct field service_port_fields[] = {
    {"name", F_STR, OPT, .check = check_dns_label, .doc = "Name of the port; needed when there are several."},
    {"protocol", F_STR, OPT, .dflt = "\"TCP\"", .oneof = ONE_OF("SCTP", "TCP", "UDP"), .doc = "TCP, UDP or SCTP."},
    {"appProtocol", F_STR, .check = check_qualified_name, .doc = "What is spoken over the port."},
    {"port", F_INT, REQ, .min = 1, .max = 65535, .doc = "Number of the port."},
    {"targetPort", F_INT_OR_STR, .doc = "Number or name of the pods' port; the same number if missing."},
    {"nodePort", F_INT, OPT, .doc = "Port open on every node (NodePort and LoadBalancer)."},
    {0},
};

static const struct field client_ip_config_fields[] = {
    {"timeoutSeconds", F_INT, .doc = "Seconds for which a client stays with its endpoint."},
    {0},
};

static const struct field session_affinity_config_fields[] = {
    {"clientIP", F_OBJECT, .sub = client_ip_config_fields, .doc = "Settings of ClientIP affinity."},
    {0},
};

static const struct field service_spec_fields[] = {
    {"ports", F_LIST, OPT, LIST_OF(service_port_fields), .merge_key = "port", .list_keys = "port,protocol",
     .doc = "Ports of the Service; needed unless it is headless."},
    {"selector", F_MAP, OPT | ATOMIC, LABELS,
     .doc = "Labels of the pods that serve; without it somebody else keeps the endpoints."},
    {"clusterIP", F_STR, OPT, .doc = "Virtual address; None makes the Service headless."},
    {"clusterIPs", F_LIST, OPT, STRINGS, .doc = "Virtual addresses, one a family; the first equals clusterIP."},
    {"type", F_STR, OPT, .dflt = "\"ClusterIP\"",
     .oneof = ONE_OF("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
     .doc = "ClusterIP, NodePort, LoadBalancer or ExternalName."},
    {"externalIPs", F_LIST, OPT, .sub = ip_item, .doc = "Further addresses at which nodes accept traffic for it."},
    {"sessionAffinity", F_STR, OPT, .dflt = "\"None\"", .oneof = ONE_OF("ClientIP", "None"),
     .doc = "ClientIP keeps a client with one endpoint; None."},
    {"loadBalancerIP", F_STR, OPT, .doc = "Address wished for the load balancer (deprecated)."},
    {"loadBalancerSourceRanges", F_LIST, OPT, STRINGS, .doc = "Clients the load balancer admits."},
    {"externalName", F_STR, OPT, .doc = "DNS name that an ExternalName Service stands for."},
    {"externalTrafficPolicy", F_STR, OPT, .oneof = ONE_OF("Cluster", "Local"),
     .doc = "Local keeps traffic from outside on the node where it arrives, with its source address."},
    {"healthCheckNodePort", F_INT, OPT,
     .doc = "Port at which nodes tell load balancers whether they have endpoints (externalTrafficPolicy Local)."},
    {"publishNotReadyAddresses", F_BOOL, OPT, .doc = "Counts pods as endpoints before they are ready."},
    {"sessionAffinityConfig", F_OBJECT, .sub = session_affinity_config_fields, .doc = "Details of session affinity."},
    {"ipFamilies", F_LIST, OPT, STRINGS, .doc = "IPv4, IPv6 or both."},
    {"ipFamilyPolicy", F_STR, .oneof = ONE_OF("PreferDualStack", "RequireDualStack", "SingleStack"),
     .doc = "SingleStack, PreferDualStack or RequireDualStack."},
    {"allocateLoadBalancerNodePorts", F_BOOL, .doc = "False saves the node ports of a LoadBalancer Service."},
    {"loadBalancerClass", F_STR, .check = check_qualified_name,
     .doc = "Implementation that provides the load balancer."},
    {"internalTrafficPolicy", F_STR, .oneof = ONE_OF("Cluster", "Local"),
     .doc = "Local keeps traffic from pods on their node."},
    {"trafficDistribution", F_STR, .oneof = ONE_OF("PreferClose", "PreferSameNode", "PreferSameZone"),
     .doc = "Prefers near endpoints: PreferSameZone or PreferSameNode."},
    {0},
};

static const struct field port_status_fields[] = {
    {"port", F_INT, .doc = "Number of the port."},
    {"protocol", F_STR, .oneof = ONE_OF("SCTP", "TCP", "UDP"), .doc = "TCP, UDP or SCTP."},
    {"error", F_STR, .doc = "What is wrong with it."},
    {0},
};

static const struct field load_balancer_ingress_fields[] = {
    {"ip", F_STR, OPT, .check = check_ip, .doc = "Its address."},
    {"hostname", F_STR, OPT, .check = check_dns_subdomain, .doc = "Its name."},
    {"ipMode", F_STR, .oneof = ONE_OF("Proxy", "VIP"),
     .doc = "VIP when packets keep this address, Proxy when they do not."},
    {"ports", F_LIST, OPT, LIST_OF(port_status_fields), .doc = "State of its ports."},
    {0},
};

static const struct field load_balancer_status_fields[] = {
    {"ingress", F_LIST, OPT, LIST_OF(load_balancer_ingress_fields), .doc = "Where the load balancer is reached."},
    {0},
};

static const struct field service_status_fields[] = {
    {"loadBalancer", F_OBJECT, .sub = load_balancer_status_fields, .dflt = "{}", .doc = "State of the load balancer."},
    FIELD_CONDITIONS(condition_fields, "Conditions of the Service."),
    {0},
};

static const struct field service_fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = service_spec_fields, .dflt = "{}", .doc = "Which pods serve, and how they are reached."},
    {"status", F_OBJECT, .sub = service_status_fields, .dflt = "{}", .doc = "Addresses of a load balancer."},
    {0},
};

CELL_TEXT(cell_type, "spec.type", "");

static json_t *cell_cluster_ip(const json_t *service, int64_t now_usec)
{
    (void)now_usec;
    const char *first = json_string_value(json_array_get(jget(service, "spec.clusterIPs"), 0));
    return first ? json_string(first) : cell_text(service, "spec.clusterIP", "<none>");
}

static void add_text(struct buf *list, const char *s)
{
    if (s && *s)
        buf_addf(list, "%s%s", list->len > 0 ? "," : "", s);
}

static void add_load_balancer(struct buf *list, const json_t *service)
{
    size_t i;
    json_t *ingress;
    json_array_foreach(jget(service, "status.loadBalancer.ingress"), i, ingress) {
        const char *ip = jstr_or(ingress, "ip", "");
        add_text(list, *ip ? ip : jstr(ingress, "hostname"));
    }
}

static json_t *cell_external_ip(const json_t *service, int64_t now_usec)
{
    (void)now_usec;
    const char *type = jstr_or(service, "spec.type", "");
    bool balanced = streq(type, "LoadBalancer");
    struct buf list = BUF_INIT(0);
    size_t i;
    json_t *ip;
    if (streq(type, "ExternalName"))
        return cell_text(service, "spec.externalName", "");
    if (balanced)
        add_load_balancer(&list, service);
    json_array_foreach(jget(service, "spec.externalIPs"), i, ip)
        add_text(&list, json_string_value(ip));
    json_t *cell = json_string(list.len > 0 ? list.data : balanced ? "<pending>" : "<none>");
    buf_done(&list);
    return cell;
}

static json_t *cell_ports(const json_t *service, int64_t now_usec)
{
    (void)now_usec;
    const json_t *ports = jget(service, "spec.ports"), *port;
    struct buf text = BUF_INIT(0);
    size_t i;
    json_array_foreach(ports, i, port) {
        long long number = jint(port, "port", 0), node_port = jint(port, "nodePort", 0);
        buf_addf(&text, "%s%lld", i > 0 ? "," : "", number);
        if (node_port > 0)
            buf_addf(&text, ":%lld", node_port);
        buf_addf(&text, "/%s", jstr_or(port, "protocol", "TCP"));
    }
    json_t *cell = json_string(text.len > 0 ? text.data : "<none>");
    buf_done(&text);
    return cell;
}

static json_t *cell_selector(const json_t *service, int64_t now_usec)
{
    (void)now_usec;
    return cell_map_selector(jget(service, "spec.selector"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},         {"Type", "string", "", 0, cell_type},
    {"Cluster-IP", "string", "", 0, cell_cluster_ip}, {"External-IP", "string", "", 0, cell_external_ip},
    {"Port(s)", "string", "", 0, cell_ports},         {"Age", "string", "", 0, cell_age},
    {"Selector", "string", "", 1, cell_selector},     {0},
};

static const struct field_label field_labels[] = {
    {"spec.clusterIP", "spec.clusterIP", ""},
    {"spec.type", "spec.type", ""},
    {0},
};

static void default_affinity(json_t *spec)
{
    bool sticky = streq(jstr_or(spec, "sessionAffinity", ""), "ClientIP");
    if (sticky && !jget(spec, "sessionAffinityConfig.clientIP.timeoutSeconds"))
        jset_int(spec, "sessionAffinityConfig.clientIP.timeoutSeconds", 3 * 60 * 60);
    else if (!sticky)
        json_object_del(spec, "sessionAffinityConfig");
}

static void default_ports(json_t *spec)
{
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(spec, "ports"), i, port) {
        json_t *target = json_object_get(port, "targetPort"), *number = json_object_get(port, "port");
        bool given = json_is_string(target) ? json_string_length(target) > 0 : json_integer_value(target) != 0;
        if (!given && number)
            json_object_set(port, "targetPort", number);
    }
}

/* An address that packets keep on their way to the node, unless the load balancer says otherwise. */
static void default_ip_mode(json_t *service)
{
    size_t i;
    json_t *ingress;
    json_array_foreach(jget(service, "status.loadBalancer.ingress"), i, ingress)
        if (jget(ingress, "ip") && !jget(ingress, "ipMode"))
            jset_str(ingress, "ipMode", "VIP");
}

static void default_more(json_t *service)
{
    json_t *spec = jget(service, "spec");
    bool external = streq(jstr_or(spec, "type", ""), "ExternalName");
    bool balanced = streq(jstr_or(spec, "type", ""), "LoadBalancer");
    if (!json_is_object(spec))
        return;
    default_affinity(spec);
    default_ports(spec);
    if (service_is_reached_from_outside(service) && !jget(spec, "externalTrafficPolicy"))
        jset_str(spec, "externalTrafficPolicy", "Cluster");
    if (!external && !jget(spec, "internalTrafficPolicy"))
        jset_str(spec, "internalTrafficPolicy", "Cluster");
    if (balanced && !jget(spec, "allocateLoadBalancerNodePorts"))
        jset_bool(spec, "allocateLoadBalancerNodePorts", true);
    if (balanced)
        default_ip_mode(service);
}

const struct kind kind_service = {
    .group = "",
    .version = "v1",
    .kind = "Service",
    .plural = "services",
    .singular = "service",
    .list_kind = "ServiceList",
    .short_names = (const char *const[]){"svc", NULL},
    .categories = (const char *const[]){"all", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = service_fields,
    .columns = columns,
    .check_name = check_dns1035_label,
    .has_status = true,
    .subresources = (const char *const[]){"proxy", NULL},
    .field_labels = field_labels,
    .default_more = default_more,
    .validate = service_validate,
};
