/* Any bytes, in pieces: without links to change they come out as they went in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "server/html_links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *same(void *arg, const char *link)
{
    (void)arg;
    return *link == '/' ? xstrdup(link) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = BUF_INIT(0);
    struct html_links *h = html_links_new(same, NULL);
    size_t piece = size ? data[0] % 16 + 1u : 1;
    for (size_t at = 0; at < size; at += piece)
        html_links_feed(h, (const char *)data + at, size - at < piece ? size - at : piece, &out);
    html_links_feed(h, NULL, 0, &out);
    if (out.len != size || (size && memcmp(out.data, data, size) != 0))
        abort();
    html_links_free(h);
    buf_done(&out);
    return 0;
}
