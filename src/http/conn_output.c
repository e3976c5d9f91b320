/* See conn.h: what leaves. Output is a queue of plain text; TLS encrypts it only as fast as the socket takes it, so
 * that a large shared answer is not held once more for each connection. */
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "http/conn_internal.h"

/* Cipher text made ahead of the socket: a few records, so that the kernel always has something to send. */
#define CIPHER_AHEAD (64 << 10)
/* One write: progress shows (deadlines, conn_pending) when it completes. */
#define WRITE_MAX (256 << 10)
#define WRITE_PIECES 16
/* After our FIN the peer gets this long to close, too. */
#define LINGER_MS 5000

struct chunk {
    struct chunk *next;
    const char *data;
    size_t len;
    void (*release)(void *arg);
    void *release_arg;
    char copied[];
};

static void drop_chunk(struct conn *c)
{
    struct chunk *chunk = c->first;
    c->first = chunk->next;
    if (!c->first)
        c->last = NULL;
    if (chunk->release)
        chunk->release(chunk->release_arg);
    free(chunk);
}

void conn_drop_output(struct conn *c)
{
    while (c->first)
        drop_chunk(c);
    buf_done(&c->flight);
}

size_t conn_pending(const struct conn *c)
{
    return c->queued + c->flight.len + (c->has_tls ? c->tls.out.len : 0);
}

bool conn_can_write(const struct conn *c)
{
    return !c->freed && !c->has_failed;
}

static void linger(struct conn *c)
{
    conn_set_timer(c, LINGER_MS, 0);
    if (c->at_eof)
        conn_fail(c, 0, "");
}

void conn_shut_when_drained(struct conn *c)
{
    if (!c->shut_asked || !c->is_open || !conn_can_write(c) || conn_pending(c) || c->writing)
        return;
    if (c->has_tls && !c->close_notified) {
        c->close_notified = true;
        tls_close_notify(&c->tls);
        conn_pump(c);
        if (conn_pending(c) || c->writing)
            return;
    }
    uv_os_fd_t fd;
    if (c->shut_done || (c->has_tls && !c->finishing) || uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0)
        return;
    c->shut_done = true;
    shutdown(fd, SHUT_WR);
    if (c->finishing)
        linger(c);
}

/* n bytes of the queue have been sent or encrypted. */
static void take_from_queue(struct conn *c, size_t n)
{
    c->queued -= n;
    c->first_sent += n;
    while (c->first && c->first_sent >= c->first->len) {
        c->first_sent -= c->first->len;
        drop_chunk(c);
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;
    c->writing = false;
    if (c->freed)
        return;
    if (status < 0) {
        conn_fail_uv(c, status, "write");
        return;
    }
    c->last_active = uv_now(c->tcp.loop);
    buf_done(&c->flight);
    take_from_queue(c, c->writing_plain);
    c->writing_plain = 0;
    conn_pump(c);
    if (conn_pending(c) || c->writing || !conn_can_write(c))
        return;
    conn_shut_when_drained(c);
    if (c->h->drained && !c->finishing)
        c->h->drained(c->arg);
}

static void start_write(struct conn *c, const uv_buf_t *bufs, unsigned n)
{
    c->write.data = c;
    int rc = uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs, n, on_written);
    if (rc < 0)
        conn_fail_uv(c, rc, "write");
    else
        c->writing = true;
}

/* What the socket takes at once; the number of bytes. */
static size_t try_write(struct conn *c, const uv_buf_t *bufs, size_t n)
{
    int rc = uv_try_write((uv_stream_t *)&c->tcp, bufs, (unsigned)n);
    if (rc < 0 && rc != UV_EAGAIN)
        conn_fail_uv(c, rc, "write");
    return rc > 0 ? (size_t)rc : 0;
}

static void write_plain_queue(struct conn *c)
{
    uv_buf_t bufs[WRITE_PIECES];
    unsigned n = 0;
    size_t skip = c->first_sent, total = 0;
    for (struct chunk *chunk = c->first; chunk && n < WRITE_PIECES && total < WRITE_MAX; chunk = chunk->next) {
        size_t len = chunk->len - skip < WRITE_MAX - total ? chunk->len - skip : WRITE_MAX - total;
        bufs[n++] = uv_buf_init((char *)chunk->data + skip, (unsigned)len);
        total += len;
        skip = 0;
    }
    c->writing_plain = total;
    start_write(c, bufs, n);
}

/* Moves plain text from the queue into records. */
static void encrypt_queue(struct conn *c)
{
    struct err err;
    while (c->first && c->tls.out.len < CIPHER_AHEAD) {
        size_t n = c->first->len - c->first_sent;
        if (n > CONN_RECORD_SIZE)
            n = CONN_RECORD_SIZE;
        if (tls_write(&c->tls, c->first->data + c->first_sent, n, &err) < 0) {
            conn_fail_tls(c, &err);
            return;
        }
        take_from_queue(c, n);
    }
}

