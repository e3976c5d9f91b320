/* The server side of http.h. A session is one connection; its exchange is embedded, because requests of one connection
 * are answered one after another. A session outlives its connection while an exchange without `gone` is still
 * unanswered. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/netns.h"
#include "http/conn.h"
#include "http/duplex.h"
#include "http/h1.h"

/* Each costs a file descriptor and, over TLS, some 20 KiB. 100 watchers on each of 20 kinds fit twice. */
#define CONNECTIONS_MAX 4096
#define BACKLOG 1024
/* A head (and the TLS handshake before the first) has to be complete by then: against clients that send a byte a
 * minute. */
#define HEAD_MS 30000
/* A body, or an answer being taken, has to move. */
#define MOVE_MS 30000
/* Idle connections: longer than kubectl and client-go keep theirs (90 s), so that they close first. */
#define IDLE_MS 180000

struct http_server {
    uv_loop_t *loop;
    SSL_CTX *tls;
    http_handler_fn *handler;
    http_refusal_fn *refusal;
    void *arg;
    struct list listeners, sessions, upgraded;
    size_t refs; /* the owner, listeners, connections */
    size_t n_conns;
    bool closed;
};

struct listener {
    struct list link;
    uv_tcp_t tcp;
    struct http_server *server;
};

enum phase { READING, BUSY, STREAMING, SENDING, ENDING };

struct http_exchange {
    struct list link;
    struct http_server *server; /* NULL once that is being freed */
    struct conn *conn;          /* NULL once upgraded */
    struct h1 request;
    struct buf body;
    struct buf extra_headers;
    char *path; /* target with the '?' replaced */
    const char *query;
    char peer_ip[46];
    enum phase phase;
    bool feeding, broken, at_eof, keep_alive, head_clock_runs;
    void (*gone)(void *arg);
    void *gone_arg;
    void (*drained)(void *arg);
    void *drained_arg;
    void *user_data;
    void (*free_user_data)(void *data);
};

static void on_data(void *arg, const char *bytes, size_t len);
static void on_eof(void *arg);
static void on_drained(void *arg);
static void on_failed(void *arg, const struct err *why);

static const struct conn_handler session_handler = {
    .data = on_data, .eof = on_eof, .drained = on_drained, .failed = on_failed};

/* --- lifetimes --- */

static void server_unref(void *arg)
{
    struct http_server *s = arg;
    if (--s->refs == 0)
        free(s);
}

static void conn_released(void *arg)
{
    struct http_server *s = arg;
    s->n_conns--;
    server_unref(s);
}

static void forget_request(struct http_exchange *x)
{
    if (x->free_user_data)
        x->free_user_data(x->user_data);
    x->user_data = NULL;
    x->free_user_data = NULL;
    x->gone = NULL;
    x->drained = NULL;
    buf_done(&x->body);
    buf_done(&x->extra_headers);
    free(TAKE(x->path));
    h1_next(&x->request);
}

static void session_free(struct http_exchange *x)
{
    forget_request(x);
    h1_done(&x->request);
    conn_free(x->conn);
    list_remove(&x->link);
    free(x);
}

