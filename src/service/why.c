/* See why.h. The order is that of a packet's way: name, address, rules, endpoints, pods, the port in the pod. */
#include "service/why.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define SHOWN_MAX 5 /* pods, or endpoints that are asked: enough to see what is wrong */

struct report {
    const struct why *w;
    struct buf *out;
    int n_bad;
    const json_t *doc;
    const struct svc *svc;
};

static void say(struct report *r, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct report *r, const char *level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addf(r->out, "  %-5s ", level);
    buf_addv(r->out, fmt, ap);
    buf_addc(r->out, '\n');
    va_end(ap);
}
#define OK(...) say(r, "ok", __VA_ARGS__)
#define NOTE(...) say(r, "note", __VA_ARGS__)
#define BAD(...) (r->n_bad++, say(r, "NO", __VA_ARGS__))

/* --- the Service --- */

static const char *ip_text(const struct ip *ip, char out[IP_TEXT_SIZE])
{
    return ip_format(ip, out);
}

static const json_t *find_service(struct report *r)
{
    size_t i;
    json_t *doc;
    const json_t *namesake = NULL;
    json_array_foreach((json_t *)r->w->services, i, doc) {
        if (!streq(jstr_or(doc, "metadata.name", ""), r->w->name))
            continue;
        if (streq(jstr_or(doc, "metadata.namespace", ""), r->w->ns))
            return doc;
        namesake = doc;
    }
    BAD("there is no Service %s in namespace %s%s%s", r->w->name, r->w->ns, namesake ? ", but one in " : "",
        namesake ? jstr(namesake, "metadata.namespace") : "");
    return NULL;
}

static void explain_name(struct report *r)
{
    const struct svc *s = r->svc;
    char text[IP_TEXT_SIZE];
    if (s->type == SVC_EXTERNAL_NAME)
        NOTE("%s.%s.svc.%s is another name for %s: DNS says so, and nothing else of the cluster has a part in it",
             s->name, s->ns, r->w->domain, s->external_name);
    else if (s->headless)
        OK("%s.%s.svc.%s leads to the ready pods themselves: no address, no rules, and the pods' own port", s->name,
           s->ns, r->w->domain);
    else
        OK("%s.%s.svc.%s leads to %s", s->name, s->ns, r->w->domain,
           s->n_cluster_ips ? ip_text(&s->cluster_ips[0], text) : "nothing: it has no ClusterIP");
}

static void explain_load_balancer(struct report *r)
{
    char text[IP_TEXT_SIZE];
    if (r->svc->type != SVC_LOAD_BALANCER)
        return;
    const char *class = jstr(r->doc, "spec.loadBalancerClass");
    for (size_t i = 0; i < r->svc->n_lb_ips; i++)
        OK("EXTERNAL-IP %s", ip_text(&r->svc->lb_ips[i], text));
    if (r->svc->n_lb_source_ranges)
        NOTE("only clients in %zu ranges may use the EXTERNAL-IP (loadBalancerSourceRanges)",
             r->svc->n_lb_source_ranges);
    if (!r->svc->n_lb_ips && class)
        BAD("it has no EXTERNAL-IP: loadBalancerClass %s leaves that to another program", class);
    else if (!r->svc->n_lb_ips)
        BAD("it has no EXTERNAL-IP yet; its Events say why (kubectl describe service)");
}

/* --- pods --- */

static bool selected(const json_t *selector, const json_t *pod)
{
    const char *key;
    json_t *value;
    const json_t *labels = jget(pod, "metadata.labels");
    json_object_foreach((json_t *)selector, key, value) {
        if (!json_equal(json_object_get(labels, key), value))
            return false;
    }
    return true;
}

static char *selector_text(const json_t *selector)
{
    struct buf b = BUF_INIT(4096);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)selector, key, value)
        buf_addf(&b, "%s%s=%s", b.len ? "," : "", key, str_or(json_string_value(value), ""));
    return buf_take(&b);
}

static bool is_ready(const json_t *pod)
{
    return streq(jstr_or(jfind(jget(pod, "status.conditions"), "type", "Ready"), "status", ""), "True");
}

static bool is_over(const json_t *pod)
{
    const char *phase = jstr_or(pod, "status.phase", "");
    return streq(phase, "Succeeded") || streq(phase, "Failed");
}

/* The first container that keeps the pod from being ready, and why. */
static const char *reason_of(const json_t *pod, const char **ret_container)
{
    size_t i;
    json_t *status;
    *ret_container = "";
    json_array_foreach(jget(pod, "status.containerStatuses"), i, status) {
        if (jbool(status, "ready", false))
            continue;
        *ret_container = jstr_or(status, "name", "");
        const char *waiting = jstr(status, "state.waiting.reason"), *ended = jstr(status, "state.terminated.reason");
        const json_t *container = jfind(jget(pod, "spec.containers"), "name", *ret_container);
        return waiting                             ? waiting
               : ended                             ? ended
               : jget(container, "readinessProbe") ? "its readiness probe fails"
                                                   : "it is starting";
    }
    const json_t *scheduled = jfind(jget(pod, "status.conditions"), "type", "PodScheduled");
    if (streq(jstr_or(scheduled, "status", ""), "False"))
        return jstr_or(scheduled, "message", "no node has been found for it");
    return "its readiness gates or its node keep it back";
}

static void explain_unready(struct report *r, const json_t *pod)
{
    const char *container, *reason = reason_of(pod, &container);
    const char *name = jstr_or(pod, "metadata.name", "");
    if (jget(pod, "metadata.deletionTimestamp"))
        NOTE("pod %s is being deleted", name);
    else if (is_over(pod))
        NOTE("pod %s has ended (%s)", name, jstr_or(pod, "status.phase", ""));
    else
        NOTE("pod %s is not ready: %s%s%s", name, *container ? container : "", *container ? ": " : "", reason);
}

