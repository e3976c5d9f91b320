/* String-keyed hash map, insertion-ordered while nothing is deleted. The map owns copies of its keys; values are
 * borrowed pointers (NULL is not a value: it means absent). Deleting the current entry while iterating is allowed,
 * adding is not. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    char *key; /* NULL: free slot in the entry array */
    void *value;
    uint64_t hash;
};

struct map {
    struct map_entry *entries; /* in order of insertion, with holes where entries were deleted */
    size_t used, cap, len;     /* used: entries handed out including holes; len: living ones */
    uint32_t *index;           /* open addressing, entry number + 1; 0 is empty */
    size_t index_size;         /* power of two */
};

void map_done(struct map *m); /* a zeroed struct is an empty map; values are the caller's */
void map_done_with(struct map *m, void (*free_value)(void *));
void *map_get(const struct map *m, const char *key);
/* Returns the value that was there before, or NULL. */
void *map_put(struct map *m, const char *key, void *value);
void *map_del(struct map *m, const char *key);
void map_clear(struct map *m);
/* Iteration: `for (struct map_entry *e = NULL; (e = map_next(&m, e));)`. */
struct map_entry *map_next(const struct map *m, const struct map_entry *after);

/* FNV-1a, 64 bits. */
uint64_t hash_bytes(const void *data, size_t len);
uint32_t hash32_bytes(const void *data,
                      size_t len); /* FNV-1a, 32 bits: what upstream's pod-template-hash starts from */