static bool in_progress(const struct http_exchange *x)
{
    return x->phase == BUSY || x->phase == STREAMING;
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

static bool to_head(const struct http_exchange *x)
{
    return x->request.method && strcmp(x->request.method, "HEAD") == 0;
}

static void put_head(struct http_exchange *x, struct buf *head, int code, const char *content_type)
{
    buf_addf(head, "HTTP/1.1 %d %s\r\n", code, reason_phrase(code));
    if (content_type)
        buf_addf(head, "Content-Type: %s\r\n", content_type);
    buf_add(head, x->extra_headers.data, x->extra_headers.len);
    if (!x->keep_alive)
        buf_adds(head, "Connection: close\r\n");
}

/* The answer is complete: on to the next request, or to the end. */
static void exchange_done(struct http_exchange *x)
{
    if (x->broken) {
        session_free(x);
        return;
    }
    forget_request(x);
    if (!x->keep_alive || !x->server) {
        x->phase = ENDING;
        conn_finish(x->conn, MOVE_MS);
        return;
    }
    if (conn_pending(x->conn)) { /* the next request waits until this answer has been taken */
        x->phase = SENDING;
        conn_idle_deadline(x->conn, MOVE_MS);
        return;
    }
    x->phase = READING;
    conn_idle_deadline(x->conn, IDLE_MS);
    if (!x->feeding)
        conn_hold(x->conn, false);
}

static void reply(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                  void (*release)(void *), void *release_arg)
{
    struct buf head = BUF_INIT(0);
    bool bodiless = to_head(x) || code == 204 || code == 304;
    put_head(x, &head, code, content_type);
    if (code != 204 && code != 304)
        buf_addf(&head, "Content-Length: %zu\r\n", len);
    buf_adds(&head, "\r\n");
    uv_buf_t pieces[] = {uv_buf_init(head.data, (unsigned)head.len), uv_buf_init((char *)body, (unsigned)len)};
    conn_send(x->conn, pieces, bodiless ? 1 : 2, bodiless ? NULL : release, release_arg);
    buf_done(&head);
    if (bodiless && release)
        release(release_arg);
    exchange_done(x);
}

void http_reply(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len)
{
    reply(x, code, content_type, body, len, NULL, NULL);
}

void http_reply_shared(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                       void (*release)(void *), void *release_arg)
{
    reply(x, code, content_type, body, len, release, release_arg);
}

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    if (h1_is_token(name) && h1_is_field_value(value)) /* a line end in a value would begin an answer of its own */
        buf_addf(&x->extra_headers, "%s: %s\r\n", name, value);
}

