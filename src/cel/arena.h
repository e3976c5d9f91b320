/* Memory of one program or one evaluation: handed out, given back all at once. How much there can be is bounded by the
 * limits on the text and by the cost of what is made. */
#pragma once
#include <stddef.h>

struct cel_arena { /* zeroed: empty */
    struct cel_block *blocks;
    size_t left;  /* of the newest block */
    size_t total; /* bytes of all */
};
void *cel_alloc(struct cel_arena *a, size_t n, size_t size) __attribute__((returns_nonnull)); /* zeroed */
char *cel_alloc_text(struct cel_arena *a, const char *s, size_t len) __attribute__((returns_nonnull));
void cel_arena_done(struct cel_arena *a);
