/* Remote command streams over WebSocket: the first byte of a message is its channel. In the base64 forms it is a digit,
 * and the rest is text. Version 5 adds a channel that closes another: the end of input. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/remote_internal.h"

#define CLOSE_CHANNEL 255
/* As much as client-go reads at once; divisible by three, so that base64 text is padded at the end only. */
#define MESSAGE_MAX (3 * 10240)

static void on_send(void *arg, const void *bytes, size_t len)
{
    struct remote_streams *r = arg;
    duplex_write(r->duplex, bytes, len);
}

static void input(struct remote_streams *r, const void *bytes, size_t len)
{
    if (r->channel == CLOSE_CHANNEL && r->version >= 5) {
        if (len && *(const unsigned char *)bytes == REMOTE_STDIN)
            remote_input(r, REMOTE_STDIN, "", 0);
    } else if (len && (r->channel == REMOTE_STDIN || r->channel == REMOTE_RESIZE)) {
        remote_input(r, (enum remote_channel)r->channel, bytes, len);
    }
}

/* Decodes in groups of four digits; at most three wait for the next piece. */
static void input_base64(struct remote_streams *r, const void *text, size_t len)
{
    buf_add(&r->digits, text, len);
    size_t whole = r->digits.len & ~(size_t)3, n = 0;
    _cleanup_free_ void *bytes = base64_decode(buf_str(&r->digits), whole, &n);
    if (!bytes) {
        r->bad = true;
        return;
    }
    buf_drop_front(&r->digits, whole);
    input(r, bytes, n);
}

static void on_piece(void *arg, bool first, const void *bytes, size_t len)
{
    struct remote_streams *r = arg;
    const unsigned char *p = bytes;
    if (first) {
        r->channel = -1;
        buf_clear(&r->digits);
    }
    if (r->channel < 0 && len) {
        r->channel = r->base64 ? *p - '0' : *p;
        p++;
        len--;
    }
    if (r->base64 && len)
        input_base64(r, p, len);
    else if (len)
        input(r, p, len);
}

static void start(struct remote_streams *r)
{
    static const struct ws_handler handler = {.send = on_send, .piece = on_piece};
    r->ws = ws_new(&handler, r);
}

static int feed(struct remote_streams *r, const void *bytes, size_t len)
{
    return ws_feed(r->ws, bytes, len) < 0 || r->bad ? -1 : 0;
}

static void write_message(struct remote_streams *r, enum remote_channel channel, const char *bytes, size_t len)
{
    struct buf message = BUF_INIT(0);
    buf_addc(&message, (char)((r->base64 ? '0' : 0) + (int)channel));
    if (r->base64) {
        _cleanup_free_ char *text = base64_encode(bytes, len);
        buf_adds(&message, text);
    } else {
        buf_add(&message, bytes, len);
    }
    ws_write(r->ws, r->base64, message.data, message.len);
    buf_done(&message);
}

static void write_channel(struct remote_streams *r, enum remote_channel channel, const void *bytes, size_t len)
{
    const char *p = bytes;
    do {
        size_t n = len < MESSAGE_MAX ? len : MESSAGE_MAX;
        write_message(r, channel, p, n);
        p += n;
        len -= n;
    } while (len);
}

static void ping(struct remote_streams *r)
{
    ws_ping(r->ws);
}

static void finish(struct remote_streams *r)
{
    ws_close(r->ws);
}

static void done(struct remote_streams *r)
{
    ws_free(r->ws);
    buf_done(&r->digits);
}

const struct remote_transport remote_over_ws = {
    .start = start, .feed = feed, .write = write_channel, .ping = ping, .finish = finish, .done = done};
