/* Small questions about text, and numbers out of text without the traps of strtol. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
/* NULL equals only NULL. */
static inline bool streq_or_null(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}
static inline const char *str_or(const char *s, const char *otherwise)
{
    return s ? s : otherwise;
}
/* The rest behind the prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);
bool str_ends_with(const char *s, const char *suffix);
/* The whole text must be a decimal number (optional '-', digits) inside [min, max]; false leaves *ret alone. */
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/* Splits a copy at `sep` into a NULL-terminated vector; one free() of the vector frees all. Empty parts are kept; ""
 * gives one empty part. ret_n may be NULL. */
char **str_split(const char *s, char sep, size_t *ret_n);
/* Lower-case hexadecimal of `len` bytes into out[2 * len + 1]. */
void str_hex(const void *bytes, size_t len, char *out);
/* RFC 4648 base64. Encoding: the caller frees. Decoding is strict (padding needed, no blanks): NULL on bad input. */
char *base64_encode(const void *data, size_t len);
void *base64_decode(const char *text, size_t len, size_t *ret_len);
/* The same for URLs (section 5), without padding. Decoding takes one text for one value, up to BASE64URL_MAX bytes. */
#define BASE64URL_MAX 16384 /* what is read like that has its place in a header or a URL */
char *base64url_encode(const void *data, size_t len);
void *base64url_decode(const char *text, size_t len, size_t *ret_len);
