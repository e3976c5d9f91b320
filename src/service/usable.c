/* Which endpoints take traffic (pkg/proxy/topology.go CategorizeEndpoints): the ready ones; when no ready one is left,
 * those that still serve while they terminate. A terminating endpoint that fails its readiness never gets traffic.
 * Decided for each policy and address family on its own. */
#include "base/str.h"
#include "service/model.h"

struct choice {
    int family; /* 0: any */
    bool local_only;
    const char *node;
};

static bool in_reach(const struct svc_endpoint *e, const struct choice *c)
{
    return (!c->family || e->ip.family == c->family) && (!c->local_only || (*c->node && streq(e->node, c->node)));
}

static size_t pick(const struct svc_port *p, const struct choice *c, bool terminating, size_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_endpoints; i++) {
        const struct svc_endpoint *e = &p->endpoints[i];
        if (in_reach(e, c) && (terminating ? e->serving && e->terminating : e->ready))
            out[n++] = i;
    }
    return n;
}

size_t svc_usable_endpoints_of(const struct svc_port *p, int family, bool local_only, const char *node, size_t *out)
{
    struct choice c = {family, local_only, str_or(node, "")};
    size_t n = pick(p, &c, false, out);
    return n ? n : pick(p, &c, true, out);
}

size_t svc_usable_endpoints(const struct svc_port *p, bool local_only, const char *node, size_t *out)
{
    return svc_usable_endpoints_of(p, 0, local_only, node, out);
}
