/* See str.h. */
#include "base/str.h"

#include <ctype.h>
#include <openssl/evp.h>

#include "base/alloc.h"

const char *str_after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && streq(s + n - m, suffix);
}

bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = *s == '-';
    uint64_t v = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (negative)
        s++;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (!isdigit((unsigned char)*s))
            return false;
        unsigned digit = (unsigned)(*s - '0');
        if (v > (limit - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    int64_t n = negative ? (int64_t)(0 - v) : (int64_t)v;
    if (n < min || n > max)
        return false;
    *ret = n;
    return true;
}

char **str_split(const char *s, char sep, size_t *ret_n)
{
    size_t n = 1, len = strlen(s);
    for (const char *p = s; *p; p++)
        n += *p == sep;
    char **parts = xmalloc((n + 1) * sizeof(*parts) + len + 1);
    char *text = memcpy((char *)(parts + n + 1), s, len + 1);
    for (size_t i = 0; i < n; i++) {
        parts[i] = text;
        text = strchr(text, sep);
        if (text)
            *text++ = '\0';
    }
    parts[n] = NULL;
    if (ret_n)
        *ret_n = n;
    return parts;
}

void str_hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = bytes;
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[b[i] >> 4];
        *out++ = digits[b[i] & 15];
    }
    *out = '\0';
}

char *base64_encode(const void *data, size_t len)
{
    char *out = xmalloc(4 * ((len + 2) / 3) + 1);
    EVP_EncodeBlock((unsigned char *)out, data, (int)len);
    return out;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void *base64_decode(const char *text, size_t len, size_t *ret_len)
{
    if (len % 4)
        return NULL;
    size_t pad = len && text[len - 1] == '=' ? 1 + (text[len - 2] == '=') : 0;
    size_t out_len = len / 4 * 3 - pad;
    unsigned char *out = xmalloc(out_len + 1);
    uint32_t bits = 0;
    size_t o = 0;
    for (size_t i = 0; i < len; i++) {
        int v = i >= len - pad ? 0 : base64_value(text[i]);
        if (v < 0) {
            free(out);
            return NULL;
        }
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 == 3) {
            for (int shift = 16; shift >= 0; shift -= 8)
                if (o < out_len)
                    out[o++] = (unsigned char)(bits >> shift);
            bits = 0;
        }
    }
    out[out_len] = '\0';
    *ret_len = out_len;
    return out;
}

static void translate(char *text, const char *from, const char *to)
{
    for (; *text; text++) {
        const char *at = strchr(from, *text);
        if (at)
            *text = to[at - from];
    }
}

char *base64url_encode(const void *data, size_t len)
{
    char *text = base64_encode(data, len);
    text[strcspn(text, "=")] = '\0';
    translate(text, "+/", "-_");
    return text;
}

void *base64url_decode(const char *text, size_t len, size_t *ret_len)
{
    static const char *const padding[] = {"", NULL, "==", "="};
    if (len > BASE64URL_MAX || !padding[len % 4] || memchr(text, '\0', len))
        return NULL;
    _cleanup_free_ char *padded = xasprintf("%.*s%s", (int)len, text, padding[len % 4]);
    if (strcspn(padded, "+/=") < len)
        return NULL;
    translate(padded, "-_", "+/");
    _cleanup_free_ void *bytes = base64_decode(padded, strlen(padded), ret_len);
    _cleanup_free_ char *again = bytes ? base64url_encode(bytes, *ret_len) : NULL;
    return again && strncmp(again, text, len) == 0 ? TAKE(bytes) : NULL; /* one text for one value */
}