static void write_records(struct conn *c)
{
    uv_buf_t buf = uv_buf_init(c->tls.out.data, (unsigned)c->tls.out.len);
    size_t sent = try_write(c, &buf, 1);
    if (sent == c->tls.out.len) {
        if (c->tls.out.cap > CONN_RECORD_SIZE)
            buf_done(&c->tls.out);
        else
            buf_clear(&c->tls.out);
        return;
    }
    if (!conn_can_write(c))
        return;
    c->flight = c->tls.out;
    buf_init(&c->tls.out, 0);
    buf_drop_front(&c->flight, sent);
    buf = uv_buf_init(c->flight.data, (unsigned)c->flight.len);
    start_write(c, &buf, 1);
}

void conn_pump(struct conn *c)
{
    while (conn_can_write(c) && !c->writing) {
        if (c->has_tls && c->is_open)
            encrypt_queue(c);
        if (c->has_tls && c->tls.out.len && conn_can_write(c))
            write_records(c);
        else if (!c->has_tls && c->is_open && c->first)
            write_plain_queue(c);
        else
            return;
    }
}

static void enqueue(struct conn *c, struct chunk *chunk)
{
    if (c->last)
        c->last->next = chunk;
    else
        c->first = chunk;
    c->last = chunk;
    c->queued += chunk->len;
}

static void enqueue_copy(struct conn *c, const uv_buf_t *pieces, size_t n, size_t skip)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += pieces[i].len;
    if (total <= skip)
        return;
    struct chunk *chunk = xmalloc(sizeof(*chunk) + total - skip);
    *chunk = (struct chunk){.data = chunk->copied, .len = total - skip};
    char *to = chunk->copied;
    for (size_t i = 0; i < n; i++) {
        size_t skipped = skip < pieces[i].len ? skip : pieces[i].len;
        memcpy(to, pieces[i].base + skipped, pieces[i].len - skipped);
        to += pieces[i].len - skipped;
        skip -= skipped;
    }
    enqueue(c, chunk);
}

static void enqueue_shared(struct conn *c, const uv_buf_t *piece, size_t skip, void (*release)(void *), void *arg)
{
    struct chunk *chunk = xmalloc(sizeof(*chunk));
    *chunk =
        (struct chunk){.data = piece->base + skip, .len = piece->len - skip, .release = release, .release_arg = arg};
    enqueue(c, chunk);
}

/* Filled and used up in one call: one for the loop thread is enough. */
static char record[CONN_RECORD_SIZE];

/* The common case, a small answer on an idle connection: no queue, no copy. Returns how much has been taken. */
static size_t send_now(struct conn *c, const uv_buf_t *pieces, size_t n, size_t total)
{
    struct err err;
    if (c->first || c->writing || !c->is_open || !total)
        return 0;
    if (!c->has_tls)
        return try_write(c, pieces, n);
    if (total > CONN_RECORD_SIZE || c->tls.out.len)
        return 0;
    size_t len = 0;
    for (size_t i = 0; i < n; len += pieces[i++].len)
        memcpy(record + len, pieces[i].base, pieces[i].len);
    if (tls_write(&c->tls, record, len, &err) < 0)
        conn_fail_tls(c, &err);
    conn_pump(c);
    return total;
}

void conn_send(struct conn *c, const uv_buf_t *pieces, size_t n, void (*release)(void *), void *arg)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += pieces[i].len;
    bool useless = !conn_can_write(c) || c->shut_asked;
    size_t sent = useless ? total : send_now(c, pieces, n, total);
    if (sent == total || !conn_can_write(c)) {
        if (release)
            release(arg);
        return;
    }
    size_t copied = 0;
    size_t n_copied = release ? n - 1 : n;
    for (size_t i = 0; i < n_copied; i++)
        copied += pieces[i].len;
    enqueue_copy(c, pieces, n_copied, sent);
    if (release)
        enqueue_shared(c, &pieces[n - 1], sent > copied ? sent - copied : 0, release, arg);
    conn_pump(c);
}

void conn_write(struct conn *c, const void *bytes, size_t len)
{
    uv_buf_t piece = uv_buf_init((char *)bytes, (unsigned)len);
    conn_send(c, &piece, 1, NULL, NULL);
}

void conn_shutdown(struct conn *c)
{
    c->shut_asked = true;
    conn_shut_when_drained(c);
}

void conn_finish(struct conn *c, unsigned stall_ms)
{
    if (c->finishing || c->freed)
        return;
    c->finishing = true;
    buf_done(&c->unread);
    conn_set_timer(c, stall_ms, stall_ms);
    c->shut_asked = true;
    conn_update_reading(c);
    if (c->has_failed)
        conn_wake(c);
    else if (!c->is_open)
        conn_fail(c, 0, "");
    else if (c->shut_done)
        linger(c);
    else
        conn_shut_when_drained(c);
}
