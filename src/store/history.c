/* See history.h. */
#include "store/history.h"

#include "base/alloc.h"

#define HISTORY_MAX                                                                                                    \
    16384 /* changes: a reader that reconnects within seconds finds its place, at 400 KB of ring a kind */

void history_init(struct history *h, uint64_t floor)
{
    *h = (struct history){.floor = floor};
}

static struct change *slot(const struct history *h, size_t n)
{
    return &h->ring[(h->first + n) & (h->cap - 1)];
}

const struct change *history_at(const struct history *h, size_t n)
{
    return slot(h, n);
}

/* An update keeps its old version alive; its new one is in the index or is the next change's old one. Only a deletion's
 * last version is nowhere else. */
static size_t change_bytes(const struct change *c)
{
    return (c->old ? sizeof(struct object) + c->old->len : 0) + (c->deleted ? sizeof(struct object) + c->obj->len : 0);
}

static void grow(struct history *h)
{
    size_t cap = h->cap ? h->cap * 2 : 16;
    struct change *ring = xcalloc(cap, sizeof(*ring));
    for (size_t i = 0; i < h->len; i++)
        ring[i] = *slot(h, i);
    free(h->ring);
    h->ring = ring;
    h->cap = cap;
    h->first = 0;
}

void history_drop(struct history *h)
{
    struct change *c = slot(h, 0);
    h->floor = c->obj->rv;
    h->bytes -= change_bytes(c);
    object_unref(c->old);
    object_unref(c->obj);
    h->first = (h->first + 1) & (h->cap - 1);
    h->len--;
}

void history_add(struct history *h, struct object *old, struct object *obj, bool deleted)
{
    if (h->len == HISTORY_MAX)
        history_drop(h);
    if (h->len == h->cap)
        grow(h);
    struct change *c = slot(h, h->len++);
    *c = (struct change){old ? object_ref(old) : NULL, object_ref(obj), deleted};
    h->bytes += change_bytes(c);
}

size_t history_after(const struct history *h, uint64_t rv)
{
    size_t lo = 0, hi = h->len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (slot(h, mid)->obj->rv <= rv)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void history_done(struct history *h)
{
    while (h->len)
        history_drop(h);
    free(h->ring);
    *h = (struct history){0};
}
