/* See filters.h. */
#include "sched/filters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/taints.h"
#include "sched/affinity.h"
#include "sched/claims.h"

typedef bool filter_fn(const struct decision *d, const struct sched_node *n, struct refusals *why);

void refusals_add(struct refusals *why, const char *reason)
{
    map_put(&why->counts, reason, (void *)((uintptr_t)map_get(&why->counts, reason) + 1));
}

static bool refuse(struct refusals *why, const char *reason)
{
    refusals_add(why, reason);
    return false;
}

static const json_t *tolerations(const struct sched_pod *p)
{
    return json_object_get(p->spec, "tolerations");
}

static bool is_schedulable(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    if (!n->unschedulable)
        return true;
    _cleanup_json_ json_t *taint =
        json_pack("{s:s, s:s}", "key", "node.kubernetes.io/unschedulable", "effect", "NoSchedule");
    return taint_is_tolerated(taint, tolerations(d->pod)) || refuse(why, "node(s) were unschedulable");
}

static bool is_named(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    return !d->pod->node || streq(d->pod->node, n->name) || refuse(why, "node(s) didn't match the requested node name");
}

static bool tolerates(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    size_t i;
    json_t *taint;
    json_array_foreach(n->taints, i, taint) {
        const char *effect = jstr_or(taint, "effect", "");
        if ((!streq(effect, "NoSchedule") && !streq(effect, "NoExecute")) ||
            taint_is_tolerated(taint, tolerations(d->pod)))
            continue;
        _cleanup_free_ char *reason =
            xasprintf("node(s) had untolerated taint {%s: %s}", jstr_or(taint, "key", ""), jstr_or(taint, "value", ""));
        return refuse(why, reason);
    }
    return true;
}

/* What taints say is said already; this is for the moment before they are there. */
static bool is_ready(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    if (n->ready || jfind(n->taints, "key", "node.kubernetes.io/not-ready") ||
        jfind(n->taints, "key", "node.kubernetes.io/unreachable"))
        return true;
    _cleanup_json_ json_t *taint =
        json_pack("{s:s, s:s}", "key", "node.kubernetes.io/not-ready", "effect", "NoSchedule");
    return taint_is_tolerated(taint, tolerations(d->pod)) || refuse(why, "node(s) were not ready");
}

static bool matches_affinity(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    return !d->pod->picks_nodes || node_is_required(d->pod, n) ||
           refuse(why, "node(s) didn't match Pod's node affinity/selector");
}

static bool ports_collide(const json_t *a, const json_t *b)
{
    const char *ip_a = jstr_or(a, "ip", ""), *ip_b = jstr_or(b, "ip", "");
    return jint(a, "port", 0) == jint(b, "port", -1) && streq(jstr_or(a, "protocol", ""), jstr_or(b, "protocol", "")) &&
           (streq(ip_a, ip_b) || streq(ip_a, "0.0.0.0") || streq(ip_b, "0.0.0.0"));
}

static bool port_is_free(const json_t *port, const struct sched_node *n)
{
    for (size_t i = 0; i < n->n_pods; i++) {
        const json_t *taken = n->pods[i]->host_ports;
        for (size_t k = 0; k < json_array_size(taken); k++)
            if (ports_collide(port, json_array_get(taken, k)))
                return false;
    }
    return true;
}

static bool has_free_ports(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    const json_t *ports = d->pod->host_ports;
    for (size_t i = 0; i < json_array_size(ports); i++)
        if (!port_is_free(json_array_get(ports, i), n))
            return refuse(why, "node(s) didn't have free ports for the requested pod ports");
    return true;
}

static bool has_amount(const struct sched_pod *p, const struct sched_node *n, const char *resource,
                       struct refusals *why)
{
    int64_t wanted = amount_of(&p->requests, resource);
    if (wanted <= 0 || wanted <= amount_of(&n->allocatable, resource) - amount_of(&n->requested, resource))
        return true;
    _cleanup_free_ char *reason = xasprintf("Insufficient %s", resource);
    return refuse(why, reason);
}

