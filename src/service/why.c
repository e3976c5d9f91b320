/* See why.h. The order is that of a packet's way: name, address, rules, endpoints, pods, the port in the pod. The pods'
 * part is why_pods.c. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "kinds/node.h"
#include "kinds/nodenetwork.h"
#include "service/why_report.h"

#define ASKED_MAX 5   /* endpoints: enough to see what is wrong */
#define ALIASES_MAX 8 /* as resolvers have it */

/* --- what is said --- */

/* What others have written must not move the cursor of a terminal. */
static void make_printable(char *text)
{
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
}

void report_line(struct report *r, const char *level, const char *fmt, ...)
{
    struct buf text = BUF_INIT(8192);
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&text, fmt, ap);
    va_end(ap);
    make_printable(text.data);
    buf_addf(r->out, "  %-5s %s\n", level, text.data);
    if (streq(level, "NO") && !r->n_bad++)
        buf_adds(r->first, text.data);
    buf_done(&text);
}

const char *report_warning(const struct report *r, const char *kind, const char *name, const char *reason)
{
    size_t i;
    json_t *event;
    const char *message = NULL, *newest = "";
    json_array_foreach((json_t *)r->w->events, i, event) {
        const json_t *about = jget(event, "involvedObject");
        const char *at = jstr(event, "lastTimestamp");
        if (!streq(jstr_or(event, "type", ""), "Warning") || !streq(jstr_or(about, "kind", ""), kind) ||
            !streq(jstr_or(about, "name", ""), name) || (reason && !streq(jstr_or(event, "reason", ""), reason)))
            continue;
        at = str_or(at, jstr_or(event, "eventTime", ""));
        if (strcmp(at, newest) >= 0) {
            newest = at;
            message = jstr(event, "message");
        }
    }
    return message;
}

/* --- the Service --- */

static const char *ip_text(const struct ip *ip, char out[IP_TEXT_SIZE])
{
    return ip_format(ip, out);
}

static const json_t *service_of(const struct report *r, const char *ns, const char *name)
{
    size_t i;
    json_t *doc;
    json_array_foreach((json_t *)r->w->services, i, doc) {
        if (streq(jstr_or(doc, "metadata.name", ""), name) && streq(jstr_or(doc, "metadata.namespace", ""), ns))
            return doc;
    }
    return NULL;
}

static const json_t *find_service(struct report *r)
{
    const json_t *doc = service_of(r, r->w->ns, r->w->name);
    size_t i;
    json_t *other;
    const char *elsewhere = NULL;
    if (doc)
        return doc;
    json_array_foreach((json_t *)r->w->services, i, other) {
        if (streq(jstr_or(other, "metadata.name", ""), r->w->name))
            elsewhere = jstr(other, "metadata.namespace");
    }
    SAY_NO(r, "there is no Service %s in namespace %s%s%s", r->w->name, r->w->ns, elsewhere ? ", but one in " : "",
           str_or(elsewhere, ""));
    return NULL;
}

/* The Service of this cluster that the name is one of; *inside: it is a Service's name, whether there is one or not. */
static const json_t *service_named(const struct report *r, const char *host, bool *inside)
{
    size_t n, at;
    _cleanup_free_ char *wanted = xasprintf("svc.%s", r->w->domain);
    _cleanup_free_ char **parts = str_split(host, '.', &n);
    *inside = false;
    if (n < 3)
        return NULL;
    for (at = 0; at < 2; at++)
        host = strchr(host, '.') + 1;
    size_t len = strlen(wanted);
    *inside = strncasecmp(host, wanted, len) == 0 && (!host[len] || streq(host + len, "."));
    return *inside ? service_of(r, parts[1], parts[0]) : NULL;
}

/* Aliases of aliases, up to one that is none, or that was there before. */
static void explain_alias(struct report *r)
{
    const json_t *at = r->doc;
    struct ip ip;
    for (int i = 0; at; i++) {
        bool inside;
        const char *host = jstr_or(at, "spec.externalName", ""), *name = jstr_or(at, "metadata.name", "");
        if (!streq(jstr_or(at, "spec.type", ""), "ExternalName"))
            return;
        if (i == ALIASES_MAX) {
            SAY_NO(r, "the names lead in a circle, or too far: no resolver follows them to the end");
            return;
        }
        if (ip_parse(host, &ip))
            SAY_NO(r, "externalName %s is taken for a name, although it looks like an address: nobody resolves it",
                   host);
        at = service_named(r, host, &inside);
        if (inside && !at)
            SAY_NO(r, "%s (of Service %s) would be a Service of this cluster, and there is none", host, name);
    }
}

