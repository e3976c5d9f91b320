/* See records.h. Which names there are (labels in front of the zone):
 *
 *     (none), svc, pod, NS.svc, NS.pod             exist, hold nothing (the zone itself: SOA, NS)
 *     dns-version                                  TXT
 *     ns.dns                                       this server
 *     SERVICE.NS.svc                               its ClusterIPs; headless: its ready endpoints; ExternalName: CNAME
 *     ENDPOINT.SERVICE.NS.svc                      one ready endpoint, by hostname or dashed address
 *     _PORT._PROTOCOL.SERVICE.NS.svc               SRV (as for the two before, of all their ports): srv.c
 *     DASHED-ADDRESS.NS.pod                        the address itself */
#include "dns/records.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "dns/srv.h"

#define TTL_NEGATIVE 0    /* what does not exist may exist a moment later: nobody is to remember its absence */
#define TTL_VERSION 28800 /* the specification's example */
#define LABELS_MAX 5
#define DNS_VERSION "1.1.0"
#define SOA_REFRESH 7200
#define SOA_RETRY 1800
#define SOA_EXPIRE 86400

/* --- making records --- */

void record_init(struct record *r, const knot_dname_t *owner, uint16_t type, uint32_t ttl)
{
    r->owner = owner;
    r->type = type;
    r->ttl = ttl;
    r->len = 0;
}

void record_add(struct record *r, const void *data, size_t len)
{
    memcpy(&r->rdata[r->len], data, len); /* at most two names and twenty bytes: fits */
    r->len = (uint16_t)(r->len + len);
}

void record_add_u16(struct record *r, unsigned v)
{
    const uint8_t bytes[] = {(uint8_t)(v >> 8), (uint8_t)v};
    record_add(r, bytes, sizeof(bytes));
}

static void add_u32(struct record *r, uint32_t v)
{
    record_add_u16(r, v >> 16);
    record_add_u16(r, v & 0xffff);
}

static void add_zone_name(struct record *r, const struct zone *z, const char *label1, const char *label2)
{
    const char *const labels[] = {label1, label2};
    knot_dname_storage_t name;
    record_add(r, name, zone_name(z, labels, label2 ? 2 : 1, name));
}

void record_soa(const struct zone *z, struct record *r)
{
    record_init(r, z->origin, KNOT_RRTYPE_SOA, TTL_NEGATIVE);
    add_zone_name(r, z, "ns", "dns");
    add_zone_name(r, z, "hostmaster", NULL);
    add_u32(r, 1); /* serial: nobody transfers the zone */
    add_u32(r, SOA_REFRESH);
    add_u32(r, SOA_RETRY);
    add_u32(r, SOA_EXPIRE);
    add_u32(r, TTL_NEGATIVE);
}

static void emit(const struct lookup *l, const struct record *r)
{
    l->emit(l->arg, KNOT_ANSWER, r);
}

void record_emit_ip(const struct lookup *l, knot_section_t section, const knot_dname_t *owner, const struct ip *ip,
                    uint16_t qtype)
{
    struct record r;
    uint16_t type = ip->family == AF_INET ? KNOT_RRTYPE_A : KNOT_RRTYPE_AAAA;
    if (qtype && qtype != type)
        return;
    record_init(&r, owner, type, l->ttl);
    record_add(&r, ip->bytes, ip->family == AF_INET ? 4 : 16);
    l->emit(l->arg, section, &r);
}

static void emit_ptr_name(const struct lookup *l, const knot_dname_t *name, size_t size)
{
    struct record r;
    record_init(&r, NULL, KNOT_RRTYPE_PTR, l->ttl);
    record_add(&r, name, size);
    emit(l, &r);
}

static void emit_ptr(const struct lookup *l, const char *const *labels, size_t n)
{
    knot_dname_storage_t name;
    size_t size = zone_name(l->zone, labels, n, name);
    if (size && l->qtype == KNOT_RRTYPE_PTR)
        emit_ptr_name(l, name, size);
}

/* --- endpoints --- */

void record_endpoint_name(const struct svc_endpoint *e, char out[LABEL_SIZE])
{
    size_t len = strlen(e->hostname);
    if (len > 0 && len < LABEL_SIZE)
        memcpy(out, e->hostname, len + 1);
    else
        ip_dashed(&e->ip, out);
}

/* All addresses behind a Service: as the model has merged them for headless ones, else port by port. */
struct endpoint_list {
    const struct svc *svc;
    size_t n_lists;
};

static struct endpoint_list endpoints_of(const struct svc *svc)
{
    return (struct endpoint_list){svc, svc->headless ? 1 : svc->n_ports};
}

static const struct svc_endpoint *endpoint_sublist(const struct endpoint_list *l, size_t i, size_t *ret_n)
{
    *ret_n = l->svc->headless ? l->svc->n_addresses : l->svc->ports[i].n_endpoints;
    return l->svc->headless ? l->svc->addresses : l->svc->ports[i].endpoints;
}

