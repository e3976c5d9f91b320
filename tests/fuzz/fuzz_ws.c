/* The WebSocket engine on anything, in one piece and in two. */
#include <stdint.h>

#include "http/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    (void)bytes;
    (void)len;
}

static void on_piece(void *arg, bool first, const void *bytes, size_t len)
{
    struct ws **w = arg;
    (void)first;
    ws_write(*w, false, bytes, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ws_handler handler = {.send = on_send, .piece = on_piece};
    size_t split = size ? data[size - 1] * size / 256 : 0;
    struct ws *w;
    w = ws_new(&handler, &w);
    if (ws_feed(w, data, split) == 0)
        ws_feed(w, data + split, size - split);
    ws_ping(w);
    ws_free(w);
    return 0;
}
