/* See plan.h. */
#include "proxy/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

static int compare_targets(const void *pa, const void *pb)
{
    const struct target *a = pa, *b = pb;
    int by_ip = ip_compare(&a->ip, &b->ip);
    return by_ip ? by_ip : (int)a->port - (int)b->port;
}

static bool has_target(const struct target *sorted, size_t n, const struct target *t)
{
    return n && bsearch(t, sorted, n, sizeof(*t), compare_targets);
}

void slots_assign(struct slots *now, const struct slots *before, const struct target *want, size_t n)
{
    size_t n_before = before ? before->n : 0, filled = 0;
    struct target *fresh = xcalloc(n + 1, sizeof(*fresh)), *known = xcalloc(n_before + 1, sizeof(*known));
    size_t n_fresh = 0;

    for (size_t i = 0; i < n_before; i++)
        known[i] = before->list[i];
    qsort(known, n_before, sizeof(*known), compare_targets);
    for (size_t i = 0; i < n; i++)
        if (!has_target(known, n_before, &want[i]))
            fresh[n_fresh++] = want[i];

    now->list = xcalloc(n + 1, sizeof(*now->list));
    now->n = n;
    /* Those that stay in reach keep their slot; newcomers take the gaps; what then still gapes takes the last ones. */
    size_t last = n_before;
    for (size_t slot = 0; slot < n; slot++) {
        bool stays = slot < n_before && has_target(want, n, &before->list[slot]);
        if (stays) {
            now->list[slot] = before->list[slot];
        } else if (filled < n_fresh) {
            now->list[slot] = fresh[filled++];
        } else {
            while (!has_target(want, n, &before->list[--last]))
                ;
            now->list[slot] = before->list[last];
        }
    }
    free(fresh);
    free(known);
}

/* --- ports --- */

static size_t without_avoided(const struct site *site, const struct svc_port *p, const size_t *from, size_t n,
                              size_t *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!map_get(&site->avoid, p->endpoints[from[i]].node))
            to[kept++] = from[i];
    return kept;
}

/* Endpoints on a node that is not heard are the last resort: perhaps it is we who hear badly. */
static size_t find_usable(const struct site *site, const struct svc_port *p, size_t *ret)
{
    size_t near = svc_near_endpoints_of(p, site->family, site->node_name, site->node_zone, ret);
    if (!site->avoid.len)
        return near;
    size_t *all = xcalloc(p->n_endpoints + 1, sizeof(*all));
    size_t n_all = svc_usable_endpoints_of(p, site->family, false, NULL, all);
    size_t kept = without_avoided(site, p, ret, near, ret);
    if (!kept)
        kept = without_avoided(site, p, all, n_all, ret);
    if (!kept)
        kept = svc_near_endpoints_of(p, site->family, site->node_name, site->node_zone, ret);
    free(all);
    return kept;
}

static void assign(const struct site *site, const struct svc_port *p, bool local, const struct slots *before,
                   struct slots *now)
{
    size_t *usable = xcalloc(p->n_endpoints + 1, sizeof(*usable));
    size_t n =
        local ? svc_usable_endpoints_of(p, site->family, true, site->node_name, usable) : find_usable(site, p, usable);
    struct target *want = xcalloc(n + 1, sizeof(*want));
    if (n > SLOTS_MAX)
        n = SLOTS_MAX;
    for (size_t i = 0; i < n; i++) {
        want[i].ip = p->endpoints[usable[i]].ip;
        want[i].port = p->endpoints[usable[i]].port;
    }
    slots_assign(now, before, want, n);
    free(usable);
    free(want);
}

static const struct plan_port *find_port(const struct plan *p, const struct svc_port *port)
{
    for (size_t i = 0; p && i < p->n_ports; i++)
        if (p->ports[i].protocol == port->protocol && streq(p->ports[i].name, port->name))
            return &p->ports[i];
    return NULL;
}

static void add_ports(struct plan *plan, const struct site *site, const struct svc *svc, const struct plan *before)
{
    plan->ports = xcalloc(svc->n_ports + 1, sizeof(*plan->ports));
    for (size_t i = 0; i < svc->n_ports; i++) {
        const struct svc_port *from = &svc->ports[i];
        const struct plan_port *old = find_port(before, from);
        struct plan_port *to = &plan->ports[plan->n_ports++];
        to->name = xstrdup(from->name);
        to->protocol = from->protocol;
        assign(site, from, false, old ? &old->cluster : NULL, &to->cluster);
        if (svc->internal_local || svc->external_local)
            assign(site, from, true, old ? &old->local : NULL, &to->local);
    }
}