static bool has_named_port(const json_t *pod, const char *wanted)
{
    size_t i;
    json_t *container;
    json_array_foreach(jget(pod, "spec.containers"), i, container) {
        if (jfind(jget(container, "ports"), "name", wanted))
            return true;
    }
    return false;
}

static void explain_target_ports(struct report *r, const json_t *pod)
{
    size_t i;
    json_t *port;
    json_array_foreach(jget(r->doc, "spec.ports"), i, port) {
        const char *named = jstr(port, "targetPort");
        if (named && !has_named_port(pod, named))
            BAD("target port \"%s\" is no container port's name in pod %s", named, jstr_or(pod, "metadata.name", ""));
    }
}

static void explain_pods(struct report *r)
{
    size_t i, n = 0, n_ready = 0, n_shown = 0;
    json_t *pod;
    const json_t *selector = jget(r->doc, "spec.selector"), *example = NULL;
    if (!json_object_size(selector)) {
        NOTE("it has no selector: its endpoints are what somebody has written");
        return;
    }
    _cleanup_free_ char *text = selector_text(selector);
    json_array_foreach((json_t *)r->w->pods, i, pod) {
        if (!selected(selector, pod))
            continue;
        n++;
        n_ready += is_ready(pod);
        example = pod;
    }
    if (!n) {
        BAD("selector %s matches no pod in namespace %s", text, r->w->ns);
        return;
    }
    if (n_ready)
        OK("selector %s matches %zu pod%s, %zu of them ready", text, n, n == 1 ? "" : "s", n_ready);
    else
        BAD("selector %s matches %zu pod%s, and none of them is ready", text, n, n == 1 ? "" : "s");
    json_array_foreach((json_t *)r->w->pods, i, pod) {
        if (selected(selector, pod) && !is_ready(pod) && n_shown++ < SHOWN_MAX)
            explain_unready(r, pod);
    }
    explain_target_ports(r, example);
}

/* --- endpoints --- */

static void ask_endpoints(struct report *r, const struct svc_port *p)
{
    size_t *usable = xcalloc(p->n_endpoints + 1, sizeof(*usable));
    size_t n = svc_usable_endpoints(p, false, NULL, usable);
    char text[IP_TEXT_SIZE];
    for (size_t i = 0; i < n && i < SHOWN_MAX && r->w->listens && p->protocol == PROTO_TCP; i++) {
        const struct svc_endpoint *e = &p->endpoints[usable[i]];
        if (*e->node && r->w->listens(r->w->arg, e->node, &e->ip, e->port) == WHY_NO)
            BAD("nobody listens on %s port %u (%s), seen from its node", ip_text(&e->ip, text), e->port,
                *e->target_name ? e->target_name : "no pod");
    }
    free(usable);
}

static void explain_ports(struct report *r)
{
    if (!r->svc->n_ports)
        NOTE("it has no ports");
    for (const struct svc_port *p = r->svc->ports; p < r->svc->ports + r->svc->n_ports; p++) {
        size_t *usable = xcalloc(p->n_endpoints + 1, sizeof(*usable));
        size_t n = svc_usable_endpoints(p, false, NULL, usable);
        if (n)
            OK("port %u/%s: %zu of %zu endpoints take traffic", p->port, svc_protocol_name(p->protocol), n,
               p->n_endpoints);
        else
            BAD("port %u/%s has no endpoint that takes traffic: clients are refused", p->port,
                svc_protocol_name(p->protocol));
        free(usable);
        ask_endpoints(r, p);
    }
}

static bool node_is_ready(const json_t *node)
{
    return streq(jstr_or(jfind(jget(node, "status.conditions"), "type", "Ready"), "status", ""), "True");
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

static void explain_nodes(struct report *r)
{
    size_t i, n_ruled = 0;
    json_t *node;
    json_array_foreach((json_t *)r->w->nodes, i, node) {
        const char *name = jstr_or(node, "metadata.name", "");
        enum why_answer rules = r->w->has_rule && r->svc->proxied ? has_rules(r, name) : WHY_UNKNOWN;
        if (!node_is_ready(node))
            NOTE("node %s is not Ready", name);
        if (rules == WHY_NO)
            BAD("node %s has not all rules for it", name);
        n_ruled += rules == WHY_YES;
        if (!r->svc->proxied || has_local(r->svc, name))
            continue;
        if (r->svc->internal_local)
            NOTE("from pods on node %s it is silent: internalTrafficPolicy Local, and no endpoint there", name);
        if (r->svc->external_local)
            NOTE("from outside by way of node %s it is silent: externalTrafficPolicy Local, and no endpoint there",
                 name);
    }
    if (n_ruled)
        OK("%zu node%s the rules for it", n_ruled, n_ruled == 1 ? " has" : "s have");
}

static void explain(struct report *r)
{
    explain_name(r);
    if (r->svc->type == SVC_EXTERNAL_NAME)
        return;
    if (!r->svc->headless && !r->svc->proxied)
        NOTE("label service.kubernetes.io/service-proxy-name leaves its rules to another program");
    explain_load_balancer(r);
    explain_pods(r);
    explain_ports(r);
    explain_nodes(r);
}

static void fill_model(struct model *m, const struct why *w, const json_t *service)
{
    size_t i;
    json_t *slice;
    model_set_service(m, w->ns, w->name, service);
    json_array_foreach((json_t *)w->slices, i, slice)
        model_set_slice(m, w->ns, jstr_or(slice, "metadata.name", ""), slice);
}

int why_explain(const struct why *w, struct buf *out)
{
    struct report report = {.w = w, .out = out}, *r = &report;
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
