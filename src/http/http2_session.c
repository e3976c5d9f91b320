/* HTTP/2 on one connection of the server: the engine of h2.h fed by it. Each stream carries one exchange, which
 * outlives stream and connection while its handler owes an answer. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/h2.h"
#include "http/http_internal.h"

/* Frames made ahead of the connection: what waits longer waits in its stream, where it is counted. */
#define AHEAD (64 << 10)

struct http2_session {
    struct http_session s;
    struct h2 *h2;
    bool inside;                 /* a call of the engine: output comes after it */
    bool leaving, ending, freed; /* leaving: ends when the output has left */
    uint64_t used;               /* when there was a stream last */
    char peer_ip[46];
};

struct http2_exchange {
    struct http_exchange x;
    struct http2_session *session; /* both NULL once the peer has gone */
    struct h2_stream *stream;
    uv_loop_t *loop;
};

static struct http2_exchange *of(const struct http_exchange *x)
{
    return container_of(x, struct http2_exchange, x);
}

/* --- moving bytes --- */

static void session_free(struct http2_session *h)
{
    h->freed = true;
    if (h->inside)
        return;
    h->inside = true; /* handlers that are told must not send */
    h2_free(h->h2);
    conn_free(h->s.conn);
    list_remove(&h->s.link);
    free(h);
}

/* After every call of the engine: what it has to say leaves as far as the connection takes it. */
static void pump(struct http2_session *h)
{
    struct conn *conn = h->s.conn;
    if (h->inside)
        return;
    h->inside = true;
    while (!h->freed && !h->ending && conn_pending(conn) < AHEAD) {
        struct buf out = BUF_INIT(0);
        h2_output(h->h2, &out, AHEAD, uv_now(conn_loop(conn)));
        size_t len = out.len;
        conn_write(conn, out.data, len);
        buf_done(&out);
        if (!len)
            break;
    }
    h->inside = false;
    if (h->freed) {
        session_free(h);
    } else if (!h->ending && (h->leaving || h2_over(h->h2))) {
        h->ending = true;
        conn_finish(conn, MOVE_MS);
    }
}

/* --- the end of an exchange --- */

static void exchange_free(struct http2_exchange *e)
{
    if (e->stream)
        e->stream->owner = NULL;
    exchange_forget(&e->x);
    free(e);
}

/* The handler has done its part. */
static void exchange_done(struct http2_exchange *e)
{
    struct http2_session *h = e->session;
    exchange_free(e);
    if (h)
        pump(h);
}

/* The handler follows its peer and learns; or it will answer, and nobody listens. */
static void tell_gone(struct http2_exchange *e)
{
    void (*gone)(void *) = TAKE(e->x.gone);
    if (!gone)
        return;
    gone(e->x.gone_arg);
    exchange_free(e);
}

/* --- the answer --- */

struct fields {
    struct http_header *list;
    size_t n;
};

static struct fields answer_fields(const struct http_exchange *x, const char *content_type, const char *length)
{
    const char *name, *value;
    size_t n = 2;
    for (size_t at = 0; exchange_added(x, &at, &name, &value);)
        n++;
    struct fields f = {xcalloc(n, sizeof(*f.list)), 0};
    if (content_type)
        f.list[f.n++] = (struct http_header){"content-type", content_type};
    if (length)
        f.list[f.n++] = (struct http_header){"content-length", length};
    for (size_t at = 0; exchange_added(x, &at, &name, &value);)
        f.list[f.n++] = (struct http_header){name, value};
    return f;
}

static void reply(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                  void (*release)(void *), void *release_arg)
{
    struct http2_exchange *e = of(x);
    bool bodiless = exchange_to_head(x) || code == 204 || code == 304 || !e->stream;
    char length[24];
    snprintf(length, sizeof(length), "%zu", len);
    if (e->stream) {
        struct fields f = answer_fields(x, content_type, code == 204 || code == 304 ? NULL : length);
        h2_reply(e->stream, code, f.list, f.n, bodiless ? NULL : body, bodiless ? 0 : len, bodiless ? NULL : release,
                 release_arg);
        free(f.list);
    }
    if (bodiless && release)
        release(release_arg);
    exchange_done(e);
}

static void stream_start(struct http_exchange *x, int code, const char *content_type, int64_t length)
{
    struct http2_exchange *e = of(x);
    char text[24];
    if (!e->stream)
        return;
    snprintf(text, sizeof(text), "%lld", (long long)length);
    struct fields f = answer_fields(x, content_type, length >= 0 && code != 204 ? text : NULL);
    h2_start(e->stream, code, f.list, f.n);
    free(f.list);
    pump(e->session);
}

static void stream_write(struct http_exchange *x, const void *bytes, size_t len)
{
    struct http2_exchange *e = of(x);
    if (!e->stream)
        return;
    h2_write(e->stream, bytes, len);
    pump(e->session);
}

static size_t stream_pending(const struct http_exchange *x)
{
    return of(x)->stream ? h2_pending(of(x)->stream) : 0;
}

static void stream_end(struct http_exchange *x)
{
    if (of(x)->stream)
        h2_end(of(x)->stream);
    exchange_done(of(x));
}

static void abort_exchange(struct http_exchange *x)
{
    if (of(x)->stream)
        h2_reset(of(x)->stream);
    exchange_done(of(x));
}

static void body_pause(struct http_exchange *x)
{
    struct http2_exchange *e = of(x);
    if (!e->stream)
        return;
    h2_body_pause(e->stream, x->body_paused);
    pump(e->session);
}

/* --- a handler that begins to follow a peer that has left --- */

struct late {
    uv_timer_t timer;
    struct http2_exchange *exchange;
};

