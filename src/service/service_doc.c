/* A Service document read: type, addresses, ports and policies, with upstream's rules for what counts when
 * (serviceport.go newBaseServiceInfo). */
#include <ctype.h>

#include "base/str.h"
#include "json/json.h"
#include "service/documents.h"

#define AFFINITY_SECONDS_DEFAULT 10800

static const char *const protocol_names[PROTO_N] = {[PROTO_TCP] = "tcp", [PROTO_UDP] = "udp", [PROTO_SCTP] = "sctp"};
static const char *const type_names[SVC_TYPE_N] = {
    [SVC_CLUSTER_IP] = "ClusterIP",
    [SVC_NODE_PORT] = "NodePort",
    [SVC_LOAD_BALANCER] = "LoadBalancer",
    [SVC_EXTERNAL_NAME] = "ExternalName",
};

const char *svc_protocol_name(enum svc_protocol p)
{
    return protocol_names[p];
}

bool protocol_parse(const char *text, enum svc_protocol *ret)
{
    for (int p = 0; p < PROTO_N; p++) {
        if (strcasecmp(str_or(text, "TCP"), protocol_names[p]) == 0) {
            *ret = (enum svc_protocol)p;
            return true;
        }
    }
    return false;
}

const char *label_of(const json_t *doc, const char *key)
{
    return json_string_value(json_object_get(jget(doc, "metadata.labels"), key));
}

/* kube-proxy watches only what carries neither label. */
bool hidden_from_proxy(const json_t *doc)
{
    const json_t *labels = jget(doc, "metadata.labels");
    return json_object_get(labels, "service.kubernetes.io/service-proxy-name") ||
           json_object_get(labels, "service.kubernetes.io/headless");
}

static enum svc_type parse_type(const char *text)
{
    for (int t = 0; t < SVC_TYPE_N; t++)
        if (text && streq(text, type_names[t]))
            return (enum svc_type)t;
    return SVC_CLUSTER_IP;
}

static uint16_t parse_port(const json_t *o, const char *path)
{
    int64_t port = jint(o, path, 0);
    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Appends the addresses that parse; others are not ours to judge here. */
static void add_ip(struct ip **list, size_t *n, const char *text)
{
    struct ip ip;
    if (!text || !ip_parse(text, &ip))
        return;
    *list = xrealloc(*list, (*n + 1) * sizeof(**list));
    (*list)[(*n)++] = ip;
}

static void add_ips(struct ip **list, size_t *n, const json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
        add_ip(list, n, json_string_value(item));
}

static void parse_cluster_ips(struct svc *s, const json_t *spec)
{
    const json_t *list = jget(spec, "clusterIPs");
    const char *first = json_array_size(list) ? json_string_value(json_array_get(list, 0)) : jstr(spec, "clusterIP");
    s->headless = streq(str_or(first, ""), "None");
    if (s->headless)
        return;
    if (json_array_size(list))
        add_ips(&s->cluster_ips, &s->n_cluster_ips, list);
    else
        add_ip(&s->cluster_ips, &s->n_cluster_ips, first);
}

static void parse_load_balancer(struct svc *s, const json_t *doc)
{
    size_t i;
    json_t *ingress;
    json_array_foreach(jget(doc, "status.loadBalancer.ingress"), i, ingress)
        if (streq(jstr_or(ingress, "ipMode", "VIP"), "VIP"))
            add_ip(&s->lb_ips, &s->n_lb_ips, jstr(ingress, "ip"));
}

static void parse_source_ranges(struct svc *s, const json_t *ranges)
{
    size_t i;
    json_t *item;
    const char **list = xcalloc(json_array_size(ranges) + 1, sizeof(*list));
    json_array_foreach(ranges, i, item) {
        const char *text = str_or(json_string_value(item), "");
        while (isspace((unsigned char)*text))
            text++;
        size_t len = strlen(text);
        while (len && isspace((unsigned char)text[len - 1]))
            len--;
        if (len)
            list[s->n_lb_source_ranges++] = xstrndup(text, len);
    }
    s->lb_source_ranges = list;
}

static void parse_ports(struct svc *s, const json_t *ports)
{
    size_t i;
    json_t *item;
    s->ports = xcalloc(json_array_size(ports) + 1, sizeof(*s->ports));
    json_array_foreach(ports, i, item) {
        struct svc_port *p = &s->ports[s->n_ports];
        if (!protocol_parse(jstr(item, "protocol"), &p->protocol))
            continue;
        p->name = xstrdup(jstr_or(item, "name", ""));
        p->app_protocol = xstrdup(jstr_or(item, "appProtocol", ""));
        p->port = parse_port(item, "port");
        if (s->type == SVC_NODE_PORT || s->type == SVC_LOAD_BALANCER)
            p->node_port = parse_port(item, "nodePort");
        s->n_ports++;
    }
}

static int parse_affinity(const json_t *spec)
{
    if (!streq(jstr_or(spec, "sessionAffinity", "None"), "ClientIP"))
        return 0;
    int64_t seconds = jint(spec, "sessionAffinityConfig.clientIP.timeoutSeconds", AFFINITY_SECONDS_DEFAULT);
    return seconds > 0 && seconds <= 86400 ? (int)seconds : AFFINITY_SECONDS_DEFAULT;
}

void service_parse(struct svc *s, const char *ns, const char *name, const json_t *doc)
{
    const json_t *spec = jget(doc, "spec");
    s->ns = xstrdup(ns);
    s->name = xstrdup(name);
    s->type = parse_type(jstr(spec, "type"));
    s->external_name = xstrdup(s->type == SVC_EXTERNAL_NAME ? jstr_or(spec, "externalName", "") : "");
    parse_ports(s, jget(spec, "ports"));
    parse_source_ranges(s, jget(spec, "loadBalancerSourceRanges"));
    if (s->type == SVC_EXTERNAL_NAME)
        return;
    parse_cluster_ips(s, spec);
    s->proxied = s->n_cluster_ips > 0 && !hidden_from_proxy(doc);
    add_ips(&s->external_ips, &s->n_external_ips, jget(spec, "externalIPs"));
    if (s->type == SVC_LOAD_BALANCER)
        parse_load_balancer(s, doc);
    s->internal_local = streq(jstr_or(spec, "internalTrafficPolicy", "Cluster"), "Local");
    s->external_local = streq(jstr_or(spec, "externalTrafficPolicy", "Cluster"), "Local");
    s->affinity_seconds = parse_affinity(spec);
    if (s->type == SVC_LOAD_BALANCER && s->external_local)
        s->health_check_node_port = parse_port(spec, "healthCheckNodePort");
}

static void free_const(const void *p)
{
    free((void *)(uintptr_t)p);
}

void service_done(struct svc *s)
{
    for (size_t i = 0; i < s->n_ports; i++) {
        free_const(s->ports[i].name);
        free_const(s->ports[i].app_protocol);
    }
    for (size_t i = 0; i < s->n_lb_source_ranges; i++)
        free_const(s->lb_source_ranges[i]);
    free_const(s->lb_source_ranges);
    free_const(s->ns);
    free_const(s->name);
    free_const(s->external_name);
    free(s->cluster_ips);
    free(s->external_ips);
    free(s->lb_ips);
    free(s->ports);
    *s = (struct svc){0};
}
