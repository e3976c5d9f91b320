/* See pool.h. */
#include "lb/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

struct range {
    struct ip first, last;
    size_t at; /* place of the first in holders */
};
/* One of an address's holders, the longest first. */
struct holder {
    struct holder *next;
    char *owner, *key, *backends;
    uint32_t *ports;
    size_t n_ports;
};
struct lb_pool {
    struct range *ranges; /* sorted, apart */
    size_t n_ranges, size;
    struct holder **holders;
};

static int bad_range(struct err *err, const char *text)
{
    return err_set(err, EINVAL, "\"%s\" is no range of addresses (FIRST-LAST, ADDRESS/BITS or ADDRESS)", text);
}

static int too_many(struct err *err, const char *text)
{
    return err_set(err, EINVAL, "\"%s\" has more than %d addresses", text, LB_POOL_MAX);
}

static int parse_network(const char *text, struct range *ret, struct err *err)
{
    struct cidr c;
    if (!cidr_parse(text, &c))
        return bad_range(err, text);
    int bits = ip_bits(c.ip.family) - c.prefix;
    if (bits > LB_POOL_BITS)
        return too_many(err, text);
    *ret = (struct range){.first = c.ip, .last = cidr_nth(&c, (1u << bits) - 1)};
    return 0;
}

static int parse_range(const char *text, struct range *ret, struct err *err)
{
    const char *dash = strchr(text, '-');
    _cleanup_free_ char *first = xstrndup(text, dash ? (size_t)(dash - text) : strlen(text));
    if (strchr(text, '/'))
        return parse_network(text, ret, err);
    return ip_parse(first, &ret->first) && ip_parse(dash ? dash + 1 : text, &ret->last) &&
                   ret->first.family == ret->last.family && ip_compare(&ret->first, &ret->last) <= 0
               ? 0
               : bad_range(err, text);
}

static int by_first(const void *pa, const void *pb)
{
    const struct range *a = pa, *b = pb;
    return ip_compare(&a->first, &b->first);
}

static int lay_out(struct lb_pool *p, const char *text, struct err *err)
{
    qsort(p->ranges, p->n_ranges, sizeof(*p->ranges), by_first);
    for (size_t i = 0; i < p->n_ranges; i++) {
        struct range *r = &p->ranges[i];
        uint32_t more;
        if (i > 0 && ip_compare(&r->first, &r[-1].last) <= 0)
            return err_set(err, EINVAL, "\"%s\": an address is in two ranges", text);
        if (!ip_distance(&r->first, &r->last, &more) || p->size + more >= LB_POOL_MAX)
            return too_many(err, text);
        r->at = p->size;
        p->size += (size_t)more + 1;
    }
    p->holders = xcalloc(p->size, sizeof(*p->holders));
    return 0;
}

struct lb_pool *lb_pool_new(const char *text, struct err *err)
{
    struct lb_pool *p = NEW(struct lb_pool);
    size_t n;
    _cleanup_free_ char **parts = str_split(text, ',', &n);
    p->ranges = xcalloc(n, sizeof(*p->ranges));
    int result = 0;
    for (; result == 0 && p->n_ranges < n; p->n_ranges++)
        result = parse_range(parts[p->n_ranges], &p->ranges[p->n_ranges], err);
    if (result < 0 || lay_out(p, text, err) < 0) {
        lb_pool_free(p);
        return NULL;
    }
    return p;
}

static void holder_drop(struct holder **at)
{
    struct holder *h = *at;
    *at = h->next;
    free(h->owner);
    free(h->key);
    free(h->backends);
    free(h->ports);
    free(h);
}

void lb_pool_free(struct lb_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->holders && i < p->size; i++)
        while (p->holders[i])
            holder_drop(&p->holders[i]);
    free(p->holders);
    free(p->ranges);
    free(p);
}

/* The address's place, or NULL. */
static struct holder **place(const struct lb_pool *p, const struct ip *ip)
{
    uint32_t n;
    for (const struct range *r = p->ranges; r < p->ranges + p->n_ranges; r++)
        if (ip_distance(&r->first, ip, &n) && ip_compare(ip, &r->last) <= 0)
            return &p->holders[r->at + n];
    return NULL;
}

static struct ip address_at(const struct lb_pool *p, size_t i)
{
    const struct range *r = p->ranges;
    while (r + 1 < p->ranges + p->n_ranges && i >= r[1].at)
        r++;
    return ip_plus(&r->first, (uint32_t)(i - r->at));
}

/* The places of a family, [*begin, *end): ranges are sorted by family. */
static void places_of(const struct lb_pool *p, int family, size_t *begin, size_t *end)
{
    *begin = *end = 0;
    for (size_t i = 0; i < p->n_ranges; i++) {
        if (p->ranges[i].first.family != family)
            continue;
        if (*begin == *end)
            *begin = p->ranges[i].at;
        *end = i + 1 < p->n_ranges ? p->ranges[i + 1].at : p->size;
    }
}

