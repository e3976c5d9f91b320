/* See ranges.h. */
#include "netpol/ranges.h"

#include <stdlib.h>

#include "base/alloc.h"

void ranges_done(struct ranges *r)
{
    free(r->list);
    *r = (struct ranges){0};
}

static void append(struct ranges *r, const struct ip *first, const struct ip *last)
{
    if ((r->n & (r->n - 1)) == 0) /* room for a power of two */
        r->list = xrealloc(r->list, (r->n ? 2 * r->n : 1) * sizeof(*r->list));
    r->list[r->n++] = (struct range){*first, *last};
}

static struct ip last_of(const struct cidr *c)
{
    struct ip ip = c->ip;
    for (int bit = c->prefix; bit < ip_bits(ip.family); bit++)
        ip.bytes[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
    return ip;
}

void ranges_add(struct ranges *r, const struct cidr *c)
{
    const struct ip last = last_of(c);
    append(r, &c->ip, &last);
}

void ranges_add_all(struct ranges *r, const struct ranges *other)
{
    for (size_t i = 0; i < other->n; i++)
        append(r, &other->list[i].first, &other->list[i].last);
}

/* The next address, or the one before; false at the end of the family. */
static bool step(struct ip *ip, bool up)
{
    unsigned char edge = up ? 0xff : 0;
    int i = ip_bits(ip->family) / 8 - 1;
    while (i >= 0 && ip->bytes[i] == edge)
        ip->bytes[i--] = (unsigned char)~edge;
    if (i < 0)
        return false;
    ip->bytes[i] = (unsigned char)(ip->bytes[i] + (up ? 1 : -1));
    return true;
}

static int compare_ranges(const void *pa, const void *pb)
{
    const struct range *a = pa, *b = pb;
    return ip_compare(&a->first, &b->first);
}

/* Whether b, which begins no earlier, overlaps a or follows without a gap. */
static bool touches(const struct range *a, const struct range *b)
{
    struct ip next = a->last;
    if (a->first.family != b->first.family)
        return false;
    return !step(&next, true) || ip_compare(&b->first, &next) <= 0;
}

void ranges_tidy(struct ranges *r)
{
    size_t n = 0;
    if (r->n)
        qsort(r->list, r->n, sizeof(*r->list), compare_ranges);
    for (size_t i = 0; i < r->n; i++) {
        struct range *last = n ? &r->list[n - 1] : NULL;
        if (!last || !touches(last, &r->list[i]))
            r->list[n++] = r->list[i];
        else if (ip_compare(&r->list[i].last, &last->last) > 0)
            last->last = r->list[i].last;
    }
    r->n = n;
}

/* What of `from` is left beside the sorted holes, the first of which is at *hole or later. */
static void subtract_one(struct ranges *out, struct range from, const struct ranges *holes, size_t *hole)
{
    while (*hole < holes->n && ip_compare(&holes->list[*hole].last, &from.first) < 0)
        ++*hole;
    for (size_t i = *hole; i < holes->n && ip_compare(&holes->list[i].first, &from.last) <= 0; i++) {
        struct ip before = holes->list[i].first;
        if (ip_compare(&from.first, &before) < 0 && step(&before, false))
            append(out, &from.first, &before);
        if (ip_compare(&holes->list[i].last, &from.last) >= 0)
            return;
        from.first = holes->list[i].last;
        step(&from.first, true);
    }
    append(out, &from.first, &from.last);
}

void ranges_subtract(struct ranges *r, const struct ranges *what)
{
    struct ranges left = {0};
    size_t hole = 0;
    for (size_t i = 0; i < r->n; i++)
        subtract_one(&left, r->list[i], what, &hole);
    ranges_done(r);
    *r = left;
}

static int compare_to_range(const void *key, const void *element)
{
    const struct ip *ip = key;
    const struct range *r = element;
    return ip_compare(ip, &r->first) < 0 ? -1 : ip_compare(ip, &r->last) > 0 ? 1 : 0;
}

bool ranges_have(const struct ranges *r, const struct ip *ip)
{
    return r->n && bsearch(ip, r->list, r->n, sizeof(*r->list), compare_to_range);
}

size_t ranges_print(const struct ranges *r, int family, struct buf *out)
{
    char first[IP_TEXT_SIZE], last[IP_TEXT_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct range *one = &r->list[i];
        if (one->first.family != family)
            continue;
        buf_addf(out, "%s%s", n++ ? ", " : "", ip_format(&one->first, first));
        if (!ip_equal(&one->first, &one->last))
            buf_addf(out, "-%s", ip_format(&one->last, last));
    }
    return n;
}
