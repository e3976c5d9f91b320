/* Container logs: any bytes, in any pieces, give the same output as in one piece; a tail never leaves its input. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "node/crilog.h"

#define OUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const uint8_t *data, size_t size, size_t step, struct buf *out)
{
    struct crilog_options o = {
        .timestamps = size & 1, .limit_bytes = size & 2 ? 100 : -1, .since_usec = size & 4 ? 1 : 0};
    struct crilog_reader r;
    crilog_init(&r, &o);
    for (size_t at = 0; at < size; at += step)
        crilog_feed(&r, (const char *)data + at, size - at < step ? size - at : step, out);
    crilog_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > CRILOG_LINE_MAX) /* longer lines are cut where the piece ends */
        return 0;
    struct buf whole = BUF_INIT(OUT_MAX), pieces = BUF_INIT(OUT_MAX);
    int64_t found;
    read_all(data, size, size, &whole);
    read_all(data, size, 1 + data[0] % 16, &pieces);
    if (whole.len != pieces.len || (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    if (crilog_tail((const char *)data, size, data[0], &found) > size || found > data[0])
        abort();
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
