/* See arena.h. */
#include "dns/arena.h"

#include "base/alloc.h"

struct arena_extra {
    struct arena_extra *next;
    _Alignas(16) unsigned char data[];
};

#define ALIGNED(n) (((n) + 15) & ~(size_t)15)

static void *arena_alloc(void *ctx, size_t len)
{
    struct arena *a = ctx;
    if (len <= sizeof(a->block) - a->used) {
        void *p = &a->block[a->used];
        size_t end = ALIGNED(a->used + len);
        a->used = end < sizeof(a->block) ? end : sizeof(a->block);
        return p;
    }
    struct arena_extra *extra = xmalloc(sizeof(*extra) + len);
    extra->next = a->extra;
    a->extra = extra;
    return extra->data;
}

static void arena_free(void *p)
{
    (void)p; /* all at once, at the end */
}

void arena_init(struct arena *a)
{
    a->used = 0;
    a->extra = NULL;
}

void arena_done(struct arena *a)
{
    for (struct arena_extra *e = a->extra, *next; e; e = next) {
        next = e->next;
        free(e);
    }
    a->extra = NULL;
}

knot_mm_t arena_mm(struct arena *a)
{
    return (knot_mm_t){a, arena_alloc, arena_free};
}