/* --- fronts --- */

bool front_is_any(const struct front *f)
{
    static const unsigned char zeros[sizeof(f->ip.bytes)];
    return f->kind == FRONT_HOST && memcmp(f->ip.bytes, zeros, sizeof(zeros)) == 0;
}

void plan_add_front(struct plan *plan, const struct site *site, const struct front *f)
{
    if (f->ip.family != site->family || (f->kind != FRONT_ADDRESS && !f->port) || ip_equal(&f->ip, &site->dns))
        return;
    for (size_t i = 0; i < plan->n_fronts; i++) { /* an external address may be the load balancer's too */
        const struct front *g = &plan->fronts[i];
        if (g->port == f->port && ip_equal(&g->ip, &f->ip) &&
            (f->port == 0 || plan->ports[g->port_index].protocol == plan->ports[f->port_index].protocol))
            return;
    }
    plan->fronts = xrealloc(plan->fronts, (plan->n_fronts + 1) * sizeof(*plan->fronts));
    plan->fronts[plan->n_fronts++] = *f;
}

static void add_fronts(struct plan *plan, const struct site *site, const struct svc *svc)
{
    const struct {
        enum front_kind kind;
        const struct ip *ips;
        size_t n;
    } groups[] = {
        {FRONT_CLUSTER, svc->cluster_ips, svc->n_cluster_ips},
        {FRONT_LOAD_BALANCER, svc->lb_ips, svc->n_lb_ips},
        {FRONT_EXTERNAL, svc->external_ips, svc->n_external_ips},
        {FRONT_NODE, site->port_ips, site->n_port_ips},
    };
    for (size_t i = 0; i < svc->n_cluster_ips; i++)
        plan_add_front(plan, site, &(struct front){.kind = FRONT_ADDRESS, .ip = svc->cluster_ips[i]});
    for (size_t p = 0; p < svc->n_ports; p++)
        for (size_t g = 0; g < ARRAY_LEN(groups); g++)
            for (size_t i = 0; i < groups[g].n; i++)
                plan_add_front(
                    plan, site,
                    &(struct front){.kind = groups[g].kind,
                                    .ip = groups[g].ips[i],
                                    .port = groups[g].kind == FRONT_NODE ? svc->ports[p].node_port : svc->ports[p].port,
                                    .port_index = p});
}

/* --- source ranges --- */

/* The kernel's interval sets refuse a range inside another, so the smaller one goes. */
static void add_range(struct plan *plan, const struct cidr *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->n_ranges; i++)
        if (cidr_covers(&plan->ranges[i], c))
            return;
    for (size_t i = 0; i < plan->n_ranges; i++)
        if (!cidr_covers(c, &plan->ranges[i]))
            plan->ranges[kept++] = plan->ranges[i];
    plan->n_ranges = kept;
    plan->ranges = xrealloc(plan->ranges, (plan->n_ranges + 1) * sizeof(*plan->ranges));
    plan->ranges[plan->n_ranges++] = *c;
}

static void add_ranges(struct plan *plan, const struct site *site, const struct svc *svc)
{
    struct cidr c;
    for (size_t i = 0; i < svc->n_lb_source_ranges; i++)
        if (cidr_parse(svc->lb_source_ranges[i], &c) && c.ip.family == site->family)
            add_range(plan, &c);
    if (plan->n_ranges && plan->ranges[0].prefix == 0)
        plan->n_ranges = 0; /* the whole world: no restriction */
}

struct plan *plan_new(const struct site *site, const struct svc *svc, const struct plan *before)
{
    if (!svc || !svc->proxied)
        return NULL;
    struct plan *plan = NEW(struct plan);
    plan->ns = xstrdup(svc->ns);
    plan->name = xstrdup(svc->name);
    plan->internal_local = svc->internal_local;
    plan->external_local = svc->external_local;
    plan->affinity_seconds = svc->affinity_seconds;
    add_ports(plan, site, svc, before);
    add_fronts(plan, site, svc);
    add_ranges(plan, site, svc);
    return plan;
}

static void free_text(const char *s)
{
    free((void *)(uintptr_t)s);
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_ports; i++) {
        free_text(p->ports[i].name);
        free(p->ports[i].cluster.list);
        free(p->ports[i].local.list);
    }
    free(p->ports);
    free(p->fronts);
    free(p->ranges);
    free_text(p->ns);
    free_text(p->name);
    free(p);
}