void http_stream_start(struct http_exchange *x, int code, const char *content_type)
{
    struct buf head = BUF_INIT(0);
    x->phase = STREAMING;
    if (x->request.minor == 0) /* ends with the connection */
        x->keep_alive = false;
    put_head(x, &head, code, content_type);
    buf_adds(&head, x->request.minor ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    conn_write(x->conn, head.data, head.len);
    buf_done(&head);
}

void http_stream_write(struct http_exchange *x, const void *bytes, size_t len)
{
    char size[24];
    if (!len || to_head(x))
        return;
    if (!x->request.minor) {
        conn_write(x->conn, bytes, len);
        return;
    }
    int n = snprintf(size, sizeof(size), "%zx\r\n", len);
    uv_buf_t pieces[] = {uv_buf_init(size, (unsigned)n), uv_buf_init((char *)bytes, (unsigned)len),
                         uv_buf_init((char *)"\r\n", 2)};
    conn_send(x->conn, pieces, 3, NULL, NULL);
}

size_t http_stream_pending(const struct http_exchange *x)
{
    return conn_pending(x->conn);
}

void http_stream_end(struct http_exchange *x)
{
    if (x->request.minor && !to_head(x))
        conn_write(x->conn, "0\r\n\r\n", 5);
    exchange_done(x);
}

void http_abort(struct http_exchange *x)
{
    if (!x->feeding) {
        session_free(x);
        return;
    }
    x->gone = NULL;
    x->phase = ENDING;
    conn_cut(x->conn);
}

void http_on_gone(struct http_exchange *x, void (*gone)(void *arg), void *arg)
{
    x->gone = gone;
    x->gone_arg = arg;
    if (x->broken || x->at_eof)
        conn_cut(x->conn); /* on_failed tells, from the loop */
}

void http_on_drained(struct http_exchange *x, void (*drained)(void *arg), void *arg)
{
    x->drained = drained;
    x->drained_arg = arg;
}

struct duplex *http_upgrade(struct http_exchange *x, const struct http_header *headers)
{
    struct buf head = BUF_INIT(0);
    struct conn *conn = x->conn;
    x->keep_alive = true; /* Connection is among the headers */
    put_head(x, &head, 101, NULL);
    for (; headers && headers->name; headers++)
        if (h1_is_token(headers->name) && h1_is_field_value(headers->value))
            buf_addf(&head, "%s: %s\r\n", headers->name, headers->value);
    buf_adds(&head, "\r\n");
    conn_write(conn, head.data, head.len);
    buf_done(&head);
    conn_deadline(conn, 0);
    struct duplex *d = duplex_new(conn);
    if (x->server)
        duplex_track(d, &x->server->upgraded);
    x->conn = NULL;
    x->phase = ENDING;
    if (!x->feeding) /* else feed() gives the rest of the bytes to the duplex first */
        session_free(x);
    return d;
}

/* --- the request --- */

/* What cannot be parsed, or is too large, is answered here, and the connection ends. */
static void refuse(struct http_exchange *x, int code, const char *why)
{
    const char *type = "text/plain; charset=utf-8";
    http_refusal_fn *refusal = x->server ? x->server->refusal : NULL;
    _cleanup_free_ char *body = refusal ? refusal(code, why, &type) : xasprintf("%s\n", why);
    x->keep_alive = false;
    reply(x, code, type, body, strlen(body), NULL, NULL);
}

static void begin_request(struct http_exchange *x)
{
    struct h1 *p = &x->request;
    if (p->length > HTTP_BODY_MAX) {
        refuse(x, 413, "request body too large");
        return;
    }
    buf_init(&x->body, HTTP_BODY_MAX);
    if (p->length > 0)
        buf_reserve(&x->body, (size_t)p->length);
    if (p->expects_continue && p->minor && p->length != 0)
        conn_write(x->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    if (p->length != 0)
        conn_idle_deadline(x->conn, MOVE_MS);
}

static void add_body(struct http_exchange *x)
{
    buf_add(&x->body, x->request.body, x->request.body_len);
    if (x->body.overflowed)
        refuse(x, 413, "request body too large");
}

static void dispatch(struct http_exchange *x)
{
    x->phase = BUSY;
    x->head_clock_runs = false;
    x->keep_alive = x->request.keep_alive && x->request.minor == 1;
    x->path = xstrdup(x->request.target);
    char *query = strchr(x->path, '?');
    x->query = query ? query + 1 : "";
    if (query)
        *query = '\0';
    conn_deadline(x->conn, 0);
    x->server->handler(x->server->arg, x);
}

/* Until the bytes are used up or an exchange needs time. */
static void feed(struct http_exchange *x, const char **bytes, size_t *len)
{
    while (x->phase == READING && x->server) {
        switch (h1_feed(&x->request, bytes, len)) {
        case H1_HEAD:
            begin_request(x);
            break;
        case H1_BODY:
            add_body(x);
            break;
        case H1_END:
            dispatch(x);
            break;
        case H1_BAD:
            refuse(x, x->request.bad_code, x->request.bad_why);
            break;
        case H1_NEED_MORE:
            return;
        }
    }
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct http_exchange *x = arg;
    struct conn *conn = x->conn;
    x->feeding = true;
    feed(x, &bytes, &len);
    x->feeding = false;
    if (!x->conn) { /* upgraded: the duplex has it */
        conn_unread(conn, bytes, len);
        session_free(x);
        return;
    }
    if (x->phase == READING) {
        if (!x->head_clock_runs && !x->request.method && !h1_between_messages(&x->request))
            conn_deadline(conn, HEAD_MS);
        x->head_clock_runs = !h1_between_messages(&x->request);
        return;
    }
    conn_hold(conn, true);
    conn_unread(conn, bytes, len);
}

static void on_eof(void *arg)
{
    struct http_exchange *x = arg;
    if (x->phase == READING) {
        session_free(x);
    } else if (in_progress(x)) {
        x->at_eof = true;
        if (x->gone)
            conn_cut(x->conn);
    }
}

static void on_drained(void *arg)
{
    struct http_exchange *x = arg;
    if (x->phase == STREAMING && x->drained) {
        x->drained(x->drained_arg); /* may end the exchange */
        return;
    }
    if (x->phase != SENDING)
        return;
    x->phase = READING;
    conn_idle_deadline(x->conn, IDLE_MS);
    conn_hold(x->conn, false);
}

/* The handler follows its peer and learns; or it will answer, and nobody listens. */
static void tell_gone(struct http_exchange *x)
{
    void (*gone)(void *) = x->gone;
    x->broken = true;
    if (!gone)
        return;
    x->gone = NULL;
    gone(x->gone_arg);
    session_free(x);
}

static void on_failed(void *arg, const struct err *why)
{
    struct http_exchange *x = arg;
    (void)why;
    if (in_progress(x))
        tell_gone(x);
    else
        session_free(x);
}

/* --- listening --- */

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    struct http_server *s = l->server;
    if (status < 0 || s->closed)
        return;
    struct http_exchange *x = NEW(struct http_exchange);
    x->conn = conn_accept(stream, s->tls, &session_handler, x);
    list_init(&x->link);
    h1_init_request(&x->request);
    if (!x->conn || s->n_conns >= CONNECTIONS_MAX) {
        session_free(x);
        return;
    }
    conn_on_release(x->conn, conn_released, s);
    s->refs++;
    s->n_conns++;
    x->server = s;
    list_append(&s->sessions, &x->link);
    conn_peer_ip(x->conn, x->peer_ip, sizeof(x->peer_ip));
    conn_deadline(x->conn, HEAD_MS);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    server_unref(l->server);
    free(l);
}

static int listen_on(struct listener *l, const char *ip, int port, int *ret_port)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    bool v6 = uv_ip4_addr(ip, port, (struct sockaddr_in *)&address) < 0;
    int rc = v6 ? uv_ip6_addr(ip, port, (struct sockaddr_in6 *)&address) : 0;
    if (rc == 0)
        rc = uv_tcp_bind(&l->tcp, (struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (rc == 0 && ret_port) {
        rc = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&address, &len);
        /* the port lies at the same place in both families */
        *ret_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    }
    return rc;
}

int http_server_listen(struct http_server *s, int netns_fd, const char *ip, int port, int *ret_port, struct err *err)
{
    struct listener *l = NEW(struct listener);
    NETNS_SCOPE(netns_fd); /* the socket is made by bind */
    uv_tcp_init(s->loop, &l->tcp);
    l->tcp.data = l;
    l->server = s;
    s->refs++;
    list_append(&s->listeners, &l->link);
    int rc = listen_on(l, ip, port, ret_port);
    if (rc == 0)
        return 0;
    list_remove(&l->link);
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
    return err_set(err, -rc, "listen on %s port %d", ip, port);
}

struct http_server *http_server_new(uv_loop_t *loop, SSL_CTX *tls, http_handler_fn *handler, void *arg)
{
    struct http_server *s = NEW(struct http_server);
    *s = (struct http_server){.loop = loop, .tls = tls, .handler = handler, .arg = arg, .refs = 1};
    list_init(&s->listeners);
    list_init(&s->sessions);
    list_init(&s->upgraded);
    return s;
}

void http_server_set_refusal(struct http_server *s, http_refusal_fn *refusal)
{
    s->refusal = refusal;
}

static void close_session(struct http_exchange *x)
{
    list_remove(&x->link);
    x->server = NULL;
    if (x->feeding) { /* called by the handler: its exchange ends when it returns */
        conn_cut(x->conn);
        return;
    }
    if (in_progress(x))
        tell_gone(x);
    else
        session_free(x);
}

void http_server_free(struct http_server *s)
{
    if (!s || s->closed)
        return;
    s->closed = true;
    LIST_EACH(it, &s->listeners) {
        uv_close((uv_handle_t *)&container_of(it, struct listener, link)->tcp, on_listener_closed);
    }
    LIST_EACH(it, &s->sessions) {
        close_session(container_of(it, struct http_exchange, link));
    }
    duplex_cut_all(&s->upgraded);
    server_unref(s);
}

/* --- reading the request --- */

const char *http_method(const struct http_exchange *x)
{
    return x->request.method;
}

const char *http_path(const struct http_exchange *x)
{
    return x->path;
}

const char *http_query(const struct http_exchange *x)
{
    return x->query;
}

const char *http_get_header_nth(const struct http_exchange *x, const char *name, size_t n)
{
    return h1_header(&x->request, name, n);
}

const char *http_get_header(const struct http_exchange *x, const char *name)
{
    return h1_header(&x->request, name, 0);
}

const char *http_body(const struct http_exchange *x, size_t *ret_len)
{
    if (ret_len)
        *ret_len = x->body.len;
    return buf_str(&x->body);
}

const struct http_header *http_headers(const struct http_exchange *x)
{
    static const struct http_header none[] = {{NULL, NULL}};
    return x->request.n_headers ? x->request.headers : none;
}

X509 *http_peer_cert(const struct http_exchange *x)
{
    return x->conn ? conn_peer_cert(x->conn) : NULL;
}

const char *http_peer_ip(const struct http_exchange *x)
{
    return x->peer_ip;
}

void http_set_user_data(struct http_exchange *x, void *data, void (*free_data)(void *))
{
    x->user_data = data;
    x->free_user_data = free_data;
}

void *http_user_data(const struct http_exchange *x)
{
    return x->user_data;
}
