/* The newest version of every object of one kind, sorted by namespace, then name: gets, lists and ranges of one
 * namespace. Two levels, a list of small sorted blocks, so that an insertion moves a few hundred pointers at most
 * however many objects there are. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "kinds/object.h"

#define INDEX_BLOCK_MAX 512 /* an insertion moves at most this many pointers, and a block list stays short */

struct index_block {
    size_t len;
    struct object *items[INDEX_BLOCK_MAX];
};

struct index {
    struct index_block **blocks; /* none is empty */
    size_t n_blocks, cap_blocks;
    size_t count;
};

/* The order: negative when o comes before (ns, name). */
int object_key_compare(const struct object *o, const char *ns, const char *name);

/* A place in the order; valid until the index changes. */
struct index_pos {
    size_t block, item;
};

void index_done(struct index *x); /* a zeroed struct is an empty index */
struct object *index_get(const struct index *x, const char *ns, const char *name);
/* Takes a reference of obj; gives the caller the one of the version that was there, or NULL. */
struct object *index_put(struct index *x, struct object *obj);
struct object *index_del(struct index *x, const char *ns, const char *name);

/* The first object whose key is not before (ns, name). */
struct index_pos index_seek(const struct index *x, const char *ns, const char *name);
/* NULL at the end. */
struct object *index_at(const struct index *x, struct index_pos pos);
void index_advance(const struct index *x, struct index_pos *pos);
/* Objects in one namespace. */
size_t index_count_ns(const struct index *x, const char *ns);
