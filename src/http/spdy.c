/* See spdy.h. */
#include "http/spdy.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/spdy_headers.h"

enum frame_type {
    SYN_STREAM = 1,
    SYN_REPLY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    HEADERS = 8,
    WINDOW_UPDATE = 9,
    FRAME_TYPE_N
};

#define VERSION 3
#define HEAD_LEN 8
#define FLAG_FIN 1
/* Control frames are gathered before they are read; compressed, a full header block is far below this. */
#define CONTROL_MAX SPDY_BLOCK_MAX
/* Larger writes become several frames, so that streams take turns. */
#define DATA_FRAME_MAX (32 << 10)
#define SETTINGS_INITIAL_WINDOW 7
#define ID_MASK 0x7fffffffu
#define WINDOW_MAX 0x7fffffff

struct stream {
    struct list link;
    uint32_t id;
    bool peer_done, we_done, fin_waits;
    int64_t send_window, recv_window;
    uint32_t used; /* consumed and not yet told */
    struct buf waiting;
};

struct spdy {
    enum spdy_side side;
    bool flow_control, dead;
    const struct spdy_handler *h;
    void *arg;
    struct spdy_headers zip;
    struct list streams;
    size_t n_streams, pending;
    uint32_t next_id, last_peer_id, next_ping;
    int64_t send_window, recv_window, peer_initial_window;
    uint32_t used;
    /* the frame being read */
    unsigned char head[HEAD_LEN];
    size_t head_len;
    uint32_t left; /* of its payload */
    struct buf control;
    struct buf out; /* the frame being made */
};

