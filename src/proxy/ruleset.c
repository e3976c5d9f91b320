/* See ruleset.h. Two Services may claim one front (the same external address and port): the first keeps it, the other
 * waits without rules for it and gets it when it is given up. */
#include "proxy/ruleset.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "proxy/hostports.h"

struct member {
    struct plan *plan;
    bool waits; /* for a front that another holds */
};

struct ruleset {
    const struct site *site;
    struct map members; /* "ns/name" of Services, "pod ns/name" -> struct member */
    struct map holders; /* front -> struct member */
    struct map pods;    /* that have changed: "pod ns/name" -> document, JSON's null when it is gone */
    size_t n_waiting;
    bool given_up; /* some front, since the waiting were last looked at */
    struct change change;
    struct map remembering; /* "60": the chain remember_60 exists */
    struct buf new_chains;
    int *new_seconds; /* of new_chains */
    size_t n_new_seconds;
    struct rechecks rechecks;
    uint32_t last_number; /* of affinity */
};

struct ruleset *ruleset_new(const struct site *site)
{
    struct ruleset *rs = NEW(struct ruleset);
    rs->site = site;
    return rs;
}

static void member_free(void *p)
{
    struct member *m = p;
    plan_free(m->plan);
    free(m);
}

static void forget_doc(void *p)
{
    json_decref(p);
}

void ruleset_free(struct ruleset *rs)
{
    if (!rs)
        return;
    map_done(&rs->holders);
    map_done_with(&rs->members, member_free);
    map_done_with(&rs->pods, forget_doc);
    map_done(&rs->remembering);
    change_done(&rs->change);
    buf_done(&rs->new_chains);
    free(rs->new_seconds);
    rechecks_done(&rs->rechecks);
    free(rs);
}

size_t ruleset_count(const struct ruleset *rs)
{
    return rs->members.len;
}

/* --- who holds what --- */

static void give_up(struct ruleset *rs, const struct member *m)
{
    char text[FRONT_TEXT_SIZE];
    for (size_t i = 0; m->plan && i < m->plan->n_fronts; i++) {
        if (m->plan->fronts[i].held)
            map_del(&rs->holders, front_text(m->plan, &m->plan->fronts[i], text));
        rs->given_up = true;
    }
}

static void claim(struct ruleset *rs, struct member *m)
{
    char text[FRONT_TEXT_SIZE];
    rs->n_waiting -= m->waits;
    m->waits = false;
    for (size_t i = 0; m->plan && i < m->plan->n_fronts; i++) {
        struct front *f = &m->plan->fronts[i];
        const struct member *holder = map_get(&rs->holders, front_text(m->plan, f, text));
        f->held = !holder || holder == m;
        m->waits |= !f->held;
        if (!holder)
            map_put(&rs->holders, text, m);
    }
    rs->n_waiting += m->waits;
}

/* --- what goes through fronts to the wrong endpoint --- */

static const struct svc_port *find_svc_port(const struct svc *svc, const struct plan_port *port)
{
    for (size_t i = 0; svc && i < svc->n_ports; i++)
        if (svc->ports[i].protocol == port->protocol && streq(svc->ports[i].name, port->name))
            return &svc->ports[i];
    return NULL;
}

static size_t copy_slots(struct target *to, const struct slots *s)
{
    for (size_t i = 0; i < s->n; i++)
        to[i] = s->list[i];
    return s->n;
}

/* The node's addresses that are known here; flows through others end by themselves. */
static size_t host_addresses(const struct site *site, const struct front *f, struct ip *ret)
{
    size_t n = 0;
    if (!front_is_any(f)) {
        ret[n++] = f->ip;
        return n;
    }
    ret[n++] = site->node_ip;
    (void)ip_parse(site->family == AF_INET6 ? "::1" : "127.0.0.1", &ret[n++]);
    for (size_t i = 0; i < site->n_port_ips; i++)
        if (!ip_equal(&site->port_ips[i], &site->node_ip))
            ret[n++] = site->port_ips[i];
    return n;
}

static void recheck_host_flows(struct ruleset *rs, const struct plan *plan, const struct front *f, bool serves)
{
    const struct plan_port *port = &plan->ports[f->port_index];
    if (port->protocol != PROTO_UDP)
        return;
    struct ip *ips = xcalloc(rs->site->n_port_ips + 2, sizeof(*ips));
    size_t n = host_addresses(rs->site, f, ips);
    for (size_t i = 0; i < n; i++) {
        const struct recheck_key key = {.ip = ips[i], .protocol = port->protocol, .port = f->port};
        struct target *pod = xcalloc(port->cluster.n + 1, sizeof(*pod));
        recheck_add(&rs->rechecks.flows, &key, pod, serves ? copy_slots(pod, &port->cluster) : 0);
    }
    free(ips);
}

