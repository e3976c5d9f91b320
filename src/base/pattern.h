/* Regular expressions that come with the data (the patterns of custom resources' schemas). PCRE2 understands what RE2
 * does, but may take for ever about it, so each match has a limit. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when the pattern is none; `why` (may be NULL) gets the reason. */
#define PATTERN_WHY_SIZE 160
bool pattern_valid(const char *pattern, char why[PATTERN_WHY_SIZE]);
/* Whether the pattern is found anywhere in the text. One that is invalid, or gives up, is not found. */
bool pattern_found(const char *pattern, const char *text, size_t len);
/* The same from byte `from` on (where a character begins), telling where, within so many steps of the matcher: 1 found,
 * 0 not, -1 given up. */
int pattern_find(const char *pattern, const char *text, size_t len, size_t from, uint32_t steps, size_t *ret_start,
                 size_t *ret_end);
