/* See arena.h. */
#include "cel/arena.h"

#include <stdalign.h>
#include <string.h>

#include "base/alloc.h"

#define BLOCK_SIZE 4096
#define ALIGNMENT alignof(max_align_t)

struct cel_block {
    struct cel_block *next;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
};

void *cel_alloc(struct cel_arena *a, size_t n, size_t size)
{
    size_t wanted = (n * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!a->blocks || wanted > a->left) {
        size_t bytes = wanted > BLOCK_SIZE ? wanted : BLOCK_SIZE;
        struct cel_block *b = xcalloc(1, sizeof(*b) + bytes);
        b->size = bytes;
        b->next = a->blocks;
        a->blocks = b;
        a->left = bytes;
        a->total += bytes;
    }
    void *p = a->blocks->bytes + a->blocks->size - a->left;
    a->left -= wanted;
    return p;
}

char *cel_alloc_text(struct cel_arena *a, const char *s, size_t len)
{
    char *out = cel_alloc(a, len + 1, 1);
    memcpy(out, s, len);
    return out;
}

void cel_arena_done(struct cel_arena *a)
{
    while (a->blocks) {
        struct cel_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
    a->left = a->total = 0;
}
