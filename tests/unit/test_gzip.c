/* http: packing of answers. */
#include <zlib.h>

#include "base/alloc.h"
#include "http/gzip.h"
#include "t.h"

TEST(who_takes_gzip)
{
    static const struct {
        const char *header;
        bool want;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZIP", true},
        {"identity", false},
        {"gzipped", false},
        {"deflate, gzip", true},
        {"deflate,gzip;q=1.0, br", true},
        {"gzip;q=0", false},
        {"gzip;q=0.", false},
        {"gzip; q=0.000", false},
        {"gzip;q=0.5", true},
        {"*", false},
        {"br;q=0, gzip", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        T_INT(gzip_accepted(cases[i].header), cases[i].want);
}

static void round_trip(const char *bytes, size_t len)
{
    struct buf packed = BUF_INIT(0);
    gzip_pack(bytes, len, GZIP_LEVEL, &packed);
    _cleanup_free_ char *back = xmalloc(len + 1);
    z_stream z = {.next_in = (Bytef *)packed.data, .avail_in = (uInt)packed.len};
    z.next_out = (Bytef *)back;
    z.avail_out = (uInt)len + 1;
    T_INT(inflateInit2(&z, 15 + 16), Z_OK);
    T_INT(inflate(&z, Z_FINISH), Z_STREAM_END);
    T_INT(z.total_out, len);
    T_TRUE(memcmp(back, bytes, len) == 0);
    inflateEnd(&z);
    buf_done(&packed);
}

TEST(what_is_packed_comes_out_again)
{
    enum { SIZE = 300000 };
    _cleanup_free_ char *bytes = xmalloc(SIZE);
    round_trip("", 0);
    memset(bytes, 'a', SIZE);
    round_trip(bytes, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)rand();
    round_trip(bytes, SIZE);
}

int main(void)
{
    RUN(who_takes_gzip);
    RUN(what_is_packed_comes_out_again);
    return DONE();
}