static enum lookup_result lookup_headless(const struct lookup *l, const struct svc *svc)
{
    enum lookup_result result = LOOKUP_NXDOMAIN; /* the specification: no ready endpoint, no name */
    for (size_t i = 0; i < svc->n_addresses; i++) {
        const struct svc_endpoint *e = &svc->addresses[(i + l->rotate) % svc->n_addresses];
        if (!e->ready)
            continue;
        result = LOOKUP_EXISTS;
        record_emit_ip(l, KNOT_ANSWER, NULL, &e->ip, l->qtype);
    }
    return result;
}

static enum lookup_result lookup_endpoint(const struct lookup *l, const struct svc *svc, const char *wanted)
{
    enum lookup_result result = LOOKUP_NXDOMAIN;
    const struct endpoint_list lists = endpoints_of(svc);
    struct ip last = {0};
    for (size_t k = 0; k < lists.n_lists; k++) {
        size_t n;
        const struct svc_endpoint *list = endpoint_sublist(&lists, k, &n);
        for (size_t i = 0; i < n; i++) {
            char name[LABEL_SIZE];
            record_endpoint_name(&list[i], name);
            if (!list[i].ready || !streq(name, wanted) || ip_equal(&list[i].ip, &last))
                continue;
            last = list[i].ip;
            result = LOOKUP_EXISTS;
            record_emit_ip(l, KNOT_ANSWER, NULL, &list[i].ip, l->qtype);
        }
        if (result == LOOKUP_EXISTS)
            break; /* the other ports lead to the same addresses */
    }
    return result;
}

/* --- Services --- */

/* CNAME holds for every type. An external name that is spelled like an address would not resolve: no name. */
static enum lookup_result lookup_external_name(const struct lookup *l, const struct svc *svc)
{
    struct record r;
    struct ip ip;
    knot_dname_storage_t target;
    if (ip_parse(svc->external_name, &ip) || !knot_dname_from_str(target, svc->external_name, sizeof(target)))
        return LOOKUP_NXDOMAIN;
    record_init(&r, NULL, KNOT_RRTYPE_CNAME, l->ttl);
    record_add(&r, target, knot_dname_size(target));
    emit(l, &r);
    return LOOKUP_EXISTS;
}

static enum lookup_result lookup_service(const struct lookup *l, const struct svc *svc)
{
    if (svc->type == SVC_EXTERNAL_NAME)
        return lookup_external_name(l, svc);
    enum lookup_result result = svc->headless ? lookup_headless(l, svc) : LOOKUP_EXISTS;
    for (size_t i = 0; i < svc->n_cluster_ips; i++)
        record_emit_ip(l, KNOT_ANSWER, NULL, &svc->cluster_ips[i], l->qtype);
    if (l->qtype == KNOT_RRTYPE_SRV && result == LOOKUP_EXISTS)
        (void)srv_lookup(l, &(struct srv_question){.svc = svc}); /* one without ports has a name all the same */
    return result;
}

/* CoreDNS takes them with underscores or without. */
static enum lookup_result lookup_port(const struct lookup *l, const struct svc *svc, const char *port,
                                      const char *protocol)
{
    const struct srv_question q = {
        .svc = svc, .port = port + (*port == '_'), .protocol = protocol + (*protocol == '_')};
    return *q.port ? srv_lookup(l, &q) : LOOKUP_NXDOMAIN;
}

/* labels: what is in front of `svc`, at least one. */
static enum lookup_result lookup_svc(const struct lookup *l, char labels[][LABEL_SIZE], int n)
{
    const char *ns = labels[n - 1];
    if (n == 1)
        return model_has_namespace(l->model, ns) ? LOOKUP_EXISTS : LOOKUP_NXDOMAIN;
    const struct svc *svc = model_get(l->model, ns, labels[n - 2]);
    if (!svc)
        return LOOKUP_NXDOMAIN;
    if (n == 2)
        return lookup_service(l, svc);
    if (svc->type == SVC_EXTERNAL_NAME)
        return LOOKUP_NXDOMAIN;
    const char *third = labels[n - 3];
    if (n == 4)
        return lookup_port(l, svc, labels[0], third);
    if (third[0] == '_')
        return srv_exists_below(svc, third + 1);
    enum lookup_result result = lookup_endpoint(l, svc, third);
    if (l->qtype == KNOT_RRTYPE_SRV && result == LOOKUP_EXISTS)
        (void)srv_lookup(l, &(struct srv_question){.svc = svc, .endpoint = third});
    return result;
}

/* Any address of an existing namespace, without a look at the pods ("pods insecure", what every cluster's Corefile
 * has). */
static enum lookup_result lookup_pod(const struct lookup *l, char labels[][LABEL_SIZE], int n)
{
    struct ip ip;
    if (n > 2 || !model_has_namespace(l->model, labels[n - 1]))
        return LOOKUP_NXDOMAIN;
    if (n == 1)
        return LOOKUP_EXISTS;
    if (!ip_from_dashed(labels[0], &ip))
        return LOOKUP_NXDOMAIN;
    record_emit_ip(l, KNOT_ANSWER, NULL, &ip, l->qtype);
    return LOOKUP_EXISTS;
}

/* --- the rest of the zone --- */