static uint32_t get32(const void *from)
{
    const unsigned char *b = from;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

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

static void send_words(struct spdy *s, enum frame_type type, uint32_t a, uint32_t b)
{
    begin_control(s, type, 0);
    put32(&s->out, a);
    if (type != PING)
        put32(&s->out, b);
    send_frame(s);
}

static int broken(struct spdy *s)
{
    s->dead = true;
    send_words(s, GOAWAY, s->last_peer_id, SPDY_PROTOCOL_ERROR);
    return -1;
}

/* --- streams --- */

static struct stream *find(const struct spdy *s, uint32_t id)
{
    LIST_EACH(it, &s->streams) {
        struct stream *st = container_of(it, struct stream, link);
        if (st->id == id)
            return st;
    }
    return NULL;
}

static struct stream *add_stream(struct spdy *s, uint32_t id)
{
    struct stream *st = NEW(struct stream);
    *st = (struct stream){.id = id, .send_window = s->peer_initial_window, .recv_window = SPDY_WINDOW};
    list_append(&s->streams, &st->link);
    s->n_streams++;
    return st;
}

static void drop_stream(struct spdy *s, struct stream *st)
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
        drop_stream(s, st);
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
static void flush(struct spdy *s, struct stream *st)
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
static void flush_all(struct spdy *s)
{
    uint32_t ids[SPDY_STREAMS_MAX];
    size_t n = 0;
    LIST_EACH(it, &s->streams) {
        ids[n++] = container_of(it, struct stream, link)->id;
    }
    for (size_t i = 0; i < n; i++) {
        struct stream *st = find(s, ids[i]);
        if (st)
            flush(s, st);
    }
}

static void peer_finished(struct spdy *s, uint32_t id)
{
    struct stream *st = find(s, id);
    if (!st || st->peer_done)
        return;
    st->peer_done = true;
    drop_if_over(s, st);
    if (s->h->fin)
        s->h->fin(s->arg, id);
}

/* --- frames from the peer --- */

static bool is_peers(const struct spdy *s, uint32_t id)
{
    return (id & 1) == (s->side == SPDY_SERVER);
}

static int on_syn_stream(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    _cleanup_(buf_done) struct buf text = {0};
    struct http_header headers[SPDY_HEADERS_MAX + 1];
    uint32_t id = get32(p) & ID_MASK;
    if (spdy_headers_decode(&s->zip, p + 10, len - 10, &text, headers) < 0 || !is_peers(s, id) || id <= s->last_peer_id)
        return broken(s);
    s->last_peer_id = id;
    if (s->n_streams >= SPDY_STREAMS_MAX) {
        send_words(s, RST_STREAM, id, SPDY_REFUSED_STREAM);
        return 0;
    }
    add_stream(s, id);
    if (s->h->opened)
        s->h->opened(s->arg, id, headers);
    if (flags & FLAG_FIN)
        peer_finished(s, id);
    return 0;
}

static int on_headers(struct spdy *s, const char *p, size_t len, unsigned flags, bool is_reply)
{
    _cleanup_(buf_done) struct buf text = {0};
    struct http_header headers[SPDY_HEADERS_MAX + 1];
    uint32_t id = get32(p) & ID_MASK;
    if (spdy_headers_decode(&s->zip, p + 4, len - 4, &text, headers) < 0)
        return broken(s);
    if (is_reply && find(s, id) && s->h->replied)
        s->h->replied(s->arg, id, headers);
    if (flags & FLAG_FIN)
        peer_finished(s, id);
    return 0;
}

static int on_syn_reply(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    return on_headers(s, p, len, flags, true);
}

static int on_more_headers(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    return on_headers(s, p, len, flags, false);
}

static int on_rst_stream(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    uint32_t id = get32(p) & ID_MASK;
    struct stream *st = find(s, id);
    (void)len;
    (void)flags;
    if (!st)
        return 0;
    drop_stream(s, st);
    if (s->h->reset)
        s->h->reset(s->arg, id, get32(p + 4));
    return 0;
}

static void set_initial_window(struct spdy *s, uint32_t value)
{
    int64_t delta = (int64_t)value - s->peer_initial_window;
    s->peer_initial_window = value;
    LIST_EACH(it, &s->streams) {
        container_of(it, struct stream, link)->send_window += delta;
    }
    flush_all(s);
}

static int on_settings(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    uint32_t n = get32(p);
    (void)flags;
    if (n > (len - 4) / 8)
        return broken(s);
    for (const char *entry = p + 4; n--; entry += 8) {
        uint32_t id = get32(entry) & 0xffffff, value = get32(entry + 4);
        if (id == SETTINGS_INITIAL_WINDOW && value > WINDOW_MAX)
            return broken(s);
        if (id == SETTINGS_INITIAL_WINDOW)
            set_initial_window(s, value);
    }
    return 0;
}

static int on_ping(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    uint32_t id = get32(p);
    (void)len;
    (void)flags;
    if (is_peers(s, id))
        send_words(s, PING, id, 0);
    else if (s->h->pong)
        s->h->pong(s->arg, id);
    return 0;
}

static int on_goaway(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    (void)p;
    (void)len;
    (void)flags;
    if (s->h->going_away)
        s->h->going_away(s->arg);
    return 0;
}

static int on_window_update(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    uint32_t id = get32(p) & ID_MASK, delta = get32(p + 4) & ID_MASK;
    struct stream *st = id ? find(s, id) : NULL;
    (void)len;
    (void)flags;
    if (!delta || (!id && s->send_window + delta > WINDOW_MAX))
        return broken(s);
    if (!id) {
        s->send_window += delta;
        flush_all(s);
    } else if (st && st->send_window + delta > WINDOW_MAX) {
        spdy_reset(s, id, SPDY_FLOW_CONTROL_ERROR);
    } else if (st) {
        st->send_window += delta;
        flush(s, st);
    }
    return 0;
}

static const struct {
    uint32_t len_min;
    int (*on)(struct spdy *s, const char *payload, size_t len, unsigned flags);
} control_frames[FRAME_TYPE_N] = {
    [SYN_STREAM] = {10, on_syn_stream},
    [SYN_REPLY] = {4, on_syn_reply},
    [RST_STREAM] = {8, on_rst_stream},
    [SETTINGS] = {4, on_settings},
    [PING] = {4, on_ping},
    [GOAWAY] = {4, on_goaway},
    [HEADERS] = {4, on_more_headers},
    [WINDOW_UPDATE] = {8, on_window_update},
};

static bool is_control(const struct spdy *s)
{
    return s->head[0] & 0x80;
}

static int on_control(struct spdy *s)
{
    uint32_t type = (uint32_t)s->head[2] << 8 | s->head[3];
    unsigned version = (unsigned)(s->head[0] & 0x7f) << 8 | s->head[1];
    if (version != VERSION)
        return broken(s);
    if (type >= FRAME_TYPE_N || !control_frames[type].on)
        return 0; /* later versions' frames are skipped (2.2.1) */
    if (s->control.len < control_frames[type].len_min)
        return broken(s);
    return control_frames[type].on(s, s->control.data, s->control.len, s->head[4]);
}

/* A piece of a data frame: passed on as it comes. */
static int on_data(struct spdy *s, const char *bytes, size_t len)
{
    uint32_t id = get32(s->head) & ID_MASK;
    struct stream *st = find(s, id);
    if (s->flow_control) {
        s->recv_window -= (int64_t)len;
        if (s->recv_window < 0)
            return broken(s);
    }
    if (!st || st->peer_done) { /* what was on its way when we reset the stream */
        spdy_consumed(s, id, len);
        return 0;
    }
    st->recv_window -= (int64_t)len;
    if (s->flow_control && st->recv_window < 0) {
        spdy_consumed(s, 0, len);
        spdy_reset(s, id, SPDY_FLOW_CONTROL_ERROR);
        if (s->h->reset)
            s->h->reset(s->arg, id, SPDY_FLOW_CONTROL_ERROR);
        return 0;
    }
    if (len && s->h->data)
        s->h->data(s->arg, id, bytes, len);
    return 0;
}

static int end_of_frame(struct spdy *s)
{
    s->head_len = 0;
    if (!is_control(s)) {
        if (s->head[4] & FLAG_FIN)
            peer_finished(s, get32(s->head) & ID_MASK);
        return 0;
    }
    int rc = on_control(s);
    buf_clear(&s->control);
    return rc;
}

static int take_head(struct spdy *s, const char **p, size_t *len)
{
    size_t n = HEAD_LEN - s->head_len < *len ? HEAD_LEN - s->head_len : *len;
    memcpy(s->head + s->head_len, *p, n);
    s->head_len += n;
    *p += n;
    *len -= n;
    if (s->head_len < HEAD_LEN)
        return 0;
    s->left = (uint32_t)s->head[5] << 16 | (uint32_t)s->head[6] << 8 | s->head[7];
    if (is_control(s) && s->left > CONTROL_MAX)
        return broken(s);
    return s->left ? 0 : end_of_frame(s);
}

static int take_payload(struct spdy *s, const char **p, size_t *len)
{
    size_t n = s->left < *len ? s->left : *len;
    int rc = 0;
    if (is_control(s))
        buf_add(&s->control, *p, n);
    else
        rc = on_data(s, *p, n);
    *p += n;
    *len -= n;
    s->left -= (uint32_t)n;
    return rc < 0 || s->left ? rc : end_of_frame(s);
}

int spdy_feed(struct spdy *s, const void *bytes, size_t len)
{
    const char *p = bytes;
    while (len && !s->dead)
        if ((s->head_len < HEAD_LEN ? take_head : take_payload)(s, &p, &len) < 0)
            break;
    return s->dead ? -1 : 0;
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
        drop_stream(s, container_of(it, struct stream, link));
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
    add_stream(s, id);
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
    struct stream *st = find(s, stream);
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
    struct stream *st = find(s, stream);
    if (!s->flow_control)
        return;
    s->used += (uint32_t)len;
    if (s->used >= SPDY_WINDOW / 2) {
        s->recv_window += s->used;
        send_words(s, WINDOW_UPDATE, 0, s->used);
        s->used = 0;
    }
    if (!st || st->peer_done)
        return;
    st->used += (uint32_t)len;
    if (st->used >= SPDY_WINDOW / 2) {
        st->recv_window += st->used;
        send_words(s, WINDOW_UPDATE, stream, st->used);
        st->used = 0;
    }
}

void spdy_reset(struct spdy *s, uint32_t stream, enum spdy_status status)
{
    struct stream *st = find(s, stream);
    if (!st || s->dead)
        return;
    drop_stream(s, st);
    send_words(s, RST_STREAM, stream, status);
}

void spdy_ping(struct spdy *s)
{
    if (s->dead)
        return;
    send_words(s, PING, s->next_ping, 0);
    s->next_ping = (s->next_ping + 2) & ID_MASK;
}

void spdy_go_away(struct spdy *s)
{
    if (!s->dead)
        send_words(s, GOAWAY, s->last_peer_id, 0);
}
