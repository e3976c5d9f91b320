/* One kind as it was at a revision: the index of now, and over it what the changes since then replaced. Nothing is kept
 * for it between two pages of a list: the history that watches need anyway is enough. */
#pragma once
#include "store/history.h"
#include "store/index.h"

struct past_key {
    const struct object *key; /* any version: its namespace and name count */
    struct object *was;       /* NULL: was not there */
};

/* Borrows everything: good until the index or the history changes. */
struct snapshot {
    const struct index *now;
    struct past_key *changed; /* in key order */
    size_t n;
};

/* rv: not before the history's floor. */
void snapshot_init(struct snapshot *s, const struct index *now, const struct history *h, uint64_t rv);
void snapshot_done(struct snapshot *s);
/* Objects in key order as store_each() tells it. Returns the number visited. */
size_t snapshot_each(const struct snapshot *s, const char *ns, const char *after_ns, const char *after_name,
                     bool (*visit)(void *arg, struct object *o), void *arg);
