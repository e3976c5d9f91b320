/* Duplex byte streams over a connection, and joining two of them. */
#include "http/duplex.h"

#include "base/alloc.h"

/* Two reads' worth: more on its way would only be memory. */
#define SPLICE_PENDING_MAX (128 << 10)
/* How long a peer may take nothing of the last output: it may be a terminal with a pager. */
#define LAST_OUTPUT_STALL_MS (3600 * 1000)

struct duplex {
    struct list link; /* in the list of duplex_track() */
    struct conn *conn;
    const struct duplex_handler *h; /* NULL before duplex_start() */
    void *arg;
    bool peer_shut, shut, closing, failed;
    struct duplex *other; /* of a splice */
};

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct duplex *d = arg;
    d->h->data(d->arg, bytes, len);
}

static void on_eof(void *arg)
{
    struct duplex *d = arg;
    if (!d->h || d->peer_shut)
        return;
    d->peer_shut = true;
    d->h->data(d->arg, "", 0);
    if (d->shut)
        duplex_close(d);
}

static void on_drained(void *arg)
{
    struct duplex *d = arg;
    if (d->h && d->h->drained)
        d->h->drained(d->arg);
}

static void on_failed(void *arg, const struct err *why)
{
    struct duplex *d = arg;
    (void)why;
    d->failed = true;
    if (!d->h)
        return; /* duplex_start() asks again */
    d->h->closed(d->arg);
    conn_free(d->conn);
    list_remove(&d->link);
    free(d);
}

static const struct conn_handler duplex_handler = {
    .data = on_data, .eof = on_eof, .drained = on_drained, .failed = on_failed};

struct duplex *duplex_new(struct conn *conn)
{
    struct duplex *d = NEW(struct duplex);
    list_init(&d->link);
    d->conn = conn;
    conn_hold(conn, true);
    conn_set_handler(conn, &duplex_handler, d);
    return d;
}

uv_loop_t *duplex_loop(const struct duplex *d)
{
    return conn_loop(d->conn);
}

void duplex_start(struct duplex *d, const struct duplex_handler *h, void *arg)
{
    d->h = h;
    d->arg = arg;
    conn_hold(d->conn, false);
    if (d->failed)
        conn_cut(d->conn);
}

void duplex_write(struct duplex *d, const void *bytes, size_t len)
{
    conn_write(d->conn, bytes, len);
}

size_t duplex_pending(const struct duplex *d)
{
    return conn_pending(d->conn);
}

void duplex_pause(struct duplex *d, bool paused)
{
    conn_pause(d->conn, paused);
}

void duplex_shutdown(struct duplex *d)
{
    d->shut = true;
    conn_shutdown(d->conn);
    if (d->peer_shut)
        duplex_close(d);
}

void duplex_close(struct duplex *d)
{
    if (d->closing)
        return;
    d->closing = true;
    conn_finish(d->conn, LAST_OUTPUT_STALL_MS);
}

void duplex_cut(struct duplex *d)
{
    conn_cut(d->conn);
}

void duplex_track(struct duplex *d, struct list *all)
{
    list_append(all, &d->link);
}

void duplex_cut_all(struct list *all)
{
    LIST_EACH(it, all) {
        duplex_cut(container_of(it, struct duplex, link));
    }
}

/* --- joining two --- */

static void splice_data(void *arg, const void *bytes, size_t len)
{
    struct duplex *d = arg;
    if (!d->other)
        return;
    if (!len) {
        duplex_shutdown(d->other);
        return;
    }
    duplex_write(d->other, bytes, len);
    if (duplex_pending(d->other) > SPLICE_PENDING_MAX)
        duplex_pause(d, true);
}

static void splice_drained(void *arg)
{
    struct duplex *d = arg;
    if (d->other)
        duplex_pause(d->other, false);
}

static void splice_closed(void *arg)
{
    struct duplex *d = arg;
    if (!d->other)
        return;
    d->other->other = NULL;
    duplex_close(d->other);
}

void duplex_splice(struct duplex *a, struct duplex *b)
{
    static const struct duplex_handler splice = {
        .data = splice_data, .closed = splice_closed, .drained = splice_drained};
    a->other = b;
    b->other = a;
    duplex_start(a, &splice, a);
    duplex_start(b, &splice, b);
}
