/* Remote command streams over SPDY/3.1: the client opens one stream a channel and names it in the header streamType. */
#include <strings.h>

#include "http/remote_internal.h"

static void on_send(void *arg, const void *bytes, size_t len)
{
    struct remote_streams *r = arg;
    duplex_write(r->duplex, bytes, len);
}

static int channel_named(const struct http_header *headers)
{
    static const char *const names[REMOTE_CHANNEL_N] = {"stdin", "stdout", "stderr", "error", "resize"};
    for (; headers->name; headers++)
        for (int i = 0; i < REMOTE_CHANNEL_N; i++)
            if (strcasecmp(headers->name, "streamType") == 0 && strcasecmp(headers->value, names[i]) == 0)
                return i;
    return -1;
}

static bool all_there(const struct remote_streams *r)
{
    for (int i = 0; i < REMOTE_CHANNEL_N; i++)
        if (remote_wants(r, (enum remote_channel)i) && !r->stream[i])
            return false;
    return true;
}

static void on_opened(void *arg, uint32_t stream, const struct http_header *headers)
{
    struct remote_streams *r = arg;
    int channel = channel_named(headers);
    if (channel < 0 || r->stream[channel] || !remote_wants(r, (enum remote_channel)channel)) {
        spdy_reset(r->spdy, stream, SPDY_REFUSED_STREAM);
        return;
    }
    r->stream[channel] = stream;
    spdy_reply(r->spdy, stream, NULL);
    if (all_there(r))
        remote_open(r);
}

static int channel_of(const struct remote_streams *r, uint32_t stream)
{
    for (int i = 0; i < REMOTE_CHANNEL_N; i++)
        if (r->stream[i] == stream)
            return i;
    return -1;
}

static void on_data(void *arg, uint32_t stream, const void *bytes, size_t len)
{
    struct remote_streams *r = arg;
    int channel = channel_of(r, stream);
    if (channel >= 0)
        remote_input(r, (enum remote_channel)channel, bytes, len);
}

/* The client says so on output streams, too, at once: it has nothing to send there. */
static void on_fin(void *arg, uint32_t stream)
{
    struct remote_streams *r = arg;
    if (stream == r->stream[REMOTE_STDIN])
        remote_input(r, REMOTE_STDIN, "", 0);
}

static void on_reset(void *arg, uint32_t stream, uint32_t status)
{
    (void)status;
    on_fin(arg, stream);
}

static void start(struct remote_streams *r)
{
    static const struct spdy_handler handler = {
        .send = on_send, .opened = on_opened, .data = on_data, .fin = on_fin, .reset = on_reset};
    r->spdy = spdy_new(SPDY_SERVER, false, &handler, r);
}

static int feed(struct remote_streams *r, const void *bytes, size_t len)
{
    return spdy_feed(r->spdy, bytes, len);
}

static void write_channel(struct remote_streams *r, enum remote_channel channel, const void *bytes, size_t len)
{
    if (r->stream[channel] && len)
        spdy_write(r->spdy, r->stream[channel], bytes, len, false);
}

static void ping(struct remote_streams *r)
{
    spdy_ping(r->spdy);
}

/* The error stream last: with it the client knows the outcome. */
static void finish(struct remote_streams *r)
{
    static const enum remote_channel order[] = {REMOTE_STDOUT, REMOTE_STDERR, REMOTE_STDIN, REMOTE_RESIZE,
                                                REMOTE_ERROR};
    for (size_t i = 0; i < REMOTE_CHANNEL_N; i++)
        if (r->stream[order[i]])
            spdy_write(r->spdy, r->stream[order[i]], "", 0, true);
}

static void done(struct remote_streams *r)
{
    spdy_free(r->spdy);
}

const struct remote_transport remote_over_spdy = {
    .start = start, .feed = feed, .write = write_channel, .ping = ping, .finish = finish, .done = done};