/* A flow may stay with whoever still serves it, chosen for new ones or not. TCP ends by itself, but for a beginning
 * that nobody answers: its repetitions would go to a lost node until the client gives up. */
static void recheck_flows(struct ruleset *rs, const struct plan *plan, const struct front *f, const struct svc *svc)
{
    const struct svc_port *port = find_svc_port(svc, &plan->ports[f->port_index]);
    enum svc_protocol protocol = plan->ports[f->port_index].protocol;
    size_t n = 0, n_lost = 0;
    if (protocol == PROTO_SCTP)
        return;
    struct target *targets = xcalloc((port ? port->n_endpoints : 0) + 1, sizeof(*targets));
    for (size_t i = 0; port && i < port->n_endpoints; i++) {
        const struct svc_endpoint *e = &port->endpoints[i];
        if (map_get(&rs->site->avoid, e->node))
            n_lost++;
        else if (e->ready || e->serving)
            targets[n++] = (struct target){e->ip, e->port};
    }
    if (protocol == PROTO_TCP && !n_lost) {
        free(targets);
        return;
    }
    const struct recheck_key key = {.ip = f->ip, .protocol = protocol, .port = f->port};
    recheck_add(&rs->rechecks.flows, &key, targets, n);
}

static const struct plan_port *find_plan_port(const struct plan *plan, const struct plan_port *like)
{
    for (size_t i = 0; plan && i < plan->n_ports; i++)
        if (plan->ports[i].protocol == like->protocol && streq(plan->ports[i].name, like->name))
            return &plan->ports[i];
    return NULL;
}

/* port NULL: to nobody any more. Pods come to policy Local's ways as well, and may use all of the cluster there. */
static void recheck_affinity(struct ruleset *rs, uint32_t number, const struct plan_port *port, bool local)
{
    size_t n = 0;
    struct target *targets = xcalloc((port ? port->cluster.n + port->local.n : 0) + 1, sizeof(*targets));
    if (port)
        n += copy_slots(targets, &port->cluster);
    if (port && local)
        n += copy_slots(targets + n, &port->local);
    recheck_add(&rs->rechecks.affinities, &(struct recheck_key){.number = number}, targets, n);
}

/* An affinity holds among those that are chosen, and as long as the Service wants it. */
static void recheck_affinities(struct ruleset *rs, const struct plan *before, const struct plan *now)
{
    for (size_t i = 0; before && before->affinity_seconds && i < before->n_ports; i++) {
        const struct plan_port *old = &before->ports[i],
                               *kept = now && now->affinity_seconds ? find_plan_port(now, old) : NULL;
        recheck_affinity(rs, old->affinity.cluster, kept, false);
        recheck_affinity(rs, old->affinity.local, kept, true);
    }
}

static bool has_front(const struct plan *p, const struct plan *of, const struct front *f)
{
    char a[FRONT_TEXT_SIZE], b[FRONT_TEXT_SIZE];
    front_text(of, f, a);
    for (size_t i = 0; p && i < p->n_fronts; i++)
        if (streq(a, front_text(p, &p->fronts[i], b)))
            return true;
    return false;
}

static void recheck_plans(struct ruleset *rs, const struct plan *before, const struct plan *now, const struct svc *svc)
{
    recheck_affinities(rs, before, now);
    for (size_t i = 0; now && i < now->n_fronts; i++) {
        const struct front *f = &now->fronts[i];
        if (f->held && f->kind == FRONT_HOST)
            recheck_host_flows(rs, now, f, true);
        else if (f->held && f->kind != FRONT_ADDRESS)
            recheck_flows(rs, now, f, svc);
    }
    for (size_t i = 0; before && i < before->n_fronts; i++) {
        const struct front *f = &before->fronts[i];
        bool gone = f->held && f->kind != FRONT_ADDRESS && !has_front(now, before, f);
        if (gone && f->kind == FRONT_HOST)
            recheck_host_flows(rs, before, f, false);
        else if (gone)
            recheck_flows(rs, before, f, NULL);
    }
}

/* --- changes --- */

/* A number means the same as long as its ServicePort wants affinity, and nothing ever after. */
static void number_ports(struct ruleset *rs, const struct plan *before, struct plan *now)
{
    for (size_t i = 0; now && now->affinity_seconds && i < now->n_ports; i++) {
        struct plan_port *port = &now->ports[i];
        const struct plan_port *old = before && before->affinity_seconds ? find_plan_port(before, port) : NULL;
        port->affinity = old ? old->affinity : (struct affinity_numbers){rs->last_number + 1, rs->last_number + 2};
        rs->last_number += old ? 0 : 2;
    }
}

