/* The HTTP/1.1 parser on anything. The first byte chooses: request or response, and where to split. Fed in one piece or
 * two, the bytes must give the same events. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/h1.h"

static uint64_t run(const uint8_t *data, size_t size, size_t split, int kind)
{
    struct h1 p;
    uint64_t hash = 14695981039346656037u;
    const char *parts[2] = {(const char *)data, (const char *)data + split};
    size_t lens[2] = {split, size - split};
    bool ended = false;
    if (kind)
        h1_init_response(&p, kind == 2);
    else
        h1_init_request(&p);
    for (int i = 0; i < 2 && !ended; i++) {
        for (;;) {
            enum h1_event event = h1_feed(&p, &parts[i], &lens[i]);
            if (event == H1_NEED_MORE)
                break;
            for (size_t k = 0; event == H1_BODY && k < p.body_len; k++)
                hash = (hash ^ (uint8_t)p.body[k]) * 1099511628211u;
            if (event != H1_BODY)
                hash = (hash ^ (uint64_t)(event + 256 * p.bad_code)) * 1099511628211u;
            if (event == H1_BAD) {
                ended = true;
                break;
            }
            if (event == H1_END)
                h1_next(&p);
        }
    }
    h1_done(&p);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    int kind = data[0] % 3;
    size_t split = (size_t)data[0] * (size - 1) / 256;
    if (run(data + 1, size - 1, 0, kind) != run(data + 1, size - 1, split, kind))
        abort();
    return 0;
}
