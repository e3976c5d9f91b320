/* See pool.h. */
#include "lb/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

struct range {
    uint32_t first, last; /* host order */
    size_t at;            /* place of the first in holders */
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
    return err_set(err, EINVAL, "\"%s\" is no range of IPv4 addresses (FIRST-LAST, ADDRESS/BITS or ADDRESS)", text);
}

static bool parse_v4(const char *text, uint32_t *ret)
{
    struct ip ip;
    if (!ip_parse(text, &ip) || ip.family != AF_INET)
        return false;
    *ret = ntohl(ip.v4.s_addr);
    return true;
}

static int parse_range(const char *text, struct range *ret, struct err *err)
{
    struct cidr c;
    const char *dash = strchr(text, '-');
    _cleanup_free_ char *first = xstrndup(text, dash ? (size_t)(dash - text) : strlen(text));
    if (strchr(text, '/')) {
        if (!cidr_parse(text, &c) || c.ip.family != AF_INET || c.prefix == 0)
            return bad_range(err, text);
        ret->first = ntohl(c.ip.v4.s_addr);
        ret->last = ret->first | (c.prefix < 32 ? UINT32_MAX >> c.prefix : 0);
        return 0;
    }
    return parse_v4(first, &ret->first) && parse_v4(dash ? dash + 1 : text, &ret->last) && ret->first <= ret->last
               ? 0
               : bad_range(err, text);
}

static int by_first(const void *pa, const void *pb)
{
    const struct range *a = pa, *b = pb;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int lay_out(struct lb_pool *p, const char *text, struct err *err)
{
    uint64_t size = 0;
    qsort(p->ranges, p->n_ranges, sizeof(*p->ranges), by_first);
    for (size_t i = 0; i < p->n_ranges; i++) {
        struct range *r = &p->ranges[i];
        if (i > 0 && r->first <= r[-1].last)
            return err_set(err, EINVAL, "\"%s\": an address is in two ranges", text);
        r->at = (size_t)size;
        size += (uint64_t)r->last - r->first + 1;
    }
    if (size > LB_POOL_MAX)
        return err_set(err, EINVAL, "\"%s\" has more than %d addresses", text, LB_POOL_MAX);
    p->size = (size_t)size;
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
    for (size_t i = 0; i < p->size; i++)
        while (p->holders[i])
            holder_drop(&p->holders[i]);
    free(p->holders);
    free(p->ranges);
    free(p);
}

size_t lb_pool_size(const struct lb_pool *p)
{
    return p->size;
}

/* The address's place, or NULL. */
static struct holder **place(const struct lb_pool *p, const struct ip *ip)
{
    if (ip->family != AF_INET)
        return NULL;
    uint32_t n = ntohl(ip->v4.s_addr);
    for (const struct range *r = p->ranges; r < p->ranges + p->n_ranges; r++)
        if (n >= r->first && n <= r->last)
            return &p->holders[r->at + (n - r->first)];
    return NULL;
}

static struct ip address_at(const struct lb_pool *p, size_t i)
{
    const struct range *r = p->ranges;
    while (i > r->at + (r->last - r->first))
        r++;
    return (struct ip){.family = AF_INET, .v4.s_addr = htonl(r->first + (uint32_t)(i - r->at))};
}

bool lb_pool_has(const struct lb_pool *p, const struct ip *ip)
{
    return p && place(p, ip);
}

bool lb_pool_inside(const struct lb_pool *p, const struct cidr *range)
{
    uint32_t first = ntohl(range->ip.v4.s_addr), last = first | (UINT32_MAX >> range->prefix);
    return p->ranges[0].first > first && p->ranges[p->n_ranges - 1].last < last;
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

bool lb_pool_next(struct lb_pool *p, const char *owner, const struct lb_share *share, struct ip *ret)
{
    size_t chosen = 0;
    int best = 0;
    share = share ? share : &alone;
    for (size_t i = 0; i < p->size && best < 3; i++) {
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

size_t lb_pool_release(struct lb_pool *p, const char *owner, const struct ip *keep, const struct ip *keep_too)
{
    struct holder **kept = keep ? place(p, keep) : NULL, **kept_too = keep_too ? place(p, keep_too) : NULL;
    size_t n = 0;
    for (struct holder **at = p->holders; at < p->holders + p->size; at++) {
        struct holder **its = find_holder(at, owner);
        if (!*its || at == kept || at == kept_too)
            continue;
        holder_drop(its);
        n++;
    }
    return n;
}
