/* SPDY/3's header blocks: names and values behind a zlib stream that lasts as long as the session, primed with the
 * protocol's dictionary. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#include "base/buf.h"
#include "http/http.h"

/* Stream headers are a handful of words; what inflates to more is an attack. */
#define SPDY_BLOCK_MAX (16 << 10)
#define SPDY_HEADERS_MAX 64

struct spdy_headers {
    z_stream inflate, deflate; /* begun with the first block: most sessions send few */
    bool inflating, deflating;
};

void spdy_headers_done(struct spdy_headers *z); /* a zeroed struct is a new one */
/* Decodes a block. headers (NULL name ends, at most SPDY_HEADERS_MAX) point into `text`, which the caller owns. -1:
 * malformed, which ends the session, as the two sides no longer agree on the compressor's state. */
int spdy_headers_decode(struct spdy_headers *z, const void *block, size_t len, struct buf *text,
                        struct http_header headers[SPDY_HEADERS_MAX + 1]);
/* Appends the block for these headers (NULL name ends); names are written in lower case. */
void spdy_headers_encode(struct spdy_headers *z, const struct http_header *headers, struct buf *out);
/* The protocol's dictionary. */
const struct buf *spdy_dictionary(void);
