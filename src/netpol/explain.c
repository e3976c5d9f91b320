/* See explain.h. The endpoints are judged as the nodes' rules would judge them, by judge.h. */
#include "netpol/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "netpol/judge.h"

#define TOLD_MAX 5 /* endpoints of a port: enough to see what is wrong */
#define NAMES_SIZE 512

struct explanation {
    const struct netpol_question *q;
    struct world world;
    struct world_pod *from;           /* NULL: nobody in particular, or one that no policy is about */
    const struct netpolicy **scratch; /* room for all */
    json_t *findings;
};

static void say(struct explanation *e, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct explanation *e, const char *level, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    json_array_append_new(e->findings, json_pack("{s:s, s:s}", "level", level, "text", text));
}

/* "NetworkPolicy a lets", "NetworkPolicies a, b let"; the verb in both its forms. */
static const char *names_of(const struct netpolicy *const *list, size_t n, const char *one, const char *many,
                            char out[NAMES_SIZE])
{
    struct buf b = BUF_INIT(0);
    for (size_t i = 0; i < n; i++)
        buf_addf(&b, "%s%s", i ? ", " : "", list[i]->name);
    snprintf(out, NAMES_SIZE, "NetworkPolic%s %.400s %s", n == 1 ? "y" : "ies", buf_str(&b), n == 1 ? one : many);
    buf_done(&b);
    return out;
}

/* --- the world --- */

/* As if it had come from a watch: what a list gives lacks nothing that we look at. */
static struct object *object_of(const struct kind *k, const json_t *doc)
{
    return jstr(doc, "metadata.name") && jstr(doc, "metadata.resourceVersion") ? object_new(k, doc) : NULL;
}

static struct world_pod *pod_of(const json_t *doc)
{
    _cleanup_object_ struct object *o = object_of(&kind_pod, doc);
    return o ? world_pod_new(o) : NULL;
}

static void learn(struct explanation *e)
{
    size_t i;
    json_t *doc;
    json_array_foreach(e->q->pods, i, doc) {
        struct world_pod *p = pod_of(doc);
        _cleanup_free_ char *key = p ? make_object_key(p->object->ns, p->object->name) : NULL;
        if (p)
            world_pod_free(map_put(&e->world.pods, key, p));
    }
    json_array_foreach(e->q->namespaces, i, doc) {
        struct object *o = object_of(&kind_namespace, doc);
        if (o)
            object_unref(map_put(&e->world.namespaces, o->name, o));
    }
    json_array_foreach(e->q->policies, i, doc) {
        struct netpolicy *p =
            netpolicy_new(jstr_or(doc, "metadata.namespace", ""), jstr_or(doc, "metadata.name", ""), doc);
        _cleanup_free_ char *key = make_object_key(p->ns, p->name);
        netpolicy_free(map_put(&e->world.policies, key, p));
    }
    e->from = e->q->from ? pod_of(e->q->from) : NULL;
    e->scratch = xcalloc(e->world.policies.len + 1, sizeof(*e->scratch));
}

/* --- one client --- */

/* True: the way is free. to: how people call what is at the other end. */
static bool judge_flow(struct explanation *e, enum direction d, const struct flow *f, const char *to)
{
    char names[NAMES_SIZE];
    bool allowed;
    size_t n = judge_policies(&e->world, d, f, &allowed, e->scratch);
    if (!allowed)
        say(e, "NO", "%s pod %s from port %u/%s of %s (%s)", names_of(e->scratch, n, "keeps", "keep", names),
            e->from ? e->from->object->name : "?", f->port, svc_protocol_name(f->protocol), to,
            d == INGRESS ? "ingress there" : "its egress");
    return allowed;
}

static bool explain_client(struct explanation *e, const struct flow *f, const char *to)
{
    bool out = judge_flow(e, EGRESS, f, to);
    return judge_flow(e, INGRESS, f, to) && out;
}

