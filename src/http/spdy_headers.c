/* See spdy_headers.h. */
#include "http/spdy_headers.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"

/* draft-mbelshe-httpbis-spdy-00, 2.6.10.1: first words, each behind its length in 32 bits… */
/* clang-format off */
static const char *const dictionary_words[] = {
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
    "accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
    "content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5",
    "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
    "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after",
    "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
    "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie",
    "keep-alive", "origin",
};
/* clang-format on */
/* …then text as it is. */
static const char dictionary_tail[] =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/"
    "javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/* 2 KiB of window hold the dictionary, and our side sends a few dozen bytes: zlib's default would cost 256 KiB a
 * session. */
#define DEFLATE_WINDOW_BITS 11
#define DEFLATE_MEM_LEVEL 1

static void put32(struct buf *b, size_t n)
{
    const unsigned char bytes[] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                   (unsigned char)n};
    buf_add(b, bytes, sizeof(bytes));
}

static uint32_t get32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

const struct buf *spdy_dictionary(void)
{
    static struct buf dictionary; /* made once, for the program's life */
    if (dictionary.len)
        return &dictionary;
    for (size_t i = 0; i < ARRAY_LEN(dictionary_words); i++) {
        put32(&dictionary, strlen(dictionary_words[i]));
        buf_adds(&dictionary, dictionary_words[i]);
    }
    buf_adds(&dictionary, dictionary_tail);
    return &dictionary;
}

void spdy_headers_done(struct spdy_headers *z)
{
    if (z->inflating)
        inflateEnd(&z->inflate);
    if (z->deflating)
        deflateEnd(&z->deflate);
    *z = (struct spdy_headers){0};
}

/* --- decoding --- */

static int inflate_block(struct spdy_headers *z, const void *block, size_t len, struct buf *text)
{
    const struct buf *dictionary = spdy_dictionary();
    z_stream *s = &z->inflate;
    if (!z->inflating && inflateInit(s) != Z_OK)
        return -1;
    z->inflating = true;
    s->next_in = (Bytef *)block;
    s->avail_in = (uInt)len;
    do {
        char *to = buf_reserve(text, 1024);
        if (!to)
            return -1;
        s->next_out = (Bytef *)to;
        s->avail_out = 1024;
        int rc = inflate(s, Z_SYNC_FLUSH);
        if (rc == Z_NEED_DICT)
            rc = inflateSetDictionary(s, (const Bytef *)dictionary->data, (uInt)dictionary->len);
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return -1;
        buf_grown(text, 1024 - s->avail_out);
        if (rc == Z_BUF_ERROR)
            break;
    } while (s->avail_in || !s->avail_out);
    return s->avail_in ? -1 : 0;
}

/* Takes a length and as many bytes from *p. The length's place is free for the terminator of what stood before it. */
static char *take_string(char **p, const char *end)
{
    if (end - *p < 4 || get32(*p) > (size_t)(end - *p - 4))
        return NULL;
    uint32_t len = get32(*p);
    char *string = *p + 4;
    **p = '\0';
    *p = string + len;
    return string;
}

int spdy_headers_decode(struct spdy_headers *z, const void *block, size_t len, struct buf *text,
                        struct http_header headers[SPDY_HEADERS_MAX + 1])
{
    buf_init(text, SPDY_BLOCK_MAX);
    if (inflate_block(z, block, len, text) < 0 || text->len < 4)
        return -1;
    char *p = text->data + 4, *end = text->data + text->len; /* a NUL stands behind the end */
    uint32_t n = get32(text->data);
    if (n > SPDY_HEADERS_MAX)
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        headers[i].name = take_string(&p, end);
        headers[i].value = headers[i].name ? take_string(&p, end) : NULL;
        if (!headers[i].value || headers[i].value == headers[i].name + 4)
            return -1;
    }
    headers[n] = (struct http_header){NULL, NULL};
    return p == end ? 0 : -1;
}

/* --- encoding --- */

static void start_deflating(struct spdy_headers *z)
{
    const struct buf *dictionary = spdy_dictionary();
    if (z->deflating)
        return;
    if (deflateInit2(&z->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, DEFLATE_WINDOW_BITS, DEFLATE_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK ||
        deflateSetDictionary(&z->deflate, (const Bytef *)dictionary->data, (uInt)dictionary->len) != Z_OK)
        abort(); /* only without memory */
    z->deflating = true;
}

static void put_pair(struct buf *b, const struct http_header *h)
{
    put32(b, strlen(h->name));
    for (const char *c = h->name; *c; c++)
        buf_addc(b, (char)tolower((unsigned char)*c));
    put32(b, strlen(h->value));
    buf_adds(b, h->value);
}

void spdy_headers_encode(struct spdy_headers *z, const struct http_header *headers, struct buf *out)
{
    struct buf text = BUF_INIT(0);
    size_t n = 0;
    while (headers && headers[n].name)
        n++;
    put32(&text, n);
    for (size_t i = 0; i < n; i++)
        put_pair(&text, &headers[i]);
    start_deflating(z);
    z_stream *s = &z->deflate;
    s->next_in = (Bytef *)text.data;
    s->avail_in = (uInt)text.len;
    do {
        s->next_out = (Bytef *)buf_reserve(out, 256);
        s->avail_out = 256;
        deflate(s, Z_SYNC_FLUSH);
        buf_grown(out, 256 - s->avail_out);
    } while (!s->avail_out);
    buf_done(&text);
}
