/* Port-forwarding over SPDY, bare or inside the messages of a WebSocket: the client opens two streams a connection,
 * named by the headers streamType (error, data), port and requestID. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/forward_internal.h"

/* Looks at half a pair before it is forgotten: half a minute at least, as upstream. */
#define LOOKS_MAX 2
/* It is somebody's counter. */
#define REQUEST_ID_MAX 64

static void on_send(void *arg, const void *bytes, size_t len)
{
    struct forward *f = arg;
    if (f->ws)
        ws_write(f->ws, false, bytes, len);
    else
        duplex_write(f->duplex, bytes, len);
}

/* Its error stream ends properly: newer kubectls take a text there, or a reset, for the end of the session. */
static void reset(struct tunnel *t)
{
    struct spdy *s = t->forward->spdy;
    spdy_write(s, t->error, "", 0, true);
    spdy_reset(s, t->data, SPDY_CANCEL);
}

/* --- pairs --- */

static struct tunnel *find_half(struct forward *f, const char *request_id)
{
    LIST_EACH(it, &f->tunnels) {
        struct tunnel *t = container_of(it, struct tunnel, link);
        if (!t->begun && streq(t->request_id, request_id))
            return t;
    }
    return NULL;
}

static struct tunnel *find(struct forward *f, uint32_t stream)
{
    LIST_EACH(it, &f->tunnels) {
        struct tunnel *t = container_of(it, struct tunnel, link);
        if (t->data == stream || t->error == stream)
            return t;
    }
    return NULL;
}

static void on_opened(void *arg, uint32_t stream, const struct http_header *headers)
{
    struct forward *f = arg;
    const char *type = str_or(http_header_find(headers, "streamType"), ""),
               *id = http_header_find(headers, "requestID");
    bool is_error = streq(type, "error");
    char made_up[16]; /* old clients send no id, but open the data stream right after the other */
    int64_t port;
    snprintf(made_up, sizeof(made_up), "%u", is_error ? stream : stream - 2);
    id = str_or(id, made_up);
    struct tunnel *t = find_half(f, id);
    if ((!is_error && !streq(type, "data")) || strlen(id) > REQUEST_ID_MAX ||
        !str_to_i64(str_or(http_header_find(headers, "port"), ""), 1, UINT16_MAX, &port) ||
        (t && (is_error ? t->error : t->data))) {
        spdy_reset(f->spdy, stream, SPDY_REFUSED_STREAM);
        return;
    }
    if (!t) {
        t = tunnel_new(f);
        t->request_id = xstrdup(id);
    }
    *(is_error ? &t->error : &t->data) = stream;
    if (!is_error)
        t->port = (int)port;
    spdy_reply(f->spdy, stream, NULL);
    if (t->data && t->error)
        tunnel_begin(t);
}

static void on_data(void *arg, uint32_t stream, const void *bytes, size_t len)
{
    struct forward *f = arg;
    struct tunnel *t = find(f, stream);
    if (!t || stream != t->data)
        return;
    if (t->begun) {
        tunnel_input(t, bytes, len);
        return;
    }
    reset(t); /* bytes before there is a place for errors */
    tunnel_free(t);
}

static void on_fin(void *arg, uint32_t stream)
{
    struct forward *f = arg;
    struct tunnel *t = find(f, stream);
    if (t && stream == t->data) /* on the error stream the client says so at once */
        tunnel_input(t, "", 0);
}

static void on_reset(void *arg, uint32_t stream, uint32_t status)
{
    struct forward *f = arg;
    struct tunnel *t = find(f, stream);
    (void)status;
    if (!t)
        return;
    reset(t);
    tunnel_free(t);
}

static void write_data(struct tunnel *t, const void *bytes, size_t len)
{
    spdy_write(t->forward->spdy, t->data, bytes, len, false);
}

/* kubectl waits for the end of the error stream before it closes its side. */
static void end(struct tunnel *t, const char *why)
{
    struct spdy *s = t->forward->spdy;
    spdy_write(s, t->error, str_or(why, ""), why ? strlen(why) : 0, true);
    spdy_write(s, t->data, "", 0, true);
}

/* --- the session --- */

static void on_piece(void *arg, bool first, const void *bytes, size_t len)
{
    struct forward *f = arg;
    (void)first; /* where a message begins means nothing */
    if (len && spdy_feed(f->spdy, bytes, len) < 0)
        f->bad = true;
}

static void on_ws_send(void *arg, const void *bytes, size_t len)
{
    struct forward *f = arg;
    duplex_write(f->duplex, bytes, len);
}

static void start(struct forward *f)
{
    static const struct spdy_handler handler = {
        .send = on_send, .opened = on_opened, .data = on_data, .fin = on_fin, .reset = on_reset};
    f->spdy = spdy_new(SPDY_SERVER, false, &handler, f);
}

static void start_in_ws(struct forward *f)
{
    static const struct ws_handler handler = {.send = on_ws_send, .piece = on_piece};
    f->ws = ws_new(&handler, f);
    start(f);
}

static int feed(struct forward *f, const void *bytes, size_t len)
{
    if (!f->ws)
        return spdy_feed(f->spdy, bytes, len);
    return ws_feed(f->ws, bytes, len) < 0 || f->bad ? -1 : 0;
}

static void look(struct forward *f)
{
    LIST_EACH(it, &f->tunnels) {
        struct tunnel *t = container_of(it, struct tunnel, link);
        if (t->begun || ++t->looks < LOOKS_MAX)
            continue;
        reset(t);
        tunnel_free(t);
    }
    if (!duplex_pending(f->duplex))
        spdy_ping(f->spdy);
}

static void done(struct forward *f)
{
    spdy_free(f->spdy);
    ws_free(f->ws);
}

const struct forward_protocol forward_spdy = {
    .start = start, .feed = feed, .write = write_data, .end = end, .reset = reset, .look = look, .done = done};
const struct forward_protocol forward_spdy_in_ws = {
    .start = start_in_ws, .feed = feed, .write = write_data, .end = end, .reset = reset, .look = look, .done = done};
