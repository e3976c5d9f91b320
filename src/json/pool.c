/* See pool.h. The pieces are malloc's own, so that their size can be asked of it and whoever gets one may free() it. */
#include "json/pool.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/alloc.h"

#define STEP 16u                  /* malloc's: it gives 24, 40, 56... bytes */
#define PIECE_MAX (8 + 15 * STEP) /* the table of a small object has 128 */
#define KEPT_MAX (1 << 20)        /* bytes on the lists of one thread: the trees of a few dozen requests */

struct piece {
    struct piece *next;
};

static __thread struct {
    struct piece *lists[PIECE_MAX / STEP + 1];
    size_t kept;
} pool;

static void *pool_alloc(size_t size)
{
    size_t list = size > 8 ? (size - 8 + STEP - 1) / STEP : 1;
    if (size > PIECE_MAX || !pool.lists[list])
        return malloc(size);
    struct piece *p = pool.lists[list];
    pool.lists[list] = p->next;
    pool.kept -= 8 + list * STEP;
    return p;
}

static void pool_free(void *memory)
{
    size_t size = malloc_usable_size(memory);
    if (!memory || size > PIECE_MAX || pool.kept + size > KEPT_MAX) {
        free(memory);
        return;
    }
    struct piece *p = memory;
    size_t list = (size - 8) / STEP;
    p->next = pool.lists[list];
    pool.lists[list] = p;
    pool.kept += size;
}

void json_use_pool(void)
{
#ifndef __SANITIZE_ADDRESS__ /* it would not see what is used after it was freed */
    json_set_alloc_funcs(pool_alloc, pool_free);
#else
    (void)pool_alloc, (void)pool_free;
#endif
}
