/* See judge.h. */
#include "netpol/judge.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

/* Does the peer's text mean the pod? */
static bool means(const struct world *w, const char *own_ns, const struct peer *peer, const struct world_pod *pod)
{
    struct err ignored;
    struct selector *namespaces = peer->namespaces ? selector_parse(peer->namespaces, &ignored) : NULL;
    struct selector *pods = selector_parse(peer->pods, &ignored);
    bool yes = pods && (namespaces || !peer->namespaces) && world_selects(w, namespaces, own_ns, pods, pod);
    selector_free(namespaces);
    selector_free(pods);
    return yes;
}

static bool has_peer(const struct world *w, const struct netpolicy *p, const struct netpolicy_rule *r,
                     const struct world_pod *pod, const struct ip *ip)
{
    if (r->any_peer || ranges_have(&r->blocks, ip))
        return true;
    for (size_t i = 0; pod && i < r->n_peers; i++)
        if (means(w, p->ns, &r->peers[i], pod))
            return true;
    return false;
}

/* Names of ports are those of the pod that is reached. */
bool judge_has_port(const struct netpolicy_rule *r, const struct flow *f)
{
    for (size_t i = 0; f->to && i < r->n_names; i++)
        for (size_t j = 0; j < f->to->n_ports; j++) {
            const struct pod_port *port = &f->to->ports[j];
            if (r->names[i].protocol == f->protocol && port->protocol == f->protocol && port->number == f->port &&
                streq(port->name, r->names[i].name))
                return true;
        }
    return netpolicy_rule_has_port(r, f->protocol, f->port);
}

size_t judge_policies(const struct world *w, enum direction d, const struct flow *f, bool *ret_allowed,
                      const struct netpolicy **policies)
{
    const struct world_pod *subject = d == INGRESS ? f->to : f->from, *other = d == INGRESS ? f->from : f->to;
    const struct ip *other_ip = d == INGRESS ? &f->from_ip : &f->to_ip;
    size_t n = subject ? world_policies_of(w, d, subject, policies) : 0;
    *ret_allowed = n == 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < policies[i]->n_rules[d] && !*ret_allowed; j++) {
            const struct netpolicy_rule *r = &policies[i]->rules[d][j];
            *ret_allowed = judge_has_port(r, f) && has_peer(w, policies[i], r, other, other_ip);
        }
    return n;
}

bool judge(const struct world *w, const struct flow *f)
{
    _cleanup_free_ const struct netpolicy **policies = xcalloc(w->policies.len + 1, sizeof(*policies));
    bool in, out;
    judge_policies(w, INGRESS, f, &in, policies);
    judge_policies(w, EGRESS, f, &out, policies);
    return (in && out) || (f->from && f->from == f->to);
}