static void need_remember_chain(struct ruleset *rs, const struct plan *plan)
{
    if (!plan || !plan->affinity_seconds)
        return;
    _cleanup_free_ char *seconds = xasprintf("%d", plan->affinity_seconds);
    if (map_get(&rs->remembering, seconds))
        return;
    map_put(&rs->remembering, seconds, rs);
    render_remember(rs->site, plan->affinity_seconds, &rs->new_chains);
    rs->new_seconds = xrealloc(rs->new_seconds, (rs->n_new_seconds + 1) * sizeof(*rs->new_seconds));
    rs->new_seconds[rs->n_new_seconds++] = plan->affinity_seconds;
}

static void note_difference(struct ruleset *rs, struct elements *before, const struct plan *now)
{
    struct elements after;
    elements_of(rs->site, now, &after);
    change_add(&rs->change, before, &after);
    elements_done(&after);
    elements_done(before);
}

/* svc: the Service that `now` was made of, if it was one. */
static void replace(struct ruleset *rs, const char *key, struct plan *now, const struct svc *svc)
{
    struct member *m = map_get(&rs->members, key);
    struct plan *before = m ? m->plan : NULL;
    struct elements elements_before;
    if (!before && !now)
        return;
    if (!m)
        map_put(&rs->members, key, m = NEW(struct member));
    elements_of(rs->site, before, &elements_before);
    give_up(rs, m);
    m->plan = now;
    number_ports(rs, before, now);
    claim(rs, m);
    need_remember_chain(rs, now);
    note_difference(rs, &elements_before, now);
    recheck_plans(rs, before, now, svc);
    plan_free(before);
    if (!now) {
        map_del(&rs->members, key);
        free(m);
    }
}

void ruleset_set(struct ruleset *rs, const char *ns, const char *name, const struct svc *svc)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    const struct member *m = map_get(&rs->members, key);
    replace(rs, key, plan_new(rs->site, svc, m ? m->plan : NULL), svc);
}

void ruleset_set_pod(struct ruleset *rs, const char *ns, const char *name, const json_t *doc)
{
    _cleanup_free_ char *key = xasprintf("pod %s/%s", ns, name);
    json_t *before = map_put(&rs->pods, key, doc ? json_incref((json_t *)(uintptr_t)doc) : json_null());
    json_decref(before);
}

static void settle_pods(struct ruleset *rs)
{
    for (struct map_entry *it = NULL; (it = map_next(&rs->pods, it));)
        replace(rs, it->key, json_is_null((json_t *)it->value) ? NULL : hostports_plan(rs->site, it->value), NULL);
    map_done_with(&rs->pods, forget_doc);
}

/* Whoever waits for a front may have it now. */
static void settle(struct ruleset *rs)
{
    settle_pods(rs);
    if (!rs->given_up)
        return;
    rs->given_up = false;
    if (!rs->n_waiting)
        return;
    for (struct map_entry *it = NULL; (it = map_next(&rs->members, it));) {
        struct member *m = it->value;
        struct elements before;
        if (!m->waits)
            continue;
        elements_of(rs->site, m->plan, &before);
        claim(rs, m);
        note_difference(rs, &before, m->plan);
    }
}

static void forget(struct ruleset *rs)
{
    change_clear(&rs->change);
    buf_clear(&rs->new_chains);
}

bool ruleset_take(struct ruleset *rs, struct buf *out, struct rechecks *ret)
{
    settle(rs);
    *ret = rs->rechecks;
    rs->rechecks = (struct rechecks){0};
    buf_add(out, buf_str(&rs->new_chains), rs->new_chains.len);
    render_change(rs->site, &rs->change, out);
    bool any = rs->new_chains.len || !change_empty(&rs->change) || !rechecks_empty(ret);
    forget(rs);
    return any;
}

void ruleset_full(struct ruleset *rs, struct buf *out, struct rechecks *ret)
{
    struct elements none = {0}, all;
    settle(rs);
    for (struct map_entry *it = NULL; (it = map_next(&rs->members, it));)
        recheck_affinities(rs, ((const struct member *)it->value)->plan, ((const struct member *)it->value)->plan);
    *ret = rs->rechecks;
    rs->rechecks = (struct rechecks){0};
    forget(rs);
    map_clear(&rs->remembering);
    rs->n_new_seconds = 0;
    render_table(rs->site, out);
    for (struct map_entry *it = NULL; (it = map_next(&rs->members, it));) {
        const struct member *m = it->value;
        elements_of(rs->site, m->plan, &all);
        change_add(&rs->change, &none, &all);
        elements_done(&all);
        need_remember_chain(rs, m->plan);
    }
    buf_add(out, buf_str(&rs->new_chains), rs->new_chains.len);
    render_change(rs->site, &rs->change, out);
    /* Tens of megabytes at 10,000 Services: given back, not kept. */
    change_done(&rs->change);
    forget(rs);
}

size_t ruleset_take_seconds(struct ruleset *rs, int **ret)
{
    size_t n = rs->n_new_seconds;
    *ret = rs->new_seconds;
    rs->new_seconds = NULL;
    rs->n_new_seconds = 0;
    return n;
}
