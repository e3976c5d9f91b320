/* See spdy.h: frames from the peer. */
#include "base/alloc.h"
#include "http/spdy_internal.h"

/* Control frames are gathered before they are read; compressed, a full header block is far below this. */
#define CONTROL_MAX SPDY_BLOCK_MAX

static uint32_t get32(const void *from)
{
    const unsigned char *b = from;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

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
        return spdy_broken(s);
    s->last_peer_id = id;
    if (s->n_streams >= SPDY_STREAMS_MAX) {
        spdy_send_words(s, RST_STREAM, id, SPDY_REFUSED_STREAM);
        return 0;
    }
    spdy_add_stream(s, id);
    if (s->h->opened)
        s->h->opened(s->arg, id, headers);
    if (flags & FLAG_FIN)
        spdy_peer_finished(s, id);
    return 0;
}

static int on_headers(struct spdy *s, const char *p, size_t len, unsigned flags, bool is_reply)
{
    _cleanup_(buf_done) struct buf text = {0};
    struct http_header headers[SPDY_HEADERS_MAX + 1];
    uint32_t id = get32(p) & ID_MASK;
    if (spdy_headers_decode(&s->zip, p + 4, len - 4, &text, headers) < 0)
        return spdy_broken(s);
    if (is_reply && spdy_find(s, id) && s->h->replied)
        s->h->replied(s->arg, id, headers);
    if (flags & FLAG_FIN)
        spdy_peer_finished(s, id);
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
    struct stream *st = spdy_find(s, id);
    (void)len;
    (void)flags;
    if (!st)
        return 0;
    spdy_drop_stream(s, st);
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
    spdy_flush_all(s);
}

static int on_settings(struct spdy *s, const char *p, size_t len, unsigned flags)
{
    uint32_t n = get32(p);
    (void)flags;
    if (n > (len - 4) / 8)
        return spdy_broken(s);
    for (const char *entry = p + 4; n--; entry += 8) {
        uint32_t id = get32(entry) & 0xffffff, value = get32(entry + 4);
        if (id == SETTINGS_INITIAL_WINDOW && value > WINDOW_MAX)
            return spdy_broken(s);
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
        spdy_send_words(s, PING, id, 0);
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
    struct stream *st = id ? spdy_find(s, id) : NULL;
    (void)len;
    (void)flags;
    if (!delta || (!id && s->send_window + delta > WINDOW_MAX))
        return spdy_broken(s);
    if (!id) {
        s->send_window += delta;
        spdy_flush_all(s);
    } else if (st && st->send_window + delta > WINDOW_MAX) {
        spdy_reset(s, id, SPDY_FLOW_CONTROL_ERROR);
    } else if (st) {
        st->send_window += delta;
        spdy_flush(s, st);
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
        return spdy_broken(s);
    if (type >= FRAME_TYPE_N || !control_frames[type].on)
        return 0; /* later versions' frames are skipped (2.2.1) */
    if (s->control.len < control_frames[type].len_min)
        return spdy_broken(s);
    return control_frames[type].on(s, s->control.data, s->control.len, s->head[4]);
}

/* A piece of a data frame: passed on as it comes. */
static int on_data(struct spdy *s, const char *bytes, size_t len)
{
    uint32_t id = get32(s->head) & ID_MASK;
    struct stream *st = spdy_find(s, id);
    if (s->flow_control) {
        s->recv_window -= (int64_t)len;
        if (s->recv_window < 0)
            return spdy_broken(s);
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
            spdy_peer_finished(s, get32(s->head) & ID_MASK);
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
        return spdy_broken(s);
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
