/* Port-forwarding over the channels of a WebSocket: connection i of those asked for has channel 2i for its bytes and
 * 2i+1 for an error text; each begins with the port, two bytes, the lower first. Channels cannot be half closed: a
 * connection is over with the pod's side, and the session with the last of them. */
#include <string.h>

#include "base/alloc.h"
#include "http/forward_internal.h"

/* As much as client-go reads at once. */
#define MESSAGE_MAX (32 << 10)

static void on_send(void *arg, const void *bytes, size_t len)
{
    struct forward *f = arg;
    duplex_write(f->duplex, bytes, len);
}

static void write_message(struct forward *f, uint32_t channel, const void *bytes, size_t len)
{
    char message[1 + MESSAGE_MAX];
    message[0] = (char)channel;
    memcpy(message + 1, bytes, len);
    ws_write(f->ws, false, message, 1 + len);
}

static void write_channel(struct forward *f, uint32_t channel, const char *bytes, size_t len)
{
    while (len) {
        size_t n = len < MESSAGE_MAX ? len : MESSAGE_MAX;
        write_message(f, channel, bytes, n);
        bytes += n;
        len -= n;
    }
}

static void write_data(struct tunnel *t, const void *bytes, size_t len)
{
    write_channel(t->forward, t->data, bytes, len);
}

static void end(struct tunnel *t, const char *why)
{
    struct forward *f = t->forward;
    if (why)
        write_channel(f, t->error, why, strlen(why));
    t->client_done = true;
    if (--f->n_open)
        return;
    ws_close(f->ws);
    duplex_close(f->duplex);
}

static void reset(struct tunnel *t)
{
    if (!t->client_done)
        end(t, "lost connection to pod");
}

static void input(struct forward *f, const void *bytes, size_t len)
{
    LIST_EACH(it, &f->tunnels) {
        struct tunnel *t = container_of(it, struct tunnel, link);
        if (t->data == (uint32_t)f->channel) {
            tunnel_input(t, bytes, len);
            return;
        }
    }
}

static void on_piece(void *arg, bool first, const void *bytes, size_t len)
{
    struct forward *f = arg;
    const unsigned char *p = bytes;
    if (first)
        f->channel = -1;
    if (f->channel < 0 && len) {
        f->channel = *p++;
        len--;
    }
    if (f->channel >= 2 * (int)f->n_ports)
        f->bad = true;
    else if (len)
        input(f, p, len);
}

static void start(struct forward *f)
{
    static const struct ws_handler handler = {.send = on_send, .piece = on_piece};
    f->ws = ws_new(&handler, f);
    f->n_open = f->n_ports;
    for (size_t i = 0; i < f->n_ports; i++) {
        const char port[] = {(char)(f->ports[i] & 0xff), (char)(f->ports[i] >> 8)};
        struct tunnel *t = tunnel_new(f);
        t->port = f->ports[i];
        t->data = 2 * (uint32_t)i;
        t->error = t->data + 1;
        write_message(f, t->data, port, sizeof(port));
        write_message(f, t->error, port, sizeof(port));
        tunnel_begin(t);
    }
}

static int feed(struct forward *f, const void *bytes, size_t len)
{
    return ws_feed(f->ws, bytes, len) < 0 || f->bad ? -1 : 0;
}

static void look(struct forward *f)
{
    if (!duplex_pending(f->duplex))
        ws_ping(f->ws);
}

static void done(struct forward *f)
{
    ws_free(f->ws);
}

const struct forward_protocol forward_channels = {
    .start = start, .feed = feed, .write = write_data, .end = end, .reset = reset, .look = look, .done = done};
