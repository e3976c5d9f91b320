/* Characters of texts that are UTF-8 already: documents and literals are checked where they come in. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

static inline size_t utf8_length(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    return n;
}

/* Where character `n` begins; the end of the text if there are fewer. */
static inline size_t utf8_offset(const char *s, size_t len, size_t n)
{
    size_t i = 0;
    for (; i < len; i++)
        if (((unsigned char)s[i] & 0xC0) != 0x80 && n-- == 0)
            break;
    return i;
}

bool utf8_valid(const char *s, size_t len);
