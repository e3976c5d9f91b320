/* Ingresses: which requests, by host and path, go to which Service. The kind as it is stored, and its columns; the
 * rules are in ingressrules.c, the versions of before in ingressold.c. */
#include <stdlib.h>

#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/ingress.h"

#define ADDRESS_WIDTH 16 /* what `kubectl get` shows of addresses: pkg/printers, loadBalancerWidth */
#define HOSTS_SHOWN 3

static const struct field service_backend_port_fields[] = {
    {"name", F_STR, OPT, .doc = "Name of the Service's port."},
    {"number", F_INT, OPT, .doc = "Number of the Service's port."},
    {0},
};

static const struct field service_backend_fields[] = {
    {"name", F_STR, .doc = "Name of the Service, in the Ingress's namespace."},
    {"port", F_OBJECT, ATOMIC, .sub = service_backend_port_fields, .doc = "Its port, by number or by name."},
    {0},
};

static const struct field backend_fields[] = {
    {"service", F_OBJECT, .sub = service_backend_fields, .doc = "The Service that answers."},
    {"resource", F_OBJECT, ATOMIC, .sub = typed_local_object_reference_fields, .doc = "Another object that answers."},
    {0},
};

static const struct field path_fields[] = {
    {"path", F_STR, OPT, .doc = "Path of the request; begins with a slash."},
    {"pathType", F_STR, .doc = "Exact; Prefix, by elements; or ImplementationSpecific."},
    {"backend", F_OBJECT, .sub = backend_fields, .dflt = "{}", .doc = "Who answers."},
    {0},
};

static const struct field http_fields[] = {
    {"paths", F_LIST, LIST_OF(path_fields), .doc = "Paths and who answers them."},
    {0},
};

static const struct field rule_fields[] = {
    {"host", F_STR, OPT, .doc = "Name in the request, or *.NAME for one more label; empty: any."},
    {"http", F_OBJECT, .sub = http_fields, .doc = "Paths of this host."},
    {0},
};

static const struct field spec_fields[] = {
    {"ingressClassName", F_STR, .check = check_dns_subdomain, .doc = "IngressClass, and with it who serves this."},
    {"defaultBackend", F_OBJECT, .sub = backend_fields, .doc = "Answers what no rule matches."},
    {"tls", F_LIST, OPT | ATOMIC, LIST_OF(ingress_tls_fields), .doc = "Certificates, by host."},
    {"rules", F_LIST, OPT | ATOMIC, LIST_OF(rule_fields), .doc = "Hosts and their paths."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .dflt = "{}", .doc = "Hosts, paths and certificates."},
    {"status", F_OBJECT, .sub = ingress_status_fields, .dflt = "{}", .doc = "Where it is served."},
    {0},
};

/* --- what the versions have in common --- */

const struct field ingress_tls_fields[] = {
    {"hosts", F_LIST, OPT | ATOMIC, STRINGS, .doc = "Hosts that the certificate is for."},
    {"secretName", F_STR, OPT, .doc = "Secret of type kubernetes.io/tls."},
    {0},
};

static const struct field port_status_fields[] = {
    {"port", F_INT, .doc = "Number of the port."},
    {"protocol", F_STR, .oneof = ONE_OF("SCTP", "TCP", "UDP"), .doc = "TCP, UDP or SCTP."},
    {"error", F_STR, .doc = "What is wrong with it."},
    {0},
};

static const struct field address_fields[] = {
    {"ip", F_STR, OPT, .check = check_ip, .doc = "Its address."},
    {"hostname", F_STR, OPT, .check = check_dns_subdomain, .doc = "Its name."},
    {"ports", F_LIST, OPT | ATOMIC, LIST_OF(port_status_fields), .doc = "State of its ports."},
    {0},
};

static const struct field load_balancer_fields[] = {
    {"ingress", F_LIST, OPT | ATOMIC, LIST_OF(address_fields), .doc = "Addresses that answer."},
    {0},
};

const struct field ingress_status_fields[] = {
    {"loadBalancer", F_OBJECT, .sub = load_balancer_fields, .dflt = "{}", .doc = "Addresses that answer."},
    {0},
};

/* --- columns --- */

CELL_TEXT(cell_class, "spec.ingressClassName", "<none>");

static json_t *cell_hosts(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    struct buf text = BUF_INIT(0);
    size_t i, n = 0;
    json_t *rule;
    json_array_foreach(jget(obj, "spec.rules"), i, rule) {
        const char *host = jstr_or(rule, "host", "");
        if (*host && n++ < HOSTS_SHOWN)
            buf_addf(&text, "%s%s", text.len ? "," : "", host);
    }
    if (n > HOSTS_SHOWN)
        buf_addf(&text, " + %zu more...", n - HOSTS_SHOWN);
    json_t *cell = json_string(n ? buf_str(&text) : "*");
    buf_done(&text);
    return cell;
}

static json_t *cell_address(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    struct buf text = BUF_INIT(0);
    size_t i;
    json_t *at;
    json_array_foreach(jget(obj, "status.loadBalancer.ingress"), i, at) {
        const char *ip = jstr_or(at, "ip", ""), *shown = *ip ? ip : jstr_or(at, "hostname", "");
        if (*shown)
            buf_addf(&text, "%s%s", text.len ? "," : "", shown);
    }
    json_t *cell = text.len > ADDRESS_WIDTH ? json_sprintf("%.*s...", ADDRESS_WIDTH - 3, buf_str(&text))
                                            : json_string(buf_str(&text));
    buf_done(&text);
    return cell;
}

static json_t *cell_ports(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return json_string(json_array_size(jget(obj, "spec.tls")) ? "80, 443" : "80");
}

const struct column ingress_columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Class", "string", "", 0, cell_class},
    {"Hosts", "string", "", 0, cell_hosts},
    {"Address", "string", "", 0, cell_address},
    {"Ports", "string", "", 0, cell_ports},
    {"Age", "string", "", 0, cell_age},
    {0},
};

const struct kind kind_ingress = {
    .group = "networking.k8s.io",
    .version = "v1",
    .kind = "Ingress",
    .plural = "ingresses",
    .singular = "ingress",
    .list_kind = "IngressList",
    .short_names = (const char *const[]){"ing", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = ingress_columns,
    .check_name = check_dns_subdomain,
    .has_status = true,
    .has_generation = true,
    .validate = ingress_validate,
};
