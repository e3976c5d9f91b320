/* See pattern.h. Compiled patterns are remembered: the same few are asked for with every write. */
#include "base/pattern.h"

#include <stdio.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/map.h"

#define REMEMBERED_MAX 256 /* patterns, a few kilobytes each; all are forgotten then */
/* Steps a match may take, and kilobytes: some milliseconds of the loop, thousands of times what sane patterns need. */
#define STEPS_MAX 100000
#define HEAP_MAX_KB 1024

static struct map remembered; /* pcre2_code by pattern */

static pcre2_code *compile(const char *pattern, char why[PATTERN_WHY_SIZE])
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &code, &at, NULL);
    if (!re && why) {
        PCRE2_UCHAR text[PATTERN_WHY_SIZE - 40];
        pcre2_get_error_message(code, text, sizeof(text));
        snprintf(why, PATTERN_WHY_SIZE, "%s at offset %zu", (const char *)text, (size_t)at);
    }
    return re;
}

static void free_code(void *code)
{
    pcre2_code_free(code);
}

static pcre2_code *recall(const char *pattern, char why[PATTERN_WHY_SIZE])
{
    pcre2_code *re = map_get(&remembered, pattern);
    if (re)
        return re;
    re = compile(pattern, why);
    if (!re)
        return NULL;
    if (remembered.len >= REMEMBERED_MAX)
        map_done_with(&remembered, free_code);
    map_put(&remembered, pattern, re);
    return re;
}

bool pattern_valid(const char *pattern, char why[PATTERN_WHY_SIZE])
{
    return recall(pattern, why) != NULL;
}

int pattern_find(const char *pattern, const char *text, size_t len, size_t from, uint32_t steps, size_t *ret_start,
                 size_t *ret_end)
{
    pcre2_code *re = recall(pattern, NULL);
    if (!re)
        return 0;
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    pcre2_set_match_limit(limits, steps);
    pcre2_set_heap_limit(limits, HEAP_MAX_KB);
    int n = pcre2_match(re, (PCRE2_SPTR)text, len, from, 0, match, limits);
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(match);
    bool found = n >= 0 && place[0] <= place[1]; /* \K may turn them round */
    if (found) {
        *ret_start = place[0];
        *ret_end = place[1];
    }
    pcre2_match_data_free(match);
    pcre2_match_context_free(limits);
    return found ? 1 : n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_HEAPLIMIT ? -1 : 0;
}

bool pattern_found(const char *pattern, const char *text, size_t len)
{
    size_t start, end;
    return pattern_find(pattern, text, len, 0, STEPS_MAX, &start, &end) > 0;
}
