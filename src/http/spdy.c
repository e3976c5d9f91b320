/* See spdy.h: streams and what leaves; what arrives is read in spdy_input.c. */
#include <string.h>

#include "base/alloc.h"
#include "http/spdy_internal.h"

/* Larger writes become several frames, so that streams take turns. */
#define DATA_FRAME_MAX (32 << 10)

static void put32(struct buf *b, uint32_t n)
{
    const unsigned char bytes[] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                   (unsigned char)n};
    buf_add(b, bytes, sizeof(bytes));
}

/* --- frames for the peer --- */

static void begin_control(struct spdy *s, enum frame_type type, unsigned flags)
{
    buf_clear(&s->out);
    put32(&s->out, 0x80000000u | VERSION << 16 | (uint32_t)type);
    put32(&s->out, (uint32_t)flags << 24);
}

static void send_frame(struct spdy *s)
{
    uint32_t len = (uint32_t)s->out.len - HEAD_LEN;
    for (int i = 0; i < 3; i++)
        s->out.data[5 + i] = (char)(len >> (16 - 8 * i));
    s->h->send(s->arg, s->out.data, s->out.len);
}

void spdy_send_words(struct spdy *s, enum frame_type type, uint32_t a, uint32_t b)
{
    begin_control(s, type, 0);
    put32(&s->out, a);
    if (type != PING)
        put32(&s->out, b);
    send_frame(s);
}

int spdy_broken(struct spdy *s)
{
    s->dead = true;
    spdy_send_words(s, GOAWAY, s->last_peer_id, SPDY_PROTOCOL_ERROR);
    return -1;
}

/* --- streams --- */

struct stream *spdy_find(const struct spdy *s, uint32_t id)
{
    LIST_EACH(it, &s->streams) {
        struct stream *st = container_of(it, struct stream, link);
        if (st->id == id)
            return st;
    }
    return NULL;
}

struct stream *spdy_add_stream(struct spdy *s, uint32_t id)
{
    struct stream *st = NEW(struct stream);
    *st = (struct stream){.id = id, .send_window = s->peer_initial_window, .recv_window = SPDY_WINDOW};
    list_append(&s->streams, &st->link);
    s->n_streams++;
    return st;
}

void spdy_drop_stream(struct spdy *s, struct stream *st)
{
    s->pending -= st->waiting.len;
    s->n_streams--;
    list_remove(&st->link);
    buf_done(&st->waiting);
    free(st);
}

static void drop_if_over(struct spdy *s, struct stream *st)
{
    if (st->peer_done && st->we_done)
        spdy_drop_stream(s, st);
}

static void send_data(struct spdy *s, struct stream *st, const char *bytes, size_t len, bool fin)
{
    buf_clear(&s->out);
    put32(&s->out, st->id);
    put32(&s->out, fin ? (uint32_t)FLAG_FIN << 24 : 0);
    buf_add(&s->out, bytes, len);
    if (s->flow_control) {
        st->send_window -= (int64_t)len;
        s->send_window -= (int64_t)len;
    }
    send_frame(s);
}

/* How many of len bytes may go now. */
static size_t allowed(const struct spdy *s, const struct stream *st, size_t len)
{
    if (len > DATA_FRAME_MAX)
        len = DATA_FRAME_MAX;
    if (!s->flow_control)
        return len;
    int64_t window = st->send_window < s->send_window ? st->send_window : s->send_window;
    return window <= 0 ? 0 : (int64_t)len > window ? (size_t)window : len;
}

/* Sends what the windows let through; returns the number of bytes. The FIN goes with the last of them. */
static size_t send_allowed(struct spdy *s, struct stream *st, const char *bytes, size_t len, bool fin)
{
    size_t sent = 0, n;
    while (sent < len && (n = allowed(s, st, len - sent)) > 0) {
        send_data(s, st, bytes + sent, n, fin && sent + n == len);
        sent += n;
    }
    if (!len && fin)
        send_data(s, st, "", 0, true);
    if (fin && sent == len)
        st->we_done = true;
    return sent;
}

/* A window has grown. */
void spdy_flush(struct spdy *s, struct stream *st)
{
    if (!st->waiting.len)
        return;
    size_t sent = send_allowed(s, st, st->waiting.data, st->waiting.len, st->fin_waits);
    buf_drop_front(&st->waiting, sent);
    s->pending -= sent;
    if (st->waiting.len)
        return;
    uint32_t id = st->id;
    buf_done(&st->waiting);
    drop_if_over(s, st);
    if (s->h->drained)
        s->h->drained(s->arg, id);
}

