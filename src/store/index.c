/* See index.h. */
#include "store/index.h"

#include <string.h>

#include "base/alloc.h"

int object_key_compare(const struct object *o, const char *ns, const char *name)
{
    int c = strcmp(o->ns, ns);
    return c ? c : strcmp(o->name, name);
}

/* The block where the key is or would go: the last one that does not begin behind it. */
static size_t block_of(const struct index *x, const char *ns, const char *name)
{
    size_t lo = 0, hi = x->n_blocks;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (object_key_compare(x->blocks[mid]->items[0], ns, name) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static struct index_pos find(const struct index *x, const char *ns, const char *name, bool *ret_found)
{
    *ret_found = false;
    if (!x->n_blocks)
        return (struct index_pos){0, 0};
    struct index_pos pos = {block_of(x, ns, name), 0};
    const struct index_block *b = x->blocks[pos.block];
    size_t hi = b->len;
    while (pos.item < hi) {
        size_t mid = pos.item + (hi - pos.item) / 2;
        int c = object_key_compare(b->items[mid], ns, name);
        if (c < 0)
            pos.item = mid + 1;
        else
            hi = mid;
        *ret_found |= c == 0;
    }
    return pos;
}

struct object *index_get(const struct index *x, const char *ns, const char *name)
{
    bool found;
    struct index_pos pos = find(x, ns, name, &found);
    return found ? x->blocks[pos.block]->items[pos.item] : NULL;
}

static struct index_block *insert_block(struct index *x, size_t at)
{
    if (x->n_blocks == x->cap_blocks) {
        x->cap_blocks = x->cap_blocks ? x->cap_blocks * 2 : 4;
        x->blocks = xrealloc(x->blocks, x->cap_blocks * sizeof(struct index_block *));
    }
    memmove(&x->blocks[at + 1], &x->blocks[at], (x->n_blocks - at) * sizeof(struct index_block *));
    x->n_blocks++;
    x->blocks[at] = NEW(struct index_block);
    return x->blocks[at];
}

/* Moves the upper half into a block of its own. Appending (the common case for sorted loading) leaves the full block
 * full. */
static void split(struct index *x, struct index_pos *pos)
{
    struct index_block *new_block = insert_block(x, pos->block + 1), *old = x->blocks[pos->block];
    size_t keep = pos->item == old->len ? old->len : old->len / 2;
    new_block->len = old->len - keep;
    memcpy(new_block->items, &old->items[keep], new_block->len * sizeof(struct object *));
    old->len = keep;
    if (pos->item >= keep)
        *pos = (struct index_pos){pos->block + 1, pos->item - keep};
}

struct object *index_put(struct index *x, struct object *obj)
{
    bool found;
    struct index_pos pos = find(x, obj->ns, obj->name, &found);
    object_ref(obj);
    if (found) {
        struct object **slot = &x->blocks[pos.block]->items[pos.item], *old = *slot;
        *slot = obj;
        return old;
    }
    if (!x->n_blocks)
        insert_block(x, 0);
    if (x->blocks[pos.block]->len == INDEX_BLOCK_MAX)
        split(x, &pos);
    struct index_block *b = x->blocks[pos.block];
    memmove(&b->items[pos.item + 1], &b->items[pos.item], (b->len - pos.item) * sizeof(struct object *));
    b->items[pos.item] = obj;
    b->len++;
    x->count++;
    return NULL;
}

struct object *index_del(struct index *x, const char *ns, const char *name)
{
    bool found;
    struct index_pos pos = find(x, ns, name, &found);
    if (!found)
        return NULL;
    struct index_block *b = x->blocks[pos.block];
    struct object *old = b->items[pos.item];
    b->len--;
    x->count--;
    memmove(&b->items[pos.item], &b->items[pos.item + 1], (b->len - pos.item) * sizeof(struct object *));
    if (!b->len) {
        free(b);
        x->n_blocks--;
        memmove(&x->blocks[pos.block], &x->blocks[pos.block + 1],
                (x->n_blocks - pos.block) * sizeof(struct index_block *));
    }
    return old;
}

struct index_pos index_seek(const struct index *x, const char *ns, const char *name)
{
    bool found;
    struct index_pos pos = find(x, ns, name, &found);
    if (pos.block < x->n_blocks && pos.item == x->blocks[pos.block]->len)
        pos = (struct index_pos){pos.block + 1, 0};
    return pos;
}

struct object *index_at(const struct index *x, struct index_pos pos)
{
    return pos.block < x->n_blocks ? x->blocks[pos.block]->items[pos.item] : NULL;
}

void index_advance(const struct index *x, struct index_pos *pos)
{
    if (++pos->item == x->blocks[pos->block]->len)
        *pos = (struct index_pos){pos->block + 1, 0};
}

size_t index_count_ns(const struct index *x, const char *ns)
{
    struct index_pos pos = index_seek(x, ns, "");
    size_t n = 0;
    for (; pos.block < x->n_blocks; pos = (struct index_pos){pos.block + 1, 0}) {
        const struct index_block *b = x->blocks[pos.block];
        if (strcmp(b->items[b->len - 1]->ns, ns) == 0) {
            n += b->len - pos.item; /* the whole rest of the block */
            continue;
        }
        while (strcmp(b->items[pos.item]->ns, ns) == 0)
            n++, pos.item++;
        break;
    }
    return n;
}

void index_done(struct index *x)
{
    for (size_t b = 0; b < x->n_blocks; b++) {
        for (size_t i = 0; i < x->blocks[b]->len; i++)
            object_unref(x->blocks[b]->items[i]);
        free(x->blocks[b]);
    }
    free(x->blocks);
    *x = (struct index){0};
}
