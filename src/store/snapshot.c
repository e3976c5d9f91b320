/* See snapshot.h. */
#include "store/snapshot.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/str.h"

static int by_key(const void *a, const void *b)
{
    const struct past_key *x = a, *y = b;
    int c = object_key_compare(x->key, y->key->ns, y->key->name);
    return c ? c : x->key->rv < y->key->rv ? -1 : 1; /* every change has a revision of its own */
}

/* The first change of a key after the revision knows what it held then; later ones of the same key do not matter. */
static size_t keep_first(struct past_key *keys, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!kept || object_key_compare(keys[kept - 1].key, keys[i].key->ns, keys[i].key->name) != 0)
            keys[kept++] = keys[i];
    return kept;
}

void snapshot_init(struct snapshot *s, const struct index *now, const struct history *h, uint64_t rv)
{
    size_t first = history_after(h, rv), n = h->len - first;
    *s = (struct snapshot){.now = now};
    if (!n)
        return;
    s->changed = xcalloc(n, sizeof(*s->changed));
    for (size_t i = 0; i < n; i++) {
        const struct change *c = history_at(h, first + i);
        s->changed[i] = (struct past_key){c->obj, c->old};
    }
    qsort(s->changed, n, sizeof(*s->changed), by_key);
    s->n = keep_first(s->changed, n);
}

void snapshot_done(struct snapshot *s)
{
    free(s->changed);
    *s = (struct snapshot){0};
}

/* --- walking both in step --- */

struct walk {
    const struct snapshot *s;
    struct index_pos pos;
    size_t change; /* the next changed key that was not passed */
};

static struct walk walk_from(const struct snapshot *s, const char *ns, const char *name)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (object_key_compare(s->changed[mid].key, ns, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (struct walk){s, index_seek(s->now, ns, name), lo};
}

/* The next object that was there; NULL at the end. */
static struct object *walk_next(struct walk *w)
{
    for (;;) {
        struct object *now = index_at(w->s->now, w->pos);
        if (w->change == w->s->n) {
            if (now)
                index_advance(w->s->now, &w->pos);
            return now;
        }
        const struct past_key *past = &w->s->changed[w->change];
        int c = now ? object_key_compare(now, past->key->ns, past->key->name) : 1;
        if (c <= 0)
            index_advance(w->s->now, &w->pos);
        if (c < 0)
            return now;
        w->change++;
        if (past->was)
            return past->was;
    }
}

size_t snapshot_each(const struct snapshot *s, const char *ns, const char *after_ns, const char *after_name,
                     bool (*visit)(void *arg, struct object *o), void *arg)
{
    const char *from_ns = str_or(after_name ? after_ns : ns, ""), *from_name = str_or(after_name, "");
    struct walk w = walk_from(s, from_ns, from_name);
    struct object *o = walk_next(&w);
    if (o && after_name && object_key_compare(o, from_ns, from_name) == 0)
        o = walk_next(&w);
    size_t n = 0;
    for (; o && (!ns || streq(o->ns, ns)); o = walk_next(&w)) {
        n++;
        if (!visit(arg, o))
            break;
    }
    return n;
}