static void explain_name(struct report *r)
{
    const struct svc *s = r->svc;
    char text[IP_TEXT_SIZE];
    if (s->type == SVC_EXTERNAL_NAME)
        SAY_NOTE(r,
                 "%s.%s.svc.%s is another name for %s: DNS says so, and nothing else of the cluster has a part in it",
                 s->name, s->ns, r->w->domain, s->external_name);
    else if (s->headless)
        SAY_OK(r, "%s.%s.svc.%s leads to the ready pods themselves: no address, no rules, and the pods' own port",
               s->name, s->ns, r->w->domain);
    else
        SAY_OK(r, "%s.%s.svc.%s leads to %s", s->name, s->ns, r->w->domain,
               s->n_cluster_ips ? ip_text(&s->cluster_ips[0], text) : "nothing: it has no ClusterIP");
}

static void explain_load_balancer(struct report *r)
{
    char text[IP_TEXT_SIZE];
    if (r->svc->type != SVC_LOAD_BALANCER)
        return;
    const char *class = jstr(r->doc, "spec.loadBalancerClass");
    for (size_t i = 0; i < r->svc->n_lb_ips; i++)
        SAY_OK(r, "EXTERNAL-IP %s", ip_text(&r->svc->lb_ips[i], text));
    if (r->svc->n_lb_source_ranges)
        SAY_NOTE(r, "only clients in %zu ranges may use the EXTERNAL-IP (loadBalancerSourceRanges)",
                 r->svc->n_lb_source_ranges);
    if (!r->svc->n_lb_ips && class)
        SAY_NO(r, "it has no EXTERNAL-IP: loadBalancerClass %s leaves that to another program", class);
    else if (!r->svc->n_lb_ips)
        SAY_NO(r, "it has no EXTERNAL-IP yet: %s",
               str_or(report_warning(r, "Service", r->w->name, NULL), "nobody has given it one, or said why not"));
}

/* --- endpoints --- */

static void ask_endpoints(struct report *r, const struct svc_port *p)
{
    size_t *usable = xcalloc(p->n_endpoints + 1, sizeof(*usable));
    size_t n = svc_usable_endpoints(p, false, NULL, usable);
    const struct svc_endpoint *silent = NULL;
    char text[IP_TEXT_SIZE];
    for (size_t i = 0; i < n && i < ASKED_MAX && r->w->listens && p->protocol == PROTO_TCP; i++) {
        const struct svc_endpoint *e = &p->endpoints[usable[i]];
        if (*e->node && r->w->listens(r->w->arg, e->node, &e->ip, e->port) == WHY_NO)
            silent = e;
        if (silent == e)
            SAY_NO(r, "nobody listens on %s port %u (%s), seen from its node", ip_text(&e->ip, text), e->port,
                   *e->target_name ? e->target_name : "no pod");
    }
    if (silent)
        explain_silence(r, silent);
    free(usable);
}

/* What somebody has written may be called otherwise than the Service calls it. */
static void explain_slice_names(struct report *r, const struct svc_port *p)
{
    size_t i, k;
    json_t *slice, *port;
    json_array_foreach((json_t *)r->w->slices, i, slice) {
        const json_t *labels = jget(slice, "metadata.labels");
        if (!streq(str_or(json_string_value(json_object_get(labels, "kubernetes.io/service-name")), ""), r->w->name))
            continue;
        json_array_foreach(jget(slice, "ports"), k, port) {
            const char *name = jstr_or(port, "name", ""), *protocol = jstr_or(port, "protocol", "TCP");
            if (!streq(name, p->name))
                SAY_NOTE(r, "EndpointSlice %s names its port \"%s\", the Service \"%s\": only equal names meet",
                         jstr_or(slice, "metadata.name", ""), name, p->name);
            else if (strcasecmp(protocol, svc_protocol_name(p->protocol)) != 0)
                SAY_NOTE(r, "EndpointSlice %s has that port as %s", jstr_or(slice, "metadata.name", ""), protocol);
        }
    }
}

