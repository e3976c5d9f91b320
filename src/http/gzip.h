/* gzip (RFC 1952) of whole answers. Pure. */
#pragma once
#include "base/buf.h"

/* Upstream compresses from this size on: below, the client waits longer for the packing than for the bytes. */
#define GZIP_MIN (128 << 10)
/* Upstream's: the cheapest; lists shrink to a tenth all the same. */
#define GZIP_LEVEL 1

/* Does an Accept-Encoding header (NULL: none) name gzip without refusing it (q=0)? */
bool gzip_accepted(const char *accept_encoding);
void gzip_pack(const void *bytes, size_t len, int level, struct buf *out);
