/* The recent changes of one kind, so that a watch can begin in the past. Each kind has a window of its own: what
 * changes every second (leases, pod statuses) does not push out what a quiet kind remembers. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kinds/object.h"

struct change {
    struct object *old, *obj; /* old NULL: created */
    bool deleted;
};

struct history {
    struct change *ring;    /* in revision order from `first` on */
    size_t first, len, cap; /* cap: power of two */
    size_t bytes;           /* what the window keeps in memory beyond the index */
    uint64_t floor;         /* changes after this revision are all remembered */
};

void history_init(struct history *h, uint64_t floor);
void history_done(struct history *h);
/* Takes references of both versions. */
void history_add(struct history *h, struct object *old, struct object *obj, bool deleted);
/* Forgets the oldest change. */
void history_drop(struct history *h);
/* The first remembered change after rv, as a number for history_at (len: none). */
size_t history_after(const struct history *h, uint64_t rv);
const struct change *history_at(const struct history *h, size_t n);