size_t lb_pool_size(const struct lb_pool *p, int family)
{
    size_t begin, end;
    places_of(p, family, &begin, &end);
    return end - begin;
}

bool lb_pool_has(const struct lb_pool *p, const struct ip *ip)
{
    return p && place(p, ip);
}

static struct ip last_of(const struct cidr *network)
{
    struct ip last = network->ip;
    for (int bit = network->prefix; bit < ip_bits(last.family); bit++)
        last.bytes[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
    return last;
}

bool lb_pool_inside(const struct lb_pool *p, const struct cidrs *networks)
{
    for (const struct range *r = p->ranges; r < p->ranges + p->n_ranges; r++) {
        const struct cidr *network = cidrs_of(networks, r->first.family);
        if (!network)
            return false;
        const struct ip last = last_of(network);
        if (ip_compare(&r->first, &network->ip) <= 0 || ip_compare(&r->last, &last) >= 0)
            return false;
    }
    return true;
}

const char *lb_pool_holder(const struct lb_pool *p, const struct ip *ip)
{
    struct holder **at = place(p, ip);
    return at && *at ? (*at)->owner : NULL;
}

static const struct lb_share alone = {0};

static bool have_port_in_common(const struct holder *h, const struct lb_share *share)
{
    for (size_t i = 0; i < h->n_ports; i++)
        for (size_t k = 0; k < share->n_ports; k++)
            if (h->ports[i] == share->ports[k])
                return true;
    return false;
}

/* Whether everybody else there gets on with this owner. */
static bool fits(const struct holder *h, const char *owner, const struct lb_share *share)
{
    for (; h; h = h->next)
        if (!streq(h->owner, owner) && (!share->key || !streq_or_null(h->key, share->key) ||
                                        !streq(h->backends, share->backends) || have_port_in_common(h, share)))
            return false;
    return true;
}

static struct holder **find_holder(struct holder **at, const char *owner)
{
    while (*at && !streq((*at)->owner, owner))
        at = &(*at)->next;
    return at;
}

/* Its place in the row is kept, if it has one. */
static void hold(struct holder **at, const char *owner, const struct lb_share *share)
{
    at = find_holder(at, owner);
    if (*at)
        holder_drop(at);
    struct holder *h = NEW(struct holder);
    *h = (struct holder){.next = *at,
                         .owner = xstrdup(owner),
                         .key = xstrdup_or_null(share->key),
                         .backends = xstrdup(str_or(share->backends, "")),
                         .n_ports = share->n_ports};
    h->ports = share->n_ports ? xmemdup(share->ports, share->n_ports * sizeof(*share->ports)) : NULL;
    *at = h;
}

bool lb_pool_take(struct lb_pool *p, const struct ip *ip, const char *owner, const struct lb_share *share)
{
    struct holder **at = place(p, ip);
    share = share ? share : &alone;
    if (!at || !fits(*at, owner, share))
        return false;
    hold(at, owner, share);
    return true;
}

/* How good an address is for the owner; 0: not to be had. */
static int fitness(struct holder **at, const char *owner, const struct lb_share *share)
{
    if (!fits(*at, owner, share))
        return 0;
    return *find_holder(at, owner) ? 3 : *at ? 2 : 1;
}

bool lb_pool_next(struct lb_pool *p, int family, const char *owner, const struct lb_share *share, struct ip *ret)
{
    size_t chosen = 0, begin, end;
    int best = 0;
    places_of(p, family, &begin, &end);
    share = share ? share : &alone;
    for (size_t i = begin; i < end && best < 3; i++) {
        int good = fitness(&p->holders[i], owner, share);
        if (good <= best)
            continue;
        best = good;
        chosen = i;
    }
    if (!best)
        return false;
    hold(&p->holders[chosen], owner, share);
    *ret = address_at(p, chosen);
    return true;
}

static bool is_kept(const struct lb_pool *p, struct holder *const *at, const struct ips *keep)
{
    for (int i = 0; keep && i < keep->n; i++)
        if (place(p, &keep->ip[i]) == at)
            return true;
    return false;
}

size_t lb_pool_release(struct lb_pool *p, const char *owner, const struct ips *keep, const struct ips *keep_too)
{
    size_t n = 0;
    for (struct holder **at = p->holders; at < p->holders + p->size; at++) {
        struct holder **its = find_holder(at, owner);
        if (!*its || is_kept(p, at, keep) || is_kept(p, at, keep_too))
            continue;
        holder_drop(its);
        n++;
    }
    return n;
}
