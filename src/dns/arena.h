/* The memory of one packet for libknot: handed out from one block, given back all at once. What does not fit (answers
 * over TCP with thousands of records) is allocated on its own. */
#pragma once
#include <libknot/mm_ctx.h>
#include <stddef.h>

struct arena {
    size_t used;
    struct arena_extra *extra;
    _Alignas(16) unsigned char block[16384]; /* a query and an answer of a hundred records */
};

void arena_init(struct arena *a);
void arena_done(struct arena *a);
knot_mm_t arena_mm(struct arena *a);
