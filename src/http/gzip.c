/* See gzip.h. */
#include "http/gzip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

/* zlib's largest window, and its flag for a gzip wrapping. */
#define WINDOW_BITS (15 + 16)
#define MEMORY_LEVEL 8 /* zlib's default */

/* "q=0" in one of its spellings. */
static bool refused(const char *params, size_t len)
{
    const char *q = memmem(params, len, "q=", 2);
    if (!q)
        return false;
    q += 2;
    while (q < params + len && (*q == '0' || *q == '.'))
        q++;
    return q == params + len || !(*q >= '1' && *q <= '9');
}

bool gzip_accepted(const char *accept_encoding)
{
    const char *s = accept_encoding ? accept_encoding : "";
    while (*s) {
        s += strspn(s, ", \t");
        size_t len = strcspn(s, ","), name = strcspn(s, ",; \t");
        if (name == 4 && strncasecmp(s, "gzip", 4) == 0)
            return !refused(s + name, len - name);
        s += len;
    }
    return false;
}

void gzip_pack(const void *bytes, size_t len, int level, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)bytes, .avail_in = (uInt)len};
    if (deflateInit2(&z, level, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* only without memory */
    size_t bound = deflateBound(&z, len);
    z.next_out = (Bytef *)buf_reserve(out, bound);
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort(); /* the bound is enough */
    buf_grown(out, bound - z.avail_out);
    deflateEnd(&z);
}
