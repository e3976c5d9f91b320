/* The HTTP/2 engine on anything that follows a client's preface: requests are answered at once, in pieces, or given up,
 * by the length of their path. */
#include <stdint.h>
#include <string.h>

#include "http/h2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_request(void *arg, struct h2_stream *s)
{
    static const char bytes[100000];
    (void)arg;
    switch (strlen(s->target) % 3) {
    case 0:
        h2_reply(s, 200, s->headers, s->n_headers, bytes, sizeof(bytes), NULL, NULL);
        break;
    case 1:
        h2_start(s, 200, NULL, 0);
        h2_write(s, bytes, 10);
        break;
    default:
        h2_reset(s);
    }
}

static void on_refused(void *arg, struct h2_stream *s, int code, const char *why)
{
    (void)arg;
    h2_reply(s, code, NULL, 0, why, strlen(why), NULL, NULL);
}

static void on_drained(void *arg, struct h2_stream *s)
{
    (void)arg;
    h2_end(s);
}

static void on_closed(void *arg, struct h2_stream *s)
{
    (void)arg;
    (void)s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct h2_handler handler = {
        .request = on_request, .refused = on_refused, .drained = on_drained, .closed = on_closed};
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    struct h2 *h = h2_new(&handler, NULL);
    size_t split = size ? data[size - 1] * size / 256 : 0;
    struct buf out = BUF_INIT(0);
    h2_feed(h, preface, sizeof(preface) - 1, 1);
    h2_feed(h, data, split, 2);
    h2_output(h, &out, 200000, 2);
    h2_feed(h, data + split, size - split, 3);
    h2_sweep(h, 100000, 30000);
    h2_output(h, &out, 400000, 4);
    buf_done(&out);
    h2_free(h);
    return 0;
}
