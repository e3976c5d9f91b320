/* See conn.h. Output is a queue of pieces of plain text; TLS encrypts it only as fast as the socket takes it, so that a
 * large shared answer is not held once more per connection. */
#include "http/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/netns.h"

/* As much as one read gives; also the pipelined input a held connection may gather. */
#define READ_SIZE (64 << 10)
/* Cipher text made ahead of the socket: a few records, so that the kernel always has something to send. */
#define CIPHER_AHEAD (64 << 10)
/* Largest TLS record; smaller pieces are put together up to it. */
#define RECORD_SIZE (16 << 10)
#define IOV_MAX_USED 16
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

struct conn {
    uv_tcp_t tcp;
    uv_timer_t timer; /* deadline and wake-ups */
    const struct conn_handler *h;
    void *arg;
    bool has_tls, is_open, freed, has_failed, at_eof, paused, held, reading;
    bool connected, shut_asked, close_notified, shut_done, finishing, wake;
    int handles_open;
    struct tls tls;
    struct chunk *first, *last;
    size_t queued, first_sent; /* bytes in the queue; of the first chunk, already encrypted */
    struct buf unread;         /* gathered while held, or given back */
    struct buf flight;         /* cipher text being written */
    uv_write_t write;
    bool writing;
    size_t writing_plain; /* bytes of the queue being written */
    uint64_t deadline, armed, last_active;
    unsigned idle_ms;
    struct err *why;
    void (*release)(void *arg);
    void *release_arg;
};

/* Filled by a read and used up before the callback returns: one for the loop thread is enough. */
static char read_buffer[READ_SIZE];
static char plain_buffer[RECORD_SIZE];

static void pump(struct conn *c);
static void update_reading(struct conn *c);

/* --- time --- */

static void on_timer(uv_timer_t *timer);

static void start_timer(struct conn *c, uint64_t at)
{
    uint64_t now = uv_now(c->tcp.loop);
    c->armed = at;
    uv_timer_start(&c->timer, on_timer, at > now ? at - now : 0, 0);
}

/* A timer that rings too early is cheaper than one set anew for every request. */
static void arm(struct conn *c)
{
    if (c->freed || !c->deadline || (c->armed && c->armed <= c->deadline))
        return;
    start_timer(c, c->deadline);
}

static void wake_up(struct conn *c)
{
    if (c->freed || c->wake)
        return;
    c->wake = true;
    start_timer(c, uv_now(c->tcp.loop));
}

static void set_deadline(struct conn *c, unsigned ms, unsigned idle_ms)
{
    c->last_active = uv_now(c->tcp.loop);
    c->deadline = ms ? c->last_active + ms : 0;
    c->idle_ms = idle_ms;
    arm(c);
}

void conn_deadline(struct conn *c, unsigned ms)
{
    if (!c->finishing)
        set_deadline(c, ms, 0);
}

void conn_idle_deadline(struct conn *c, unsigned ms)
{
    if (!c->finishing)
        set_deadline(c, ms, ms);
}

/* --- the end --- */

static void fail(struct conn *c, int code, const char *what)
{
    if (c->has_failed || c->freed)
        return;
    c->has_failed = true;
    if (!c->why && !c->finishing) {
        c->why = NEW(struct err);
        err_set(c->why, code, "%s", what);
    }
    update_reading(c);
    wake_up(c);
}

static void fail_uv(struct conn *c, int rc, const char *what)
{
    fail(c, rc == UV_EOF ? ECONNRESET : -rc, what);
}

static void fail_tls(struct conn *c, const struct err *err)
{
    fail(c, err->code, err->msg);
}

void conn_cut(struct conn *c)
{
    if (c->has_failed)
        wake_up(c); /* tells the owner again */
    else
        fail(c, ECONNABORTED, "connection cut");
}

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

static void on_handle_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (--c->handles_open)
        return;
    while (c->first)
        drop_chunk(c);
    if (c->has_tls)
        tls_done(&c->tls);
    buf_done(&c->unread);
    buf_done(&c->flight);
    if (c->release)
        c->release(c->release_arg);
    free(c->why);
    free(c);
}