/* By id, since a callback may drop any of them. */
void spdy_flush_all(struct spdy *s)
{
    uint32_t ids[SPDY_STREAMS_MAX];
    size_t n = 0;
    LIST_EACH(it, &s->streams) {
        ids[n++] = container_of(it, struct stream, link)->id;
    }
    for (size_t i = 0; i < n; i++) {
        struct stream *st = spdy_find(s, ids[i]);
        if (st)
            spdy_flush(s, st);
    }
}

void spdy_peer_finished(struct spdy *s, uint32_t id)
{
    struct stream *st = spdy_find(s, id);
    if (!st || st->peer_done)
        return;
    st->peer_done = true;
    drop_if_over(s, st);
    if (s->h->fin)
        s->h->fin(s->arg, id);
}

/* --- the owner's side --- */

struct spdy *spdy_new(enum spdy_side side, bool flow_control, const struct spdy_handler *h, void *arg)
{
    struct spdy *s = NEW(struct spdy);
    uint32_t first_id = side == SPDY_SERVER ? 2 : 1;
    *s = (struct spdy){.side = side,
                       .flow_control = flow_control,
                       .h = h,
                       .arg = arg,
                       .next_id = first_id,
                       .next_ping = first_id,
                       .send_window = SPDY_WINDOW,
                       .recv_window = SPDY_WINDOW,
                       .peer_initial_window = SPDY_WINDOW};
    list_init(&s->streams);
    return s;
}

void spdy_free(struct spdy *s)
{
    if (!s)
        return;
    LIST_EACH(it, &s->streams) {
        spdy_drop_stream(s, container_of(it, struct stream, link));
    }
    spdy_headers_done(&s->zip);
    buf_done(&s->control);
    buf_done(&s->out);
    free(s);
}

uint32_t spdy_open(struct spdy *s, const struct http_header *headers)
{
    if (s->dead || s->n_streams >= SPDY_STREAMS_MAX)
        return 0;
    uint32_t id = s->next_id;
    s->next_id += 2;
    spdy_add_stream(s, id);
    begin_control(s, SYN_STREAM, 0);
    put32(&s->out, id);
    put32(&s->out, 0);           /* no parent */
    buf_add(&s->out, "\0\0", 2); /* priority, slot */
    spdy_headers_encode(&s->zip, headers, &s->out);
    send_frame(s);
    return id;
}

void spdy_reply(struct spdy *s, uint32_t stream, const struct http_header *headers)
{
    if (s->dead)
        return;
    begin_control(s, SYN_REPLY, 0);
    put32(&s->out, stream);
    spdy_headers_encode(&s->zip, headers, &s->out);
    send_frame(s);
}

void spdy_write(struct spdy *s, uint32_t stream, const void *bytes, size_t len, bool fin)
{
    struct stream *st = spdy_find(s, stream);
    if (!st || st->we_done || st->fin_waits || s->dead)
        return;
    size_t sent = st->waiting.len ? 0 : send_allowed(s, st, bytes, len, fin);
    if (sent < len || (fin && st->waiting.len)) {
        buf_add(&st->waiting, (const char *)bytes + sent, len - sent);
        s->pending += len - sent;
        st->fin_waits = fin;
    }
    drop_if_over(s, st);
}

size_t spdy_pending(const struct spdy *s)
{
    return s->pending;
}

void spdy_consumed(struct spdy *s, uint32_t stream, size_t len)
{
    struct stream *st = spdy_find(s, stream);
    if (!s->flow_control)
        return;
    s->used += (uint32_t)len;
    if (s->used >= SPDY_WINDOW / 2) {
        s->recv_window += s->used;
        spdy_send_words(s, WINDOW_UPDATE, 0, s->used);
        s->used = 0;
    }
    if (!st || st->peer_done)
        return;
    st->used += (uint32_t)len;
    if (st->used >= SPDY_WINDOW / 2) {
        st->recv_window += st->used;
        spdy_send_words(s, WINDOW_UPDATE, stream, st->used);
        st->used = 0;
    }
}

void spdy_reset(struct spdy *s, uint32_t stream, enum spdy_status status)
{
    struct stream *st = spdy_find(s, stream);
    if (!st || s->dead)
        return;
    spdy_drop_stream(s, st);
    spdy_send_words(s, RST_STREAM, stream, status);
}

void spdy_ping(struct spdy *s)
{
    if (s->dead)
        return;
    spdy_send_words(s, PING, s->next_ping, 0);
    s->next_ping = (s->next_ping + 2) & ID_MASK;
}

void spdy_go_away(struct spdy *s)
{
    if (!s->dead)
        spdy_send_words(s, GOAWAY, s->last_peer_id, 0);
}
