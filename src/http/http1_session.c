/* HTTP/1.1 on one connection of the server. The exchange is embedded, because requests of one connection are answered
 * one after another. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/duplex.h"
#include "http/h1.h"
#include "http/http_internal.h"

enum phase { READING, BUSY, STREAMING, SENDING, ENDING };

struct http1_session {
    struct http_session s;
    struct http_exchange x;
    struct h1 request;
    enum phase phase;
    bool feeding, broken, at_eof, keep_alive, head_clock_runs;
    bool chunked; /* the answer */
};

static struct http1_session *of(const struct http_exchange *x)
{
    return container_of(x, struct http1_session, x);
}

/* --- lifetimes --- */

static void session_free(struct http1_session *h)
{
    exchange_forget(&h->x);
    h1_done(&h->request);
    conn_free(h->s.conn);
    list_remove(&h->s.link);
    free(h);
}

static bool in_progress(const struct http1_session *h)
{
    return h->phase == BUSY || h->phase == STREAMING;
}

/* --- the answer --- */

/* clang-format off */
static const struct {
    int code;
    const char *reason;
} reasons[] = {
    {101, "Switching Protocols"}, {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"},
    {301, "Moved Permanently"}, {302, "Found"}, {304, "Not Modified"}, {307, "Temporary Redirect"},
    {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
    {406, "Not Acceptable"}, {409, "Conflict"}, {410, "Gone"}, {413, "Request Entity Too Large"},
    {415, "Unsupported Media Type"}, {417, "Expectation Failed"}, {422, "Unprocessable Entity"},
    {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
    {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
};
/* clang-format on */

static const char *reason_phrase(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].code == code)
            return reasons[i].reason;
    return "Status";
}

static bool is_bodiless(int code)
{
    return code == 204 || code == 304;
}

static void put_head(struct http1_session *h, struct buf *head, int code, const char *content_type)
{
    const char *name, *value;
    if (h->x.body_flows) /* what is left of it has to be thrown away */
        h->keep_alive = false;
    buf_addf(head, "HTTP/1.1 %d %s\r\n", code, reason_phrase(code));
    if (content_type)
        buf_addf(head, "Content-Type: %s\r\n", content_type);
    for (size_t at = 0; exchange_added(&h->x, &at, &name, &value);)
        buf_addf(head, "%s: %s\r\n", name, value);
    if (!h->keep_alive)
        buf_adds(head, "Connection: close\r\n");
}

static void forget_request(struct http1_session *h)
{
    exchange_forget(&h->x);
    h1_next(&h->request);
}

/* The answer is complete: on to the next request, or to the end. */
static void exchange_done(struct http1_session *h)
{
    if (h->broken) {
        session_free(h);
        return;
    }
    forget_request(h);
    if (!h->keep_alive || !h->s.server) {
        h->phase = ENDING;
        conn_finish(h->s.conn, MOVE_MS);
        return;
    }
    if (conn_pending(h->s.conn)) { /* the next request waits until this answer has been taken */
        h->phase = SENDING;
        conn_idle_deadline(h->s.conn, MOVE_MS);
        return;
    }
    h->phase = READING;
    conn_idle_deadline(h->s.conn, IDLE_MS);
    if (!h->feeding)
        conn_hold(h->s.conn, false);
}

static void reply(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                  void (*release)(void *), void *release_arg)
{
    struct http1_session *h = of(x);
    struct buf head = BUF_INIT(0);
    bool bodiless = exchange_to_head(x) || is_bodiless(code);
    put_head(h, &head, code, content_type);
    if (!is_bodiless(code))
        buf_addf(&head, "Content-Length: %zu\r\n", len);
    buf_adds(&head, "\r\n");
    uv_buf_t pieces[] = {uv_buf_init(head.data, (unsigned)head.len), uv_buf_init((char *)body, (unsigned)len)};
    conn_send(h->s.conn, pieces, bodiless ? 1 : 2, bodiless ? NULL : release, release_arg);
    buf_done(&head);
    if (bodiless && release)
        release(release_arg);
    exchange_done(h);
}

static void stream_start(struct http_exchange *x, int code, const char *content_type, int64_t length)
{
    struct http1_session *h = of(x);
    struct buf head = BUF_INIT(0);
    h->phase = STREAMING;
    h->chunked = length < 0 && h->request.minor && !is_bodiless(code);
    if (length < 0 && h->request.minor == 0) /* ends with the connection */
        h->keep_alive = false;
    put_head(h, &head, code, content_type);
    if (length >= 0 && code != 204)
        buf_addf(&head, "Content-Length: %lld\r\n", (long long)length);
    buf_adds(&head, h->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    conn_write(h->s.conn, head.data, head.len);
    buf_done(&head);
}

static void stream_write(struct http_exchange *x, const void *bytes, size_t len)
{
    struct http1_session *h = of(x);
    char size[24];
    if (!h->chunked) {
        conn_write(h->s.conn, bytes, len);
        return;
    }
    int n = snprintf(size, sizeof(size), "%zx\r\n", len);
    uv_buf_t pieces[] = {uv_buf_init(size, (unsigned)n), uv_buf_init((char *)bytes, (unsigned)len),
                         uv_buf_init((char *)"\r\n", 2)};
    conn_send(h->s.conn, pieces, 3, NULL, NULL);
}

static size_t stream_pending(const struct http_exchange *x)
{
    return conn_pending(of(x)->s.conn);
}

static void stream_end(struct http_exchange *x)
{
    struct http1_session *h = of(x);
    if (h->chunked && !exchange_to_head(x))
        conn_write(h->s.conn, "0\r\n\r\n", 5);
    exchange_done(h);
}

static void abort_exchange(struct http_exchange *x)
{
    struct http1_session *h = of(x);
    if (!h->feeding) {
        session_free(h);
        return;
    }
    x->gone = NULL;
    h->phase = ENDING;
    conn_cut(h->s.conn);
}

static void body_pause(struct http_exchange *x)
{
    struct http1_session *h = of(x);
    if (!h->feeding)
        conn_hold(h->s.conn, x->body_paused);
}

static void gone_set(struct http_exchange *x)
{
    struct http1_session *h = of(x);
    if (h->broken || h->at_eof)
        conn_cut(h->s.conn); /* on_failed tells, from the loop */
}

static struct duplex *upgrade(struct http_exchange *x, const struct http_header *headers)
{
    struct http1_session *h = of(x);
    struct buf head = BUF_INIT(0);
    struct conn *conn = h->s.conn;
    h->keep_alive = true; /* Connection is among the headers */
    put_head(h, &head, 101, NULL);
    for (; headers && headers->name; headers++)
        if (h1_is_token(headers->name) && h1_is_field_value(headers->value))
            buf_addf(&head, "%s: %s\r\n", headers->name, headers->value);
    buf_adds(&head, "\r\n");
    conn_write(conn, head.data, head.len);
    buf_done(&head);
    conn_deadline(conn, 0);
    struct duplex *d = duplex_new(conn);
    if (h->s.server)
        duplex_track(d, &h->s.server->upgraded);
    h->s.conn = NULL;
    h->phase = ENDING;
    if (!h->feeding) /* else feed() gives the rest of the bytes to the duplex first */
        session_free(h);
    return d;
}

static struct conn *conn_of(const struct http_exchange *x)
{
    return of(x)->s.conn;
}

static const struct http_carrier carrier = {.reply = reply,
                                            .stream_start = stream_start,
                                            .stream_write = stream_write,
                                            .stream_pending = stream_pending,
                                            .stream_end = stream_end,
                                            .abort = abort_exchange,
                                            .body_pause = body_pause,
                                            .gone_set = gone_set,
                                            .upgrade = upgrade,
                                            .conn = conn_of};

/* --- the request --- */

/* What cannot be parsed, or is too large, is answered here, and the connection ends. */
static void refuse(struct http1_session *h, int code, const char *why)
{
    const char *type;
    _cleanup_free_ char *body = exchange_refusal(h->s.server, code, why, &type);
    h->keep_alive = false;
    reply(&h->x, code, type, body, strlen(body), NULL, NULL);
}

static void dispatch(struct http1_session *h)
{
    struct h1 *p = &h->request;
    h->phase = BUSY;
    h->head_clock_runs = false;
    h->keep_alive = p->keep_alive && p->minor == 1;
    conn_deadline(h->s.conn, 0);
    exchange_dispatch(&h->x, h->s.server, p->method, p->target, p->headers, p->n_headers);
}

static void begin_request(struct http1_session *h)
{
    struct h1 *p = &h->request;
    h->x.method = p->method;
    h->x.body_flows = p->length != 0 && exchange_streams(h->s.server, p->target);
    h->x.body_length = p->length;
    if (p->length > HTTP_BODY_MAX && !h->x.body_flows) {
        refuse(h, 413, "request body too large");
        return;
    }
    buf_init(&h->x.body, HTTP_BODY_MAX);
    if (p->length > 0 && !h->x.body_flows)
        buf_reserve(&h->x.body, (size_t)p->length);
    if (p->expects_continue && p->minor && p->length != 0)
        conn_write(h->s.conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    if (h->x.body_flows)
        dispatch(h);
    else if (p->length != 0)
        conn_idle_deadline(h->s.conn, MOVE_MS);
}

static void add_body(struct http1_session *h)
{
    if (h->x.body_flows) {
        exchange_body(&h->x, h->request.body, h->request.body_len);
        return;
    }
    buf_add(&h->x.body, h->request.body, h->request.body_len);
    if (h->x.body.overflowed)
        refuse(h, 413, "request body too large");
}

static void end_body(struct http1_session *h)
{
    if (h->x.body_flows)
        exchange_body(&h->x, NULL, 0);
    else
        dispatch(h);
}

static void refuse_message(struct http1_session *h)
{
    if (h->phase == READING) {
        refuse(h, h->request.bad_code, h->request.bad_why);
        return;
    }
    h->x.body_paused = true; /* somebody answers already, and learns that the peer is of no use */
    conn_cut(h->s.conn);
}

/* A request is being read, or the body of one that is being answered. */
static bool wants_input(const struct http1_session *h)
{
    return h->phase == READING || (in_progress(h) && h->x.body_flows && !h->x.body_paused);
}

/* Until the bytes are used up or an exchange needs time. */
static void feed(struct http1_session *h, const char **bytes, size_t *len)
{
    while (wants_input(h) && h->s.server) {
        switch (h1_feed(&h->request, bytes, len)) {
        case H1_HEAD:
            begin_request(h);
            break;
        case H1_BODY:
            add_body(h);
            break;
        case H1_END:
            end_body(h);
            break;
        case H1_BAD:
            refuse_message(h);
            break;
        case H1_NEED_MORE:
            return;
        }
    }
}

static void on_open(void *arg)
{
    struct http1_session *h = arg;
    if (!h->s.server || !conn_agreed_on(h->s.conn, "h2"))
        return;
    http2_session_new(h->s.server, TAKE(h->s.conn));
    session_free(h);
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct http1_session *h = arg;
    struct conn *conn = h->s.conn;
    h->feeding = true;
    feed(h, &bytes, &len);
    h->feeding = false;
    if (!h->s.conn) { /* upgraded: the duplex has it */
        conn_unread(conn, bytes, len);
        session_free(h);
        return;
    }
    if (h->phase == READING) {
        if (!h->head_clock_runs && !h->request.method && !h1_between_messages(&h->request))
            conn_deadline(conn, HEAD_MS);
        h->head_clock_runs = !h1_between_messages(&h->request);
        return;
    }
    if (wants_input(h))
        return;
    conn_hold(conn, true);
    conn_unread(conn, bytes, len);
}

static void on_eof(void *arg)
{
    struct http1_session *h = arg;
    if (h->phase == READING) {
        session_free(h);
    } else if (in_progress(h)) {
        h->at_eof = true;
        if (h->x.gone)
            conn_cut(h->s.conn);
    }
}

static void on_drained(void *arg)
{
    struct http1_session *h = arg;
    if (h->phase == STREAMING && h->x.drained) {
        h->x.drained(h->x.drained_arg); /* may end the exchange */
        return;
    }
    if (h->phase != SENDING)
        return;
    h->phase = READING;
    conn_idle_deadline(h->s.conn, IDLE_MS);
    conn_hold(h->s.conn, false);
}

/* The handler follows its peer and learns; or it will answer, and nobody listens. */
static void tell_gone(struct http1_session *h)
{
    void (*gone)(void *) = TAKE(h->x.gone);
    h->broken = true;
    if (!gone)
        return;
    gone(h->x.gone_arg);
    session_free(h);
}

static void on_failed(void *arg, const struct err *why)
{
    struct http1_session *h = arg;
    (void)why;
    if (in_progress(h))
        tell_gone(h);
    else
        session_free(h);
}

static void close_session(struct http_session *s)
{
    struct http1_session *h = container_of(s, struct http1_session, s);
    if (h->feeding) /* called by the handler: its exchange ends when it returns */
        conn_cut(h->s.conn);
    else if (in_progress(h))
        tell_gone(h);
    else
        session_free(h);
}

struct http_session *http1_session_new(uv_stream_t *listener, SSL_CTX *tls)
{
    static const struct conn_handler handler = {
        .open = on_open, .data = on_data, .eof = on_eof, .drained = on_drained, .failed = on_failed};
    struct http1_session *h = NEW(struct http1_session);
    h->x.carrier = &carrier;
    h->s.close = close_session;
    list_init(&h->s.link);
    h1_init_request(&h->request);
    h->s.conn = conn_accept(listener, tls, &handler, h);
    if (!h->s.conn) {
        session_free(h);
        return NULL;
    }
    conn_peer_ip(h->s.conn, h->x.peer_ip, sizeof(h->x.peer_ip));
    conn_deadline(h->s.conn, HEAD_MS);
    return &h->s;
}