static void explain_ports(struct report *r)
{
    if (!r->svc->n_ports)
        SAY_NOTE(r, "it has no ports");
    for (const struct svc_port *p = r->svc->ports; p < r->svc->ports + r->svc->n_ports; p++) {
        size_t *usable = xcalloc(p->n_endpoints + 1, sizeof(*usable));
        size_t n = svc_usable_endpoints(p, false, NULL, usable);
        if (n)
            SAY_OK(r, "port %u/%s: %zu of %zu endpoints take traffic", p->port, svc_protocol_name(p->protocol), n,
                   p->n_endpoints);
        else
            SAY_NO(r, "port %u/%s has no endpoint that takes traffic: clients are refused", p->port,
                   svc_protocol_name(p->protocol));
        if (!n && !p->n_endpoints && !jget(r->doc, "spec.selector"))
            explain_slice_names(r, p);
        free(usable);
        ask_endpoints(r, p);
    }
}

static bool has_local(const struct svc *s, const char *node)
{
    bool all = true;
    for (const struct svc_port *p = s->ports; p < s->ports + s->n_ports; p++) {
        size_t *usable = xcalloc(p->n_endpoints + 1, sizeof(*usable));
        all &= svc_usable_endpoints(p, true, node, usable) > 0;
        free(usable);
    }
    return all;
}

static enum why_answer has_rules(struct report *r, const char *node)
{
    enum why_answer all = WHY_YES;
    for (const struct svc_port *p = r->svc->ports; p < r->svc->ports + r->svc->n_ports; p++) {
        for (size_t i = 0; i < r->svc->n_cluster_ips && all == WHY_YES; i++)
            all = r->w->has_rule(r->w->arg, node, &r->svc->cluster_ips[i], p->protocol, p->port);
    }
    return all;
}

static bool has_endpoint_on(const struct svc *s, const char *node)
{
    for (const struct svc_port *p = s->ports; p < s->ports + s->n_ports; p++)
        for (size_t i = 0; i < p->n_endpoints; i++)
            if (streq(p->endpoints[i].node, node))
                return true;
    return false;
}

static void explain_nodes(struct report *r)
{
    size_t i, n_ruled = 0;
    json_t *node;
    json_array_foreach((json_t *)r->w->nodes, i, node) {
        const char *name = jstr_or(node, "metadata.name", "");
        enum why_answer rules = r->w->has_rule && r->svc->proxied ? has_rules(r, name) : WHY_UNKNOWN;
        if (!node_is_ready(node))
            SAY_NOTE(r, "node %s is not Ready", name);
        if (node_network_trouble(node) && has_endpoint_on(r->svc, name))
            SAY_NO(r, "endpoints on node %s are not reached from everywhere: %s", name, node_network_trouble(node));
        if (rules == WHY_NO)
            SAY_NO(r, "node %s has not all rules for it", name);
        n_ruled += rules == WHY_YES;
        if (!r->svc->proxied || has_local(r->svc, name))
            continue;
        if (r->svc->internal_local)
            SAY_NOTE(r, "from pods on node %s it is silent: internalTrafficPolicy Local, and no endpoint there", name);
        if (r->svc->external_local)
            SAY_NOTE(r,
                     "from outside by way of node %s it is silent: externalTrafficPolicy Local, and no endpoint there",
                     name);
    }
    if (n_ruled)
        SAY_OK(r, "%zu node%s the rules for it", n_ruled, n_ruled == 1 ? " has" : "s have");
}

static void explain_findings(struct report *r)
{
    size_t i;
    json_t *finding;
    json_array_foreach((json_t *)r->w->findings, i, finding)
        report_line(r, jstr_or(finding, "level", ""), "%s", jstr_or(finding, "text", ""));
}

static void explain(struct report *r)
{
    explain_name(r);
    if (r->svc->type == SVC_EXTERNAL_NAME) {
        explain_alias(r);
        return;
    }
    if (!r->svc->headless && !r->svc->proxied)
        SAY_NOTE(r, "label service.kubernetes.io/service-proxy-name leaves its rules to another program");
    explain_load_balancer(r);
    explain_pods(r);
    explain_ports(r);
    explain_nodes(r);
    explain_findings(r);
}

static void fill_model(struct model *m, const struct why *w, const json_t *service)
{
    size_t i;
    json_t *slice;
    model_set_service(m, w->ns, w->name, service);
    json_array_foreach((json_t *)w->slices, i, slice)
        model_set_slice(m, w->ns, jstr_or(slice, "metadata.name", ""), slice);
}

int why_explain(const struct why *w, struct buf *out, struct buf *first)
{
    struct report report = {.w = w, .out = out, .first = first}, *r = &report;
    r->doc = find_service(r);
    if (!r->doc)
        return r->n_bad;
    struct model *m = model_new();
    fill_model(m, w, r->doc);
    r->svc = model_get(m, w->ns, w->name);
    explain(r);
    model_free(m);
    return r->n_bad;
}
