/* The client side of http.h: one request on a connection of its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "http/conn.h"
#include "http/duplex.h"
#include "http/h1.h"

/* 1xx answers before the real one: more is a broken server. */
#define INTERIM_MAX 10

struct http_call {
    struct conn *conn;
    struct h1 response;
    struct buf request; /* until connected */
    const struct http_call_handler *h;
    void *arg;
    int n_interim;
    int timeout_ms;
    bool has_head, cancelled, feeding, is_open, chunked;
};

static void call_free(struct http_call *c)
{
    h1_done(&c->response);
    buf_done(&c->request);
    conn_free(c->conn);
    free(c);
}

static void done(struct http_call *c, const struct err *err)
{
    c->cancelled = c->feeding = true; /* nothing more is told, and who called us frees */
    c->h->done(c->arg, err);
}

static void broken(struct http_call *c, int code, const char *why)
{
    struct err err;
    err_set(&err, code, "%s", why);
    done(c, &err);
}

static bool is_interim(const struct h1 *p)
{
    return p->code < 200 && p->code != 101;
}

static void on_head(struct http_call *c)
{
    if (is_interim(&c->response)) {
        if (++c->n_interim > INTERIM_MAX)
            broken(c, EPROTO, "too many interim responses");
        return;
    }
    c->has_head = true;
    conn_deadline(c->conn, 0);
    if (c->response.code != 101 && c->h->head)
        c->h->head(c->arg, c->response.code, c->response.headers);
}

/* Hands the connection over. */
static void upgrade(struct http_call *c, const char *rest, size_t len)
{
    struct conn *conn = TAKE(c->conn);
    struct duplex *d = duplex_new(conn);
    conn_unread(conn, rest, len);
    c->cancelled = true;
    c->h->upgraded(c->arg, c->response.headers, d);
}

static void on_end(struct http_call *c, const char *rest, size_t len)
{
    if (is_interim(&c->response))
        h1_next(&c->response);
    else if (c->response.code != 101)
        done(c, NULL);
    else if (c->h->upgraded)
        upgrade(c, rest, len);
    else
        broken(c, EPROTO, "unexpected upgrade");
}

static void feed(struct http_call *c, const char *bytes, size_t len)
{
    while (!c->cancelled) {
        switch (h1_feed(&c->response, &bytes, &len)) {
        case H1_HEAD:
            on_head(c);
            break;
        case H1_BODY:
            if (c->h->data)
                c->h->data(c->arg, c->response.body, c->response.body_len);
            break;
        case H1_END:
            on_end(c, bytes, len);
            break;
        case H1_BAD:
            broken(c, EPROTO, c->response.bad_why);
            break;
        case H1_NEED_MORE:
            return;
        }
    }
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct http_call *c = arg;
    c->feeding = true;
    feed(c, bytes, len);
    c->feeding = false;
    if (c->cancelled)
        call_free(c);
}

static void on_eof(void *arg)
{
    struct http_call *c = arg;
    if (h1_feed_eof(&c->response) == H1_END)
        done(c, NULL);
    else
        broken(c, ECONNRESET, c->has_head ? "answer cut short" : "connection closed without an answer");
    call_free(c);
}

static void on_failed(void *arg, const struct err *why)
{
    struct http_call *c = arg;
    done(c, why);
    call_free(c);
}

static void on_drained(void *arg)
{
    struct http_call *c = arg;
    if (c->h->drained)
        c->h->drained(c->arg);
}

static void on_open(void *arg)
{
    struct http_call *c = arg;
    c->is_open = true;
    conn_write(c->conn, c->request.data, c->request.len);
    buf_done(&c->request);
    if (c->timeout_ms >= 0)
        conn_deadline(c->conn, (unsigned)c->timeout_ms);
    if (!conn_pending(c->conn))
        on_drained(c);
}

static void put(struct http_call *c, const void *bytes, size_t len)
{
    if (c->is_open)
        conn_write(c->conn, bytes, len);
    else
        buf_add(&c->request, bytes, len);
}

void http_call_write(struct http_call *c, const void *bytes, size_t len)
{
    char size[24];
    if (!len)
        return;
    if (c->chunked)
        put(c, size, (size_t)snprintf(size, sizeof(size), "%zx\r\n", len));
    put(c, bytes, len);
    if (c->chunked)
        put(c, "\r\n", 2);
}

void http_call_end_body(struct http_call *c)
{
    if (c->chunked)
        put(c, "0\r\n\r\n", 5);
}

size_t http_call_pending(const struct http_call *c)
{
    return c->is_open ? conn_pending(c->conn) : c->request.len;
}

static const struct conn_handler call_handler = {
    .open = on_open, .data = on_data, .eof = on_eof, .drained = on_drained, .failed = on_failed};

static void put_request(struct buf *b, const struct http_call_spec *spec)
{
    buf_addf(b, "%s %s HTTP/1.1\r\n", spec->method, spec->target);
    if (!http_header_find(spec->headers, "Host"))
        buf_addf(b, strchr(spec->ip, ':') ? "Host: [%s]:%d\r\n" : "Host: %s:%d\r\n", spec->ip, spec->port);
    if (!http_header_find(spec->headers, "Connection"))
        buf_adds(b, "Connection: close\r\n");
    for (const struct http_header *h = spec->headers; h && h->name; h++)
        if (h1_is_token(h->name) && h1_is_field_value(h->value))
            buf_addf(b, "%s: %s\r\n", h->name, h->value);
    bool may_have_body = strcmp(spec->method, "GET") != 0 && strcmp(spec->method, "HEAD") != 0;
    if (spec->streams_body && spec->body_length < 0)
        buf_adds(b, "Transfer-Encoding: chunked\r\n");
    else if (spec->streams_body)
        buf_addf(b, "Content-Length: %lld\r\n", (long long)spec->body_length);
    else if ((spec->len || may_have_body) && !http_header_find(spec->headers, "Content-Length"))
        buf_addf(b, "Content-Length: %zu\r\n", spec->len);
    buf_adds(b, "\r\n");
    buf_add(b, spec->body, spec->len);
}

struct http_call *http_call_start(uv_loop_t *loop, const struct http_call_spec *spec, const struct http_call_handler *h,
                                  void *arg)
{
    struct http_call *c = NEW(struct http_call);
    c->h = h;
    c->arg = arg;
    h1_init_response(&c->response, strcmp(spec->method, "HEAD") == 0);
    put_request(&c->request, spec);
    c->conn = conn_connect(loop, spec->netns_fd, spec->ip, spec->port, spec->tls, spec->server_name, &call_handler, c);
    if (spec->silence_ms)
        conn_limit_silence(c->conn, (unsigned)spec->silence_ms);
    c->chunked = spec->streams_body && spec->body_length < 0;
    c->timeout_ms = spec->connect_ms ? spec->timeout_ms : -1; /* one deadline for both */
    conn_deadline(c->conn, (unsigned)(spec->connect_ms ? spec->connect_ms : spec->timeout_ms));
    return c;
}

void http_call_cancel(struct http_call *c)
{
    if (!c)
        return;
    c->cancelled = true;
    if (!c->feeding)
        call_free(c);
}

void http_call_pause(struct http_call *c, bool paused)
{
    conn_pause(c->conn, paused);
}
