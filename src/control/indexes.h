/* Sets of a Job's completion indexes, written as "0,3-5". Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct indexes {
    uint8_t *bits; /* a byte for each index below .size */
    size_t size;
};
/* Room for the indexes below `size`; text NULL or "" is the empty set, what is no index below size is left out. */
void indexes_init(struct indexes *x, size_t size, const char *text);
void indexes_done(struct indexes *x);
bool indexes_has(const struct indexes *x, int64_t i); /* false outside */
void indexes_add(struct indexes *x, int64_t i);       /* nothing outside */
int64_t indexes_count(const struct indexes *x);
char *indexes_text(const struct indexes *x); /* the caller frees */