void conn_free(struct conn *c)
{
    if (!c || c->freed)
        return;
    c->freed = true;
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

/* --- output --- */

size_t conn_pending(const struct conn *c)
{
    return c->queued + c->flight.len + (c->has_tls ? c->tls.out.len : 0);
}

static bool can_write(const struct conn *c)
{
    return !c->freed && !c->has_failed;
}

static void linger(struct conn *c)
{
    set_deadline(c, LINGER_MS, 0);
    if (c->at_eof)
        fail(c, 0, "");
}

static void shut_when_drained(struct conn *c)
{
    if (!c->shut_asked || !c->is_open || !can_write(c) || conn_pending(c) || c->writing)
        return;
    if (c->has_tls && !c->close_notified) {
        c->close_notified = true;
        tls_close_notify(&c->tls);
        pump(c);
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

static void on_written(uv_write_t *req, int status)
{
    struct conn *c = req->data;
    c->writing = false;
    if (c->freed)
        return;
    if (status < 0) {
        fail_uv(c, status, "write");
        return;
    }
    c->last_active = uv_now(c->tcp.loop);
    buf_done(&c->flight);
    c->queued -= c->writing_plain;
    while (c->writing_plain) {
        c->writing_plain -= c->first->len - c->first_sent;
        c->first_sent = 0;
        drop_chunk(c);
    }
    pump(c);
    if (conn_pending(c) || c->writing || !can_write(c))
        return;
    shut_when_drained(c);
    if (c->h->drained && !c->finishing)
        c->h->drained(c->arg);
}

static void start_write(struct conn *c, const uv_buf_t *bufs, unsigned n)
{
    c->write.data = c;
    int rc = uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs, n, on_written);
    if (rc < 0)
        fail_uv(c, rc, "write");
    else
        c->writing = true;
}

/* What the socket takes at once; the number of bytes. */
static size_t try_write(struct conn *c, const uv_buf_t *bufs, size_t n)
{
    int rc = uv_try_write((uv_stream_t *)&c->tcp, bufs, (unsigned)n);
    if (rc < 0 && rc != UV_EAGAIN)
        fail_uv(c, rc, "write");
    return rc > 0 ? (size_t)rc : 0;
}

static void write_plain_queue(struct conn *c)
{
    uv_buf_t bufs[IOV_MAX_USED];
    unsigned n = 0;
    c->writing_plain = 0;
    for (struct chunk *chunk = c->first; chunk && n < IOV_MAX_USED; chunk = chunk->next) {
        size_t skip = n ? 0 : c->first_sent;
        bufs[n++] = uv_buf_init((char *)chunk->data + skip, (unsigned)(chunk->len - skip));
        c->writing_plain += chunk->len - skip;
    }
    start_write(c, bufs, n);
}

/* Moves plain text from the queue into records. */
static void encrypt_queue(struct conn *c)
{
    struct err err;
    while (c->first && c->tls.out.len < CIPHER_AHEAD) {
        size_t n = c->first->len - c->first_sent;
        if (n > RECORD_SIZE)
            n = RECORD_SIZE;
        if (tls_write(&c->tls, c->first->data + c->first_sent, n, &err) < 0) {
            fail_tls(c, &err);
            return;
        }
        c->queued -= n;
        c->first_sent += n;
        if (c->first_sent == c->first->len) {
            c->first_sent = 0;
            drop_chunk(c);
        }
    }
}

static void write_records(struct conn *c)
{
    uv_buf_t buf = uv_buf_init(c->tls.out.data, (unsigned)c->tls.out.len);
    size_t sent = try_write(c, &buf, 1);
    if (sent == c->tls.out.len) {
        if (c->tls.out.cap > RECORD_SIZE)
            buf_done(&c->tls.out);
        else
            buf_clear(&c->tls.out);
        return;
    }
    if (!can_write(c))
        return;
    c->flight = c->tls.out;
    buf_init(&c->tls.out, 0);
    buf_drop_front(&c->flight, sent);
    buf = uv_buf_init(c->flight.data, (unsigned)c->flight.len);
    start_write(c, &buf, 1);
}

static void pump(struct conn *c)
{
    while (can_write(c) && !c->writing) {
        if (c->has_tls && c->is_open)
            encrypt_queue(c);
        if (c->has_tls && c->tls.out.len && can_write(c))
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

/* The common case, a small answer on an idle connection: no queue, no copy. Returns how much has been taken. */
static size_t send_now(struct conn *c, const uv_buf_t *pieces, size_t n, size_t total)
{
    struct err err;
    if (c->first || c->writing || !c->is_open || !total)
        return 0;
    if (!c->has_tls)
        return try_write(c, pieces, n);
    if (total > RECORD_SIZE || c->tls.out.len)
        return 0;
    size_t len = 0;
    for (size_t i = 0; i < n; len += pieces[i++].len)
        memcpy(plain_buffer + len, pieces[i].base, pieces[i].len);
    if (tls_write(&c->tls, plain_buffer, len, &err) < 0)
        fail_tls(c, &err);
    pump(c);
    return total;
}

void conn_send(struct conn *c, const uv_buf_t *pieces, size_t n, void (*release)(void *), void *arg)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += pieces[i].len;
    bool useless = !can_write(c) || c->shut_asked;
    size_t sent = useless ? total : send_now(c, pieces, n, total);
    if (sent == total || !can_write(c)) {
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
    pump(c);
}

void conn_write(struct conn *c, const void *bytes, size_t len)
{
    uv_buf_t piece = uv_buf_init((char *)bytes, (unsigned)len);
    conn_send(c, &piece, 1, NULL, NULL);
}

void conn_shutdown(struct conn *c)
{
    c->shut_asked = true;
    shut_when_drained(c);
}

void conn_finish(struct conn *c, unsigned stall_ms)
{
    if (c->finishing || c->freed)
        return;
    c->finishing = true;
    buf_done(&c->unread);
    set_deadline(c, stall_ms, stall_ms);
    c->shut_asked = true;
    update_reading(c);
    if (c->has_failed)
        wake_up(c);
    else if (!c->is_open)
        fail(c, 0, "");
    else if (c->shut_done)
        linger(c);
    else
        shut_when_drained(c);
}

/* --- input --- */

static void deliver(struct conn *c, const char *bytes, size_t len)
{
    if (c->freed || c->finishing || !len)
        return;
    if (c->held || c->unread.len) {
        buf_add(&c->unread, bytes, len);
        update_reading(c);
    } else {
        c->h->data(c->arg, bytes, len);
    }
}

static void deliver_eof(struct conn *c)
{
    if (c->freed || c->at_eof)
        return;
    c->at_eof = true;
    update_reading(c);
    if (c->finishing && c->shut_done)
        fail(c, 0, "");
    else if (!c->finishing && (c->held || !c->unread.len))
        c->h->eof(c->arg);
}

static void open_now(struct conn *c)
{
    c->is_open = true;
    if (c->h->open)
        c->h->open(c->arg);
    if (c->freed)
        return;
    pump(c);
    shut_when_drained(c);
}

static void decrypt(struct conn *c, const char *bytes, size_t len)
{
    struct err err;
    ssize_t n = 0;
    tls_feed(&c->tls, bytes, len);
    if (!c->is_open) {
        n = tls_handshake(&c->tls, &err);
        pump(c); /* alerts must leave, too */
        if (n == 0)
            open_now(c);
    }
    while (n >= 0 && can_write(c)) {
        n = tls_read(&c->tls, plain_buffer, sizeof(plain_buffer), &err);
        if (n > 0)
            deliver(c, plain_buffer, (size_t)n);
        else if (n == TLS_EOF)
            break;
    }
    if (!can_write(c))
        return;
    pump(c);
    if (n == TLS_EOF)
        deliver_eof(c);
    else if (n == TLS_FAILED)
        fail_tls(c, &err);
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
        fail_uv(c, (int)nread, c->is_open ? "read" : "TLS handshake");
}

static void update_reading(struct conn *c)
{
    bool full = c->unread.len >= READ_SIZE;
    bool want = c->connected && !c->has_failed && !c->at_eof && (c->finishing || (!c->paused && !full));
    if (want == c->reading || c->freed)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
        fail(c, ENOTCONN, "read");
}

void conn_pause(struct conn *c, bool paused)
{
    c->paused = paused;
    update_reading(c);
}

void conn_hold(struct conn *c, bool held)
{
    if (c->held == held)
        return;
    c->held = held;
    if (!held && (c->unread.len || c->at_eof))
        wake_up(c);
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
    update_reading(c);
    if (!c->held)
        wake_up(c);
}

static void deliver_unread(struct conn *c)
{
    struct buf bytes = c->unread;
    buf_init(&c->unread, 0);
    if (bytes.len)
        c->h->data(c->arg, bytes.data, bytes.len);
    buf_done(&bytes);
    update_reading(c);
    if (c->at_eof && !c->freed && !c->finishing && !c->held && !c->unread.len)
        c->h->eof(c->arg);
}

static void on_timer(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    uint64_t now = uv_now(c->tcp.loop);
    c->armed = 0;
    if (c->wake) {
        c->wake = false;
        if (c->has_failed)
            c->h->failed(c->arg, c->finishing ? NULL : c->why);
        else if (!c->held && !c->finishing)
            deliver_unread(c);
    }
    if (c->freed)
        return;
    if (c->deadline && c->idle_ms && c->last_active + c->idle_ms > c->deadline)
        c->deadline = c->last_active + c->idle_ms;
    if (c->deadline && c->deadline <= now && !c->has_failed) {
        c->deadline = 0;
        fail(c, ETIMEDOUT, c->is_open ? "connection" : "connect");
    }
    arm(c);
}

/* --- beginnings --- */

static struct conn *conn_new(uv_loop_t *loop, const struct conn_handler *h, void *arg)
{
    struct conn *c = NEW(struct conn);
    c->h = h;
    c->arg = arg;
    uv_timer_init(loop, &c->timer);
    c->tcp.data = c->timer.data = c;
    c->handles_open = 2;
    return c;
}

struct conn *conn_accept(uv_stream_t *listener, SSL_CTX *tls, const struct conn_handler *h, void *arg)
{
    struct conn *c = conn_new(listener->loop, h, arg);
    uv_tcp_init(listener->loop, &c->tcp);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0) {
        conn_free(c);
        return NULL;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, 60);
    if (tls) {
        c->has_tls = true;
        tls_init_server(&c->tls, tls);
    }
    c->connected = true;
    c->is_open = !tls;
    update_reading(c);
    return c;
}

static void on_connected(uv_connect_t *req, int status)
{
    struct conn *c = req->data;
    struct err err;
    free(req);
    if (c->freed)
        return;
    if (status < 0) {
        fail_uv(c, status, "connect");
        return;
    }
    c->connected = true;
    uv_tcp_nodelay(&c->tcp, 1);
    if (c->has_tls && tls_handshake(&c->tls, &err) == TLS_FAILED)
        fail_tls(c, &err);
    else if (c->has_tls)
        pump(c);
    else
        open_now(c);
    update_reading(c);
}

struct conn *conn_connect(uv_loop_t *loop, int netns_fd, const char *ip, int port, SSL_CTX *tls,
                          const char *server_name, const struct conn_handler *h, void *arg)
{
    struct conn *c = conn_new(loop, h, arg);
    struct sockaddr_storage address;
    bool v6 = uv_ip4_addr(ip, port, (struct sockaddr_in *)&address) < 0;
    int rc = v6 ? uv_ip6_addr(ip, port, (struct sockaddr_in6 *)&address) : 0;
    if (rc == 0) {
        NETNS_SCOPE(netns_fd);
        rc = uv_tcp_init_ex(loop, &c->tcp, address.ss_family); /* the socket is made here, in that namespace */
    }
    if (rc < 0)
        uv_tcp_init(loop, &c->tcp);
    if (tls) {
        c->has_tls = true;
        tls_init_client(&c->tls, tls, server_name);
    }
    uv_connect_t *req = xmalloc(sizeof(*req));
    req->data = c;
    if (rc == 0)
        rc = uv_tcp_connect(req, &c->tcp, (struct sockaddr *)&address, on_connected);
    if (rc < 0) {
        free(req);
        fail_uv(c, rc, "connect");
    }
    return c;
}

void conn_set_handler(struct conn *c, const struct conn_handler *h, void *arg)
{
    c->h = h;
    c->arg = arg;
}

void conn_on_release(struct conn *c, void (*release)(void *arg), void *arg)
{
    c->release = release;
    c->release_arg = arg;
}

uv_loop_t *conn_loop(const struct conn *c)
{
    return c->tcp.loop;
}

void conn_peer_ip(const struct conn *c, char *out, size_t size)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    *out = '\0';
    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &len) < 0)
        return;
    if (address.ss_family == AF_INET)
        uv_ip4_name((struct sockaddr_in *)&address, out, size);
    else
        uv_ip6_name((struct sockaddr_in6 *)&address, out, size);
}

X509 *conn_peer_cert(const struct conn *c)
{
    return c->has_tls ? tls_peer_cert(&c->tls) : NULL;
}