static enum lookup_result lookup_apex(const struct lookup *l)
{
    struct record r;
    if (l->qtype == KNOT_RRTYPE_SOA) {
        record_soa(l->zone, &r);
        r.ttl = l->ttl;
        r.owner = NULL;
        emit(l, &r);
    } else if (l->qtype == KNOT_RRTYPE_NS) {
        record_init(&r, NULL, KNOT_RRTYPE_NS, l->ttl);
        add_zone_name(&r, l->zone, "ns", "dns");
        emit(l, &r);
    }
    return LOOKUP_EXISTS;
}

static enum lookup_result lookup_version(const struct lookup *l)
{
    struct record r;
    if (l->qtype == KNOT_RRTYPE_TXT) {
        static const char text[] = DNS_VERSION;
        const uint8_t len = sizeof(text) - 1;
        record_init(&r, NULL, KNOT_RRTYPE_TXT, TTL_VERSION);
        record_add(&r, &len, 1);
        record_add(&r, text, len);
        emit(l, &r);
    }
    return LOOKUP_EXISTS;
}

static enum lookup_result lookup_zone(const struct lookup *l, char labels[][LABEL_SIZE], int n)
{
    if (n == 0)
        return lookup_apex(l);
    const char *last = labels[n - 1];
    if (n == 1 && streq(last, "dns-version"))
        return lookup_version(l);
    if (streq(last, "svc"))
        return n == 1 ? LOOKUP_EXISTS : lookup_svc(l, labels, n - 1);
    if (streq(last, "pod"))
        return n == 1 ? LOOKUP_EXISTS : lookup_pod(l, labels, n - 1);
    if (streq(last, "dns") && n == 1)
        return LOOKUP_EXISTS;
    if (streq(last, "dns") && n == 2 && streq(labels[0], "ns")) {
        for (int i = 0; i < l->zone->servers.n; i++)
            record_emit_ip(l, KNOT_ANSWER, NULL, &l->zone->servers.ip[i], l->qtype);
        return LOOKUP_EXISTS;
    }
    return LOOKUP_NXDOMAIN;
}

/* --- reverse names --- */

struct ptr_visit {
    const struct lookup *l;
    const struct ip *ip;
    bool found;
};

static void ptr_of_endpoint(void *arg, const struct svc *svc)
{
    struct ptr_visit *v = arg;
    const struct endpoint_list lists = endpoints_of(svc);
    for (size_t k = 0; k < lists.n_lists; k++) {
        size_t n;
        const struct svc_endpoint *list = endpoint_sublist(&lists, k, &n);
        for (size_t i = 0; i < n; i++) {
            if (!list[i].ready || !ip_equal(&list[i].ip, v->ip))
                continue;
            char name[LABEL_SIZE];
            record_endpoint_name(&list[i], name);
            const char *const labels[] = {name, svc->name, svc->ns, "svc"};
            emit_ptr(v->l, labels, ARRAY_LEN(labels));
            v->found = true;
            return;
        }
    }
}

/* --- given by hand --- */

/* Known for whatever type: what is not there is not asked of others. */
static enum lookup_result lookup_hosts(const struct lookup *l, const knot_dname_t *name)
{
    size_t n;
    const struct ip *ips = hosts_addresses(l->hosts, name, &n);
    for (size_t i = 0; i < n; i++)
        record_emit_ip(l, KNOT_ANSWER, NULL, &ips[i], l->qtype);
    return n ? LOOKUP_EXISTS : LOOKUP_FOREIGN;
}

static enum lookup_result lookup_hosts_reverse(const struct lookup *l, const struct ip *ip)
{
    const knot_dname_t *name;
    for (size_t i = 0; (name = hosts_name(l->hosts, ip, i)); i++)
        if (l->qtype == KNOT_RRTYPE_PTR)
            emit_ptr_name(l, name, knot_dname_size(name));
    return hosts_name(l->hosts, ip, 0) ? LOOKUP_EXISTS : LOOKUP_FOREIGN;
}

/* Addresses that no Service uses may belong to the network outside: its resolver knows. */
static enum lookup_result lookup_reverse(const struct lookup *l, const struct ip *ip)
{
    const struct svc *svc = model_by_ip(l->model, ip);
    if (svc) {
        const char *const labels[] = {svc->name, svc->ns, "svc"};
        emit_ptr(l, labels, ARRAY_LEN(labels));
        return LOOKUP_EXISTS;
    }
    struct ptr_visit visit = {l, ip, false};
    reverse_each(l->reverse, ip, ptr_of_endpoint, &visit);
    return visit.found ? LOOKUP_EXISTS : lookup_hosts_reverse(l, ip);
}

enum lookup_result lookup_run(const struct lookup *l, const knot_dname_t *name)
{
    char labels[LABELS_MAX][LABEL_SIZE];
    struct ip ip;
    int n = zone_labels(l->zone, name, labels, LABELS_MAX);
    if (n > LABELS_MAX)
        return LOOKUP_NXDOMAIN;
    if (n >= 0)
        return lookup_zone(l, labels, n);
    return ip_from_reverse_name(name, &ip) ? lookup_reverse(l, &ip) : lookup_hosts(l, name);
}
