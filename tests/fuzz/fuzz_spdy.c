/* The SPDY engine on anything: as server, without and with flow control, while it writes to whatever streams come. */
#include <stdint.h>

#include "http/spdy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *arg, const void *bytes, size_t len)
{
    size_t *sent = arg;
    (void)bytes;
    *sent += len;
}

static struct spdy *session;

static void on_opened(void *arg, uint32_t stream, const struct http_header *headers)
{
    static const char bytes[100000];
    (void)arg;
    spdy_reply(session, stream, headers);
    spdy_write(session, stream, bytes, sizeof(bytes), stream % 3 == 0);
}

static void on_data(void *arg, uint32_t stream, const void *bytes, size_t len)
{
    (void)arg;
    (void)bytes;
    if (len % 7 == 0)
        spdy_reset(session, stream, SPDY_CANCEL);
    else
        spdy_consumed(session, stream, len);
}

static void on_fin(void *arg, uint32_t stream)
{
    (void)arg;
    spdy_write(session, stream, "bye", 3, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct spdy_handler handler = {.send = on_send, .opened = on_opened, .data = on_data, .fin = on_fin};
    for (int flow_control = 0; flow_control < 2; flow_control++) {
        size_t sent = 0, split = size ? data[size - 1] * size / 256 : 0;
        session = spdy_new(SPDY_SERVER, flow_control, &handler, &sent);
        spdy_feed(session, data, split);
        spdy_feed(session, data + split, size - split);
        spdy_free(session);
    }
    return 0;
}
