/* See rand.h. */
#include "base/rand.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"

static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
#define ALPHABET_LEN (sizeof(alphabet) - 1)

void rand_bytes(void *out, size_t len)
{
    for (char *p = out; len;) {
        ssize_t n = getrandom(p, len > 256 ? 256 : len, 0);
        if (n < 0)
            continue; /* EINTR only: other errors cannot happen with these arguments */
        p += n;
        len -= (size_t)n;
    }
}

uint32_t rand_below(uint32_t n)
{
    uint32_t v, limit = UINT32_MAX - UINT32_MAX % n;
    do
        rand_bytes(&v, sizeof(v));
    while (v >= limit);
    return v % n;
}

void rand_uuid(char out[37])
{
    unsigned char b[16];
    rand_bytes(b, sizeof(b));
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void rand_name(char *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = alphabet[rand_below(ALPHABET_LEN)];
    out[len] = '\0';
}

void rand_safe_encode(const char *decimal, char *out)
{
    for (; *decimal; decimal++)
        *out++ = alphabet[(unsigned char)*decimal % ALPHABET_LEN];
    *out = '\0';
}
