/* The table's name, and what people may read in it. */
#pragma once
#include <stddef.h>

#define TABLE_NAME "c8s-policy"
#define TABLE "inet " TABLE_NAME

/* What nft takes between quotes: names of objects and selectors cut to what the kernel keeps, with nothing in them that
 * means something to nft. Returns out. */
#define COMMENT_SIZE 120
const char *comment_of(char out[COMMENT_SIZE], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
