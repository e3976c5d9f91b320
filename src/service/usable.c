/* Which endpoints take traffic (pkg/proxy/topology.go CategorizeEndpoints): the ready ones; when no ready one is left,
 * those that still serve while they terminate. A terminating endpoint that fails its readiness never gets traffic.
 * Decided for each policy and address family on its own. Hints count all or not at all, so that an endpoint without one
 * is never left out by mistake; those for this node come before those for its zone. */
#include <string.h>

#include "base/str.h"
#include "service/model.h"

enum hint { HINT_NONE, HINT_NODE, HINT_ZONE };

struct choice {
    int family; /* 0: any */
    bool local_only;
    const char *node, *zone;
    enum hint hint; /* that ready endpoints must have for us */
};

static const char *hints_of(const struct svc_endpoint *e, enum hint hint)
{
    return hint == HINT_NODE ? e->for_nodes : e->for_zones;
}

static bool hints_at_us(const struct svc_endpoint *e, enum hint hint, const struct choice *c)
{
    const char *wanted = hint == HINT_NODE ? c->node : c->zone;
    size_t len = strlen(wanted);
    for (const char *at = hints_of(e, hint); *at; at = strchr(at, ',') + 1)
        if (len && strncmp(at, wanted, len) == 0 && at[len] == ',')
            return true;
    return false;
}

static bool in_reach(const struct svc_endpoint *e, const struct choice *c)
{
    return (!c->family || e->ip.family == c->family) && (!c->local_only || (*c->node && streq(e->node, c->node)));
}

static size_t pick(const struct svc_port *p, const struct choice *c, bool terminating, size_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_endpoints; i++) {
        const struct svc_endpoint *e = &p->endpoints[i];
        bool wanted = terminating ? e->serving && e->terminating
                                  : e->ready && (c->hint == HINT_NONE || hints_at_us(e, c->hint, c));
        if (wanted && in_reach(e, c))
            out[n++] = i;
    }
    return n;
}

size_t svc_usable_endpoints_of(const struct svc_port *p, int family, bool local_only, const char *node, size_t *out)
{
    struct choice c = {.family = family, .local_only = local_only, .node = str_or(node, "")};
    size_t n = pick(p, &c, false, out);
    return n ? n : pick(p, &c, true, out);
}

static bool hints_count(const struct svc_port *p, const struct choice *c, enum hint hint)
{
    bool at_us = false;
    for (size_t i = 0; i < p->n_endpoints; i++) {
        const struct svc_endpoint *e = &p->endpoints[i];
        if (!e->ready || !in_reach(e, c))
            continue;
        if (!*hints_of(e, hint))
            return false;
        at_us |= hints_at_us(e, hint, c);
    }
    return at_us;
}

size_t svc_near_endpoints_of(const struct svc_port *p, int family, const char *node, const char *zone, size_t *out)
{
    struct choice c = {.family = family, .node = str_or(node, ""), .zone = str_or(zone, "")};
    c.hint = hints_count(p, &c, HINT_NODE) ? HINT_NODE : hints_count(p, &c, HINT_ZONE) ? HINT_ZONE : HINT_NONE;
    size_t n = pick(p, &c, false, out);
    return n ? n : pick(p, &c, true, out);
}

size_t svc_usable_endpoints(const struct svc_port *p, bool local_only, const char *node, size_t *out)
{
    return svc_usable_endpoints_of(p, 0, local_only, node, out);
}