static bool has_resources(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    static const char *const known[] = {"cpu", "memory", "ephemeral-storage"};
    const struct sched_pod *p = d->pod;
    bool fits = n->requested.pods + 1 <= n->allocatable.pods || refuse(why, "Too many pods");
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        fits &= has_amount(p, n, known[i], why);
    const char *name;
    json_t *value;
    json_object_foreach(p->requests.others, name, value)
        fits &= has_amount(p, n, name, why);
    return fits;
}

static bool reaches_volumes(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    const char *reason = d->pod->claims ? claims_refuse(d->pod->claims, n) : NULL;
    return !reason || refuse(why, reason);
}

static bool has_spread_labels(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    return spread_has_labels(&d->spread, n) ||
           refuse(why, "node(s) didn't match pod topology spread constraints (missing required label)");
}

static bool keeps_spread(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    return spread_holds(&d->spread, n) || refuse(why, "node(s) didn't match pod topology spread constraints");
}

static bool has_company(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    return is_near(&d->near, d->pod, n) || refuse(why, "node(s) didn't match pod affinity rules");
}

static bool keeps_away(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    return is_away(&d->near, d->pod, n) || refuse(why, "node(s) didn't match pod anti-affinity rules");
}

static bool is_welcome(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    return is_tolerated(&d->near, n) || refuse(why, "node(s) didn't satisfy existing pods anti-affinity rules");
}

static const struct {
    filter_fn *passes;
    unsigned causes; /* enum cause: what may change its mind */
    bool for_good;   /* no matter which pods leave the node */
} filters[] = {
    {is_schedulable, CAUSE_NODE, true},
    {is_named, CAUSE_NODE, true},
    {tolerates, CAUSE_NODE, true},
    {is_ready, CAUSE_NODE, true},
    {matches_affinity, CAUSE_NODE, true},
    {has_free_ports, CAUSE_NODE | CAUSE_ROOM, false},
    {has_resources, CAUSE_NODE | CAUSE_ROOM, false},
    {reaches_volumes, CAUSE_NODE | CAUSE_STORAGE, true},
    {has_spread_labels, CAUSE_NODE, true},
    {keeps_spread, CAUSE_NODE | CAUSE_ROOM | CAUSE_COMPANY, false},
    {has_company, CAUSE_NODE | CAUSE_COMPANY, true},
    {keeps_away, CAUSE_NODE | CAUSE_ROOM, false},
    {is_welcome, CAUSE_NODE | CAUSE_ROOM, false},
};

enum fit node_fits(const struct decision *d, const struct sched_node *n, struct refusals *why)
{
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        if (filters[i].passes(d, n, why))
            continue;
        why->causes |= filters[i].causes;
        return filters[i].for_good ? FIT_NEVER : FIT_NO;
    }
    return FIT_YES;
}

void decision_begin(struct decision *d, const struct cluster *c, const struct sched_pod *p)
{
    *d = (struct decision){.pod = p};
    nearness_count(&d->near, p, c);
    spread_count(&d->spread, p, NULL, c, true);
}

void decision_done(struct decision *d)
{
    nearness_done(&d->near);
    spread_done(&d->spread);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *refusals_text(struct refusals *why, size_t n_nodes)
{
    struct buf b = BUF_INIT(0);
    _cleanup_free_ char **reasons = xcalloc(why->counts.len + 1, sizeof(char *));
    size_t n = 0;
    for (struct map_entry *e = NULL; (e = map_next(&why->counts, e));)
        reasons[n++] = xasprintf("%zu %s", (size_t)(uintptr_t)e->value, e->key);
    qsort(reasons, n, sizeof(char *), by_text);
    buf_addf(&b, "0/%zu nodes are available", n_nodes);
    for (size_t i = 0; i < n; i++) {
        buf_addf(&b, "%s%s", i ? ", " : ": ", reasons[i]);
        free(reasons[i]);
    }
    buf_addc(&b, '.');
    refusals_done(why);
    return buf_take(&b);
}

void refusals_done(struct refusals *why)
{
    map_done(&why->counts);
}
