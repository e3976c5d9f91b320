/* Which endpoints belong to which port of a Service. A slice's port belongs to the Service's port of the same name and
 * protocol; slices may differ in ports (a named target port that pods resolve differently) and may, while the
 * controller moves endpoints, name one endpoint twice: then the copy in the better condition counts. */
#include "service/resolve.h"

#include "base/alloc.h"
#include "base/str.h"

static int rank(const struct svc_endpoint *e)
{
    return e->ready ? 0 : e->serving ? 1 : 2;
}

/* By address and port; of equals the one to keep comes first. The tail only makes the order independent of the slices'.
 */
static int compare_endpoints(const void *pa, const void *pb)
{
    const struct svc_endpoint *a = pa, *b = pb;
    int by_ip = ip_compare(&a->ip, &b->ip), by_text;
    if (by_ip)
        return by_ip;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (rank(a) != rank(b))
        return rank(a) - rank(b);
    if (a->terminating != b->terminating)
        return a->terminating - b->terminating;
    if ((by_text = strcmp(a->target_name, b->target_name)) || (by_text = strcmp(a->node, b->node)) ||
        (by_text = strcmp(a->hostname, b->hostname)) || (by_text = strcmp(a->target_ns, b->target_ns)) ||
        (by_text = strcmp(a->for_zones, b->for_zones)) || (by_text = strcmp(a->for_nodes, b->for_nodes)))
        return by_text;
    return strcmp(a->zone, b->zone);
}

static size_t sort_unique(struct svc_endpoint *list, size_t n)
{
    size_t kept = 0;
    qsort(list, n, sizeof(*list), compare_endpoints);
    for (size_t i = 0; i < n; i++) {
        bool again = kept && ip_equal(&list[i].ip, &list[kept - 1].ip) && list[i].port == list[kept - 1].port;
        if (!again)
            list[kept++] = list[i];
    }
    return kept;
}

struct endpoint_list {
    struct svc_endpoint *list;
    size_t n;
};

static void add_endpoints(struct endpoint_list *l, const struct slice *slice, uint16_t port,
                          const struct resolve_nodes *nodes)
{
    if (!slice->n_endpoints)
        return;
    l->list = xrealloc(l->list, (l->n + slice->n_endpoints) * sizeof(*l->list));
    for (size_t i = 0; i < slice->n_endpoints; i++) {
        struct svc_endpoint *e = &l->list[l->n++];
        *e = slice->endpoints[i];
        e->port = port;
        if (!*e->zone && *e->node)
            e->zone = nodes->zone_of(nodes->arg, e->node);
    }
}

static bool same_port(const struct svc_port *p, const struct slice_port *sp)
{
    return p->protocol == sp->protocol && streq(p->name, sp->name);
}

/* kube-proxy does not see slices that carry one of the labels, DNS does. */
static bool counts(const struct svc *s, const struct slice *slice)
{
    return !s->proxied || !slice->hidden_from_proxy;
}

static void resolve_port(struct svc *s, struct svc_port *p, const struct list *slices,
                         const struct resolve_nodes *nodes)
{
    struct endpoint_list all = {0};
    LIST_EACH(it, slices) {
        const struct slice *slice = container_of(it, struct slice, link);
        for (size_t i = 0; i < slice->n_ports && counts(s, slice); i++)
            if (same_port(p, &slice->ports[i]))
                add_endpoints(&all, slice, slice->ports[i].port, nodes);
    }
    p->endpoints = all.list;
    p->n_endpoints = all.n ? sort_unique(all.list, all.n) : 0;
}

static bool has_port(const struct svc *s, const struct slice_port *sp)
{
    for (size_t i = 0; i < s->n_ports; i++)
        if (same_port(&s->ports[i], sp))
            return true;
    return false;
}

static int compare_ports(const void *pa, const void *pb)
{
    const struct svc_port *a = pa, *b = pb;
    int by_name = strcmp(a->name, b->name);
    return by_name ? by_name : (int)a->protocol - (int)b->protocol;
}

/* Of the slices that give the port different numbers, the smallest stands for it. */
static void add_slice_ports(struct svc *s, size_t n_declared, const struct list *slices)
{
    LIST_EACH(it, slices) {
        const struct slice *slice = container_of(it, struct slice, link);
        for (size_t i = 0; i < slice->n_ports; i++) {
            const struct slice_port *sp = &slice->ports[i];
            if (has_port(s, sp))
                continue;
            s->ports = xrealloc(s->ports, (s->n_ports + 1) * sizeof(*s->ports));
            s->ports[s->n_ports++] =
                (struct svc_port){.name = sp->name, .protocol = sp->protocol, .app_protocol = sp->app_protocol};
        }
    }
    if (s->n_ports > n_declared)
        qsort(s->ports + n_declared, s->n_ports - n_declared, sizeof(*s->ports), compare_ports);
}

static uint16_t smallest_port(const struct svc_port *p)
{
    uint16_t port = 0;
    for (size_t i = 0; i < p->n_endpoints; i++)
        if (!port || p->endpoints[i].port < port)
            port = p->endpoints[i].port;
    return port;
}

static void resolve_addresses(struct svc *s, const struct list *slices, const struct resolve_nodes *nodes)
{
    struct endpoint_list all = {0};
    LIST_EACH(it, slices)
        add_endpoints(&all, container_of(it, struct slice, link), 0, nodes);
    s->addresses = all.list;
    s->n_addresses = all.n ? sort_unique(all.list, all.n) : 0;
}

void resolve_clear(struct svc *s, size_t n_declared)
{
    for (size_t i = 0; i < s->n_ports; i++) {
        free(s->ports[i].endpoints);
        s->ports[i].endpoints = NULL;
        s->ports[i].n_endpoints = 0;
    }
    s->n_ports = n_declared;
    free(s->addresses);
    s->addresses = NULL;
    s->n_addresses = 0;
}

void resolve(struct svc *s, size_t n_declared, const struct list *slices, const struct resolve_nodes *nodes)
{
    resolve_clear(s, n_declared);
    if (s->headless)
        add_slice_ports(s, n_declared, slices);
    for (size_t i = 0; i < s->n_ports; i++) {
        resolve_port(s, &s->ports[i], slices, nodes);
        if (i >= n_declared)
            s->ports[i].port = smallest_port(&s->ports[i]);
    }
    if (s->headless)
        resolve_addresses(s, slices, nodes);
}