static void explain_dns(struct explanation *e)
{
    struct ips dns;
    struct flow f = {.from = e->from, .from_ip = e->from->ips.ip[0], .protocol = PROTO_UDP, .port = 53};
    if (!ips_parse(e->q->cluster_dns, &dns))
        return;
    struct world_pod *to = world_dns_pod(&dns);
    f.to = to;
    f.to_ip = dns.ip[0];
    judge_flow(e, EGRESS, &f, "the cluster's DNS");
    world_pod_free(to);
}

/* --- any client --- */

/* Whether some rule lets anybody at all, or everybody, reach the port of the pod. */
static void explain_anybody(struct explanation *e, const struct flow *f, const char *to)
{
    char names[NAMES_SIZE];
    bool somebody = false, everybody = false;
    size_t n = world_policies_of(&e->world, INGRESS, f->to, e->scratch);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < e->scratch[i]->n_rules[INGRESS]; j++) {
            const struct netpolicy_rule *r = &e->scratch[i]->rules[INGRESS][j];
            if (!judge_has_port(r, f))
                continue;
            somebody |= r->any_peer || r->n_peers || r->blocks.n;
            everybody |= r->any_peer;
        }
    if (n && !somebody)
        say(e, "NO", "%s nobody reach port %u/%s of %s", names_of(e->scratch, n, "lets", "let", names), f->port,
            svc_protocol_name(f->protocol), to);
    else if (n && !everybody)
        say(e, "note", "%s only some reach port %u/%s of %s (--from POD tells whether it is one of them)",
            names_of(e->scratch, n, "lets", "let", names), f->port, svc_protocol_name(f->protocol), to);
}

/* --- all of it --- */

/* Returns whether the client reaches it. */
static bool explain_endpoint(struct explanation *e, const struct svc_port *p, const struct svc_endpoint *at)
{
    char ip[IP_TEXT_SIZE], to[400];
    _cleanup_free_ char *key = make_object_key(at->target_ns, at->target_name);
    struct flow f = {.from = e->from,
                     .to = map_get(&e->world.pods, key),
                     .to_ip = at->ip,
                     .protocol = p->protocol,
                     .port = at->port};
    snprintf(to, sizeof(to), "%s%s", f.to ? "pod " : "", f.to ? f.to->object->name : ip_format(&at->ip, ip));
    const struct ip *own = e->from ? ips_of(&e->from->ips, at->ip.family) : NULL;
    if (own)
        f.from_ip = *own;
    if (e->from && f.to && streq(e->from->object->uid, f.to->object->uid))
        return true;
    if (e->from)
        return explain_client(e, &f, to);
    if (f.to)
        explain_anybody(e, &f, to);
    return true;
}

static void explain_ports(struct explanation *e, const struct svc *s)
{
    bool all = true;
    size_t n = 0;
    for (const struct svc_port *p = s->ports; p < s->ports + s->n_ports; p++)
        for (size_t i = 0; i < p->n_endpoints && i < TOLD_MAX; i++, n++)
            all &= explain_endpoint(e, p, &p->endpoints[i]);
    if (e->from && all && n)
        say(e, "ok", "NetworkPolicies let pod %s through", e->from->object->name);
}

json_t *netpol_explain(const struct netpol_question *q)
{
    struct explanation e = {.q = q, .findings = json_array()};
    const char *ns = jstr_or(q->service, "metadata.namespace", ""), *name = jstr_or(q->service, "metadata.name", "");
    struct model *m = model_new();
    size_t i;
    json_t *slice;
    learn(&e);
    if (q->service)
        model_set_service(m, ns, name, q->service);
    json_array_foreach(q->slices, i, slice)
        model_set_slice(m, ns, jstr_or(slice, "metadata.name", ""), slice);
    const struct svc *s = model_get(m, ns, name);
    if (s && e.world.policies.len) {
        if (e.from && e.from->ips.n)
            explain_dns(&e);
        explain_ports(&e, s);
    }
    model_free(m);
    world_pod_free(e.from);
    world_done(&e.world);
    free(e.scratch);
    return e.findings;
}