static void on_late_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_late(uv_timer_t *timer)
{
    struct late *late = timer->data;
    tell_gone(late->exchange);
    uv_close((uv_handle_t *)timer, on_late_closed);
}

static void gone_set(struct http_exchange *x)
{
    struct http2_exchange *e = of(x);
    if (e->stream)
        return;
    struct late *late = NEW(struct late);
    late->exchange = e;
    late->timer.data = late;
    uv_timer_init(e->loop, &late->timer);
    uv_timer_start(&late->timer, on_late, 0, 0); /* not inside the handler's call */
}

static struct conn *conn_of(const struct http_exchange *x)
{
    return of(x)->session ? of(x)->session->s.conn : NULL;
}

/* Not to be reached: requests with Upgrade are no HTTP/2 (RFC 9113, 8.2.2) and the engine refuses them. */
static struct duplex *no_upgrade(struct http_exchange *x, const struct http_header *headers)
{
    (void)x;
    (void)headers;
    abort();
}

static const struct http_carrier carrier = {.reply = reply,
                                            .stream_start = stream_start,
                                            .stream_write = stream_write,
                                            .stream_pending = stream_pending,
                                            .stream_end = stream_end,
                                            .abort = abort_exchange,
                                            .body_pause = body_pause,
                                            .gone_set = gone_set,
                                            .upgrade = no_upgrade,
                                            .conn = conn_of};

/* --- the request --- */

static struct http2_exchange *exchange_new(struct http2_session *h, struct h2_stream *s)
{
    struct http2_exchange *e = NEW(struct http2_exchange);
    e->x.carrier = &carrier;
    e->session = h;
    e->stream = s;
    e->loop = conn_loop(h->s.conn);
    e->x.method = s->method;
    memcpy(e->x.peer_ip, h->peer_ip, sizeof(h->peer_ip));
    s->owner = e;
    return e;
}

static void on_request(void *arg, struct h2_stream *s)
{
    struct http2_session *h = arg;
    if (h->freed || !h->s.server)
        return;
    struct http2_exchange *e = exchange_new(h, s);
    e->x.body_flows = s->flows;
    e->x.body_length = h2_body_length(s);
    e->x.body = s->body;
    buf_init(&s->body, 0);
    exchange_dispatch(&e->x, h->s.server, s->method, s->target, s->headers, s->n_headers);
}

static bool is_to_flow(void *arg, const char *target)
{
    const struct http2_session *h = arg;
    return exchange_streams(h->s.server, target);
}

static void on_body(void *arg, struct h2_stream *s, const void *bytes, size_t len)
{
    struct http2_exchange *e = s->owner;
    (void)arg;
    if (e)
        exchange_body(&e->x, bytes, len);
}

static void on_refused(void *arg, struct h2_stream *s, int code, const char *why)
{
    struct http2_session *h = arg;
    const char *type;
    _cleanup_free_ char *body = exchange_refusal(h->s.server, code, why, &type);
    reply(&exchange_new(h, s)->x, code, type, body, strlen(body), NULL, NULL);
}

static void on_drained(void *arg, struct h2_stream *s)
{
    struct http2_exchange *e = s->owner;
    (void)arg;
    if (e && e->x.drained)
        e->x.drained(e->x.drained_arg);
}

static void on_closed(void *arg, struct h2_stream *s)
{
    struct http2_session *h = arg;
    struct http2_exchange *e = s->owner;
    h->used = uv_now(conn_loop(h->s.conn));
    if (!e)
        return;
    s->owner = NULL;
    e->session = NULL;
    e->stream = NULL;
    /* The head is the stream's: whoever still answers reads it no more. */
    e->x.method = NULL;
    e->x.headers = NULL;
    e->x.n_headers = 0;
    tell_gone(e);
}

/* --- the connection --- */

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct http2_session *h = arg;
    h->inside = true;
    h2_feed(h->h2, bytes, len, uv_now(conn_loop(h->s.conn)));
    h->inside = false;
    pump(h);
}

static void on_eof(void *arg)
{
    session_free(arg);
}

static void on_conn_drained(void *arg)
{
    pump(arg);
}

static void on_failed(void *arg, const struct err *why)
{
    (void)why;
    session_free(arg);
}

static void close_session(struct http_session *s)
{
    struct http2_session *h = container_of(s, struct http2_session, s);
    h2_goaway(h->h2);
    pump(h);
    session_free(h);
}

static void tick(struct http_session *s, uint64_t now)
{
    struct http2_session *h = container_of(s, struct http2_session, s);
    if (h->ending)
        return;
    h2_sweep(h->h2, now, MOVE_MS);
    if (h2_streams(h->h2))
        h->used = now;
    if (h->used + IDLE_MS < now) {
        h->leaving = true;
        h2_goaway(h->h2);
    }
    pump(h);
}

void http2_session_new(struct http_server *server, struct conn *conn)
{
    static const struct conn_handler conn_handler = {
        .data = on_data, .eof = on_eof, .drained = on_conn_drained, .failed = on_failed};
    static const struct h2_handler h2_handler = {.request = on_request,
                                                 .flows = is_to_flow,
                                                 .body = on_body,
                                                 .refused = on_refused,
                                                 .drained = on_drained,
                                                 .closed = on_closed};
    struct http2_session *h = NEW(struct http2_session);
    h->h2 = h2_new(&h2_handler, h);
    h->used = uv_now(conn_loop(conn));
    h->s = (struct http_session){.server = server, .conn = conn, .close = close_session, .tick = tick};
    conn_peer_ip(conn, h->peer_ip, sizeof(h->peer_ip));
    conn_set_handler(conn, &conn_handler, h);
    conn_deadline(conn, 0); /* tick() looks after the streams */
    list_append(&server->sessions, &h->s.link);
}
