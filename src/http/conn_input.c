/* See conn.h: what arrives. */
#include <errno.h>

#include "http/conn_internal.h"

/* Filled by a read and used up before the callback returns: one for the loop thread is enough. */
static char read_buffer[CONN_READ_SIZE];
static char plain_buffer[CONN_RECORD_SIZE];

static void deliver(struct conn *c, const char *bytes, size_t len)
{
    if (c->freed || c->finishing || !len)
        return;
    if (c->held || c->unread.len) {
        buf_add(&c->unread, bytes, len);
        conn_update_reading(c);
    } else {
        c->h->data(c->arg, bytes, len);
    }
}

static void deliver_eof(struct conn *c)
{
    if (c->freed || c->at_eof)
        return;
    c->at_eof = true;
    conn_update_reading(c);
    if (c->finishing && c->shut_done)
        conn_fail(c, 0, "");
    else if (!c->finishing && (c->held || !c->unread.len))
        c->h->eof(c->arg);
}

static void decrypt(struct conn *c, const char *bytes, size_t len)
{
    struct err err;
    ssize_t n = 0;
    tls_feed(&c->tls, bytes, len);
    if (!c->is_open) {
        n = tls_handshake(&c->tls, &err);
        conn_pump(c); /* alerts must leave, too */
        if (n == 0)
            conn_opened(c);
    }
    while (n >= 0 && conn_can_write(c)) {
        n = tls_read(&c->tls, plain_buffer, sizeof(plain_buffer), &err);
        if (n > 0)
            deliver(c, plain_buffer, (size_t)n);
        else if (n == TLS_EOF)
            break;
    }
    if (!conn_can_write(c))
        return;
    conn_pump(c);
    if (n == TLS_EOF)
        deliver_eof(c);
    else if (n == TLS_FAILED)
        conn_fail_tls(c, &err);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    c->last_active = uv_now(c->tcp.loop);
    if (nread > 0 && c->has_tls)
        decrypt(c, buf->base, (size_t)nread);
    else if (nread > 0)
        deliver(c, buf->base, (size_t)nread);
    else if (nread == UV_EOF && c->is_open)
        deliver_eof(c);
    else if (nread < 0)
        conn_fail_uv(c, (int)nread, c->is_open ? "read" : "TLS handshake");
}

void conn_update_reading(struct conn *c)
{
    bool full = c->unread.len >= CONN_READ_SIZE;
    bool want = c->connected && !c->has_failed && !c->at_eof && (c->finishing || (!c->paused && !full));
    if (want == c->reading || c->freed)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
        conn_fail(c, ENOTCONN, "read");
}

void conn_pause(struct conn *c, bool paused)
{
    c->paused = paused;
    conn_update_reading(c);
}

void conn_hold(struct conn *c, bool held)
{
    if (c->held == held)
        return;
    c->held = held;
    if (!held && (c->unread.len || c->at_eof))
        conn_wake(c);
}

void conn_unread(struct conn *c, const char *bytes, size_t len)
{
    if (!len || c->finishing)
        return;
    struct buf rest = c->unread;
    buf_init(&c->unread, 0);
    buf_add(&c->unread, bytes, len);
    buf_add(&c->unread, rest.data, rest.len);
    buf_done(&rest);
    conn_update_reading(c);
    if (!c->held)
        conn_wake(c);
}

void conn_deliver_unread(struct conn *c)
{
    struct buf bytes = c->unread;
    buf_init(&c->unread, 0);
    if (bytes.len)
        c->h->data(c->arg, bytes.data, bytes.len);
    buf_done(&bytes);
    conn_update_reading(c);
    if (c->at_eof && !c->freed && !c->finishing && !c->held && !c->unread.len)
        c->h->eof(c->arg);
}
