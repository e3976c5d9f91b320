/* See srv.h. */
#include "dns/srv.h"

#include "base/alloc.h"
#include "base/str.h"

#define WEIGHT_ALL 100 /* shared by all records of an answer, as CoreDNS does */

static bool is_asked_for(const struct srv_question *q, const struct svc_port *p)
{
    bool named = !q->port || (*p->name && streq(p->name, q->port));
    return named && (!q->protocol || streq(svc_protocol_name(p->protocol), q->protocol));
}

static bool endpoint_is_asked_for(const struct srv_question *q, const struct svc_endpoint *e)
{
    char name[LABEL_SIZE];
    if (!e->ready || !q->endpoint)
        return e->ready;
    record_endpoint_name(e, name);
    return streq(name, q->endpoint);
}

/* Ports of a ClusterIP stand for themselves, others for their endpoints. */
static bool is_by_endpoint(const struct srv_question *q)
{
    return q->svc->headless || q->endpoint;
}

static size_t count(const struct srv_question *q)
{
    size_t n = 0;
    for (const struct svc_port *p = q->svc->ports; p < q->svc->ports + q->svc->n_ports; p++) {
        if (!is_asked_for(q, p))
            continue;
        n += !is_by_endpoint(q);
        for (size_t i = 0; is_by_endpoint(q) && i < p->n_endpoints; i++)
            n += endpoint_is_asked_for(q, &p->endpoints[i]);
    }
    return n;
}

/* --- records --- */

struct emission {
    const struct lookup *l;
    const struct srv_question *q;
    size_t weight;
};

static void emit_srv(const struct emission *e, const knot_dname_t *target, size_t target_size, uint16_t port)
{
    struct record r;
    record_init(&r, NULL, KNOT_RRTYPE_SRV, e->l->ttl);
    record_add_u16(&r, 0);
    record_add_u16(&r, (unsigned)e->weight);
    record_add_u16(&r, port);
    record_add(&r, target, target_size);
    e->l->emit(e->l->arg, KNOT_ANSWER, &r);
}

static void emit_service(const struct emission *e, const struct svc_port *p, bool first)
{
    const struct svc *svc = e->q->svc;
    const char *const labels[] = {svc->name, svc->ns, "svc"};
    knot_dname_storage_t target;
    size_t size = zone_name(e->l->zone, labels, ARRAY_LEN(labels), target);
    if (!size)
        return;
    emit_srv(e, target, size, p->port);
    for (size_t i = 0; first && i < svc->n_cluster_ips; i++)
        record_emit_ip(e->l, KNOT_ADDITIONAL, target, &svc->cluster_ips[i], 0);
}

/* Endpoints are sorted by address. */
static bool has_ready(const struct svc_port *p, const struct ip *ip)
{
    size_t low = 0, high = p->n_endpoints;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ip_compare(&p->endpoints[middle].ip, ip) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < p->n_endpoints && ip_equal(&p->endpoints[low].ip, ip); low++)
        if (p->endpoints[low].ready)
            return true;
    return false;
}

/* With a port before, whose records brought the address along. */
static bool was_emitted(const struct srv_question *q, const struct svc_port *p, const struct ip *ip)
{
    for (const struct svc_port *before = q->svc->ports; before < p; before++)
        if (is_asked_for(q, before) && has_ready(before, ip))
            return true;
    return false;
}

static void emit_endpoint(const struct emission *e, const struct svc_port *p, const struct svc_endpoint *endpoint)
{
    char name[LABEL_SIZE];
    record_endpoint_name(endpoint, name);
    const char *const labels[] = {name, e->q->svc->name, e->q->svc->ns, "svc"};
    knot_dname_storage_t target;
    size_t size = zone_name(e->l->zone, labels, ARRAY_LEN(labels), target);
    if (!size)
        return;
    emit_srv(e, target, size, endpoint->port);
    if (!was_emitted(e->q, p, &endpoint->ip))
        record_emit_ip(e->l, KNOT_ADDITIONAL, target, &endpoint->ip, 0);
}

static void emit_all(const struct emission *e)
{
    bool first = true;
    for (const struct svc_port *p = e->q->svc->ports; p < e->q->svc->ports + e->q->svc->n_ports; p++) {
        if (!is_asked_for(e->q, p))
            continue;
        if (!is_by_endpoint(e->q))
            emit_service(e, p, first);
        first = false;
        for (size_t i = 0; is_by_endpoint(e->q) && i < p->n_endpoints; i++) {
            const struct svc_endpoint *endpoint = &p->endpoints[(i + e->l->rotate) % p->n_endpoints];
            if (endpoint_is_asked_for(e->q, endpoint))
                emit_endpoint(e, p, endpoint);
        }
    }
}

enum lookup_result srv_lookup(const struct lookup *l, const struct srv_question *q)
{
    size_t n = count(q);
    if (!n)
        return LOOKUP_NXDOMAIN;
    if (l->qtype == KNOT_RRTYPE_SRV)
        emit_all(&(struct emission){l, q, WEIGHT_ALL / n ? WEIGHT_ALL / n : 1});
    return LOOKUP_EXISTS;
}

enum lookup_result srv_exists_below(const struct svc *svc, const char *protocol)
{
    for (const struct svc_port *p = svc->ports; p < svc->ports + svc->n_ports; p++) {
        const struct srv_question q = {.svc = svc, .port = p->name, .protocol = protocol};
        if (*p->name && count(&q))
            return LOOKUP_EXISTS;
    }
    return LOOKUP_NXDOMAIN;
}
