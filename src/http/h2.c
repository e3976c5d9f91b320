/* See h2.h. */
#include "http/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define FRAME_HEAD 9
/* Of a DATA frame that is to fill one record. */
#define PAYLOAD_MAX (H2_FRAME_SIZE - FRAME_HEAD)
/* A frame that breaks the rules has cost us an answer. */
#define BAD_FRAME_COST 20
/* Window updates that what was sent may be answered with: stream and connection, each DATA frame twice, and every 4
 * KiB, which is how Go's client tells of bytes as its program reads them. */
#define DATA_CREDIT 4
#define UPDATE_BYTES 4096
/* What has been earned is not lost until it is spent: a slow program tells late. No window holds more updates. */
#define CREDIT_MAX (H2_STREAMS_MAX * 2 * ((4 << 20) / UPDATE_BYTES))
/* Taken bytes are dropped from the front of a buffer when there are so many. */
#define COMPACT_SIZE (256 << 10)

struct h2 {
    nghttp2_session *session;
    const struct h2_handler *handler;
    void *arg;
    struct list streams, due; /* due: to be told that they are drained */
    size_t n_streams, bodies; /* bodies: bytes of requests not yet complete */
    uint64_t now, refilled;
    int64_t credit; /* frames that ask for nothing */
    bool failed, flooded;
};

/* --- lives of streams --- */

static struct h2_stream *find(struct h2 *h, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h->session, id);
}

static void drop_shared(struct h2_stream *s)
{
    void (*release)(void *) = TAKE(s->release);
    s->shared = NULL;
    if (release)
        release(s->release_arg);
}

static void stream_new(struct h2 *h, int32_t id)
{
    struct h2_stream *s = NEW(struct h2_stream);
    *s = (struct h2_stream){.h2 = h, .id = id, .moved = h->now};
    buf_init(&s->head, H1_HEAD_MAX);
    buf_init(&s->body, HTTP_BODY_MAX);
    list_init(&s->due);
    list_append(&h->streams, &s->link);
    h->n_streams++;
    nghttp2_session_set_stream_user_data(h->session, id, s);
}

static void stream_free(struct h2_stream *s)
{
    struct h2 *h = s->h2;
    h->handler->closed(h->arg, s);
    if (s->state == H2_READING)
        h->bodies -= s->body.len;
    drop_shared(s);
    buf_done(&s->head);
    buf_done(&s->body);
    buf_done(&s->out);
    free(s->headers);
    list_remove(&s->due);
    list_remove(&s->link);
    h->n_streams--;
    free(s);
}

/* --- the request --- */

static void refuse(struct h2_stream *s, int code, const char *why)
{
    if (s->state != H2_READING)
        return;
    s->h2->bodies -= s->body.len;
    s->state = H2_BUSY;
    buf_done(&s->body);
    s->h2->handler->refused(s->h2->arg, s, code, why);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        stream_new(arg, frame->hd.stream_id);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct h2_stream *s = find(arg, frame->hd.stream_id);
    (void)session;
    (void)flags;
    if (!s || frame->headers.cat != NGHTTP2_HCAT_REQUEST || s->head_too_large) /* trailers are thrown away */
        return 0;
    while (value_len && strchr(" \t", *value))
        value++, value_len--;
    while (value_len && strchr(" \t", value[value_len - 1]))
        value_len--;
    buf_add(&s->head, name, name_len + 1); /* ends with NUL */
    buf_add(&s->head, value, value_len);
    buf_add(&s->head, "", 1);
    s->head_too_large = s->head.overflowed || ++s->n_headers > H1_HEADERS_MAX;
    return 0;
}

/* The parts of the head, which point into it. */
static void read_head(struct h2_stream *s)
{
    const char *at = buf_str(&s->head), *end = at + s->head.len;
    s->headers = xcalloc(s->n_headers + 1, sizeof(*s->headers));
    s->n_headers = 0;
    while (at < end) {
        const char *name = at, *value = name + strlen(name) + 1;
        at = value + strlen(value) + 1;
        if (strcmp(name, ":method") == 0)
            s->method = value;
        else if (strcmp(name, ":path") == 0)
            s->target = value;
        else if (strcmp(name, ":authority") == 0)
            s->headers[s->n_headers++] = (struct http_header){"Host", value};
        else if (*name != ':')
            s->headers[s->n_headers++] = (struct http_header){name, value};
    }
}

int64_t h2_body_length(const struct h2_stream *s)
{
    for (size_t i = 0; i < s->n_headers; i++)
        if (strcmp(s->headers[i].name, "content-length") == 0)
            return strtoll(s->headers[i].value, NULL, 10); /* nghttp2 has checked it */
    return -1;
}

static void begin_flow(struct h2_stream *s)
{
    s->flows = true;
    s->state = H2_BUSY;
    s->h2->handler->request(s->h2->arg, s);
}

static void head_complete(struct h2_stream *s, bool has_body)
{
    struct h2 *h = s->h2;
    if (s->head_too_large) {
        s->n_headers = 0;
        refuse(s, 431, "request header fields too large");
        return;
    }
    read_head(s);
    if (!s->method || !s->target || (*s->target != '/' && strcmp(s->target, "*") != 0))
        refuse(s, 400, "malformed request target");
    else if (has_body && h->handler->flows && h->handler->flows(h->arg, s->target))
        begin_flow(s);
    else if (h2_body_length(s) > HTTP_BODY_MAX)
        refuse(s, 413, "request body too large");
}

static void open_window(struct h2_stream *s)
{
    if (s->untold)
        nghttp2_session_consume_stream(s->h2->session, s->id, s->untold);
    s->untold = 0;
}

/* The connection's window opens at once, for the sake of other streams; the stream's own is the back pressure. */
static void flow(struct h2_stream *s, const uint8_t *bytes, size_t len)
{
    nghttp2_session_consume_connection(s->h2->session, len);
    s->moved = s->h2->now;
    s->untold += len;
    s->h2->handler->body(s->h2->arg, s, bytes, len);
    if (!s->paused)
        open_window(s);
}

void h2_body_pause(struct h2_stream *s, bool paused)
{
    s->paused = paused;
    if (!paused)
        open_window(s);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len,
                         void *arg)
{
    struct h2 *h = arg;
    struct h2_stream *s = find(h, id);
    (void)flags;
    if (s && s->flows) {
        flow(s, bytes, len);
        return 0;
    }
    nghttp2_session_consume(session, id, len);
    if (!s || s->state != H2_READING)
        return 0;
    s->moved = h->now;
    size_t before = s->body.len;
    buf_add(&s->body, bytes, len);
    h->bodies += s->body.len - before;
    if (s->body.overflowed)
        refuse(s, 413, "request body too large");
    else if (h->bodies > H2_BODIES_MAX)
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}

static void remote_ended(struct h2_stream *s)
{
    s->remote_ended = true;
    if (s->flows)
        s->h2->handler->body(s->h2->arg, s, NULL, 0);
    if (s->state != H2_READING)
        return;
    s->h2->bodies -= s->body.len;
    s->state = H2_BUSY;
    s->h2->handler->request(s->h2->arg, s);
}

/* --- frames --- */

static void spend(struct h2 *h, int cost)
{
    h->credit -= cost;
    if (h->credit >= 0 || h->flooded)
        return;
    h->flooded = true;
    nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2 *h = arg;
    struct h2_stream *s = frame->hd.stream_id ? find(h, frame->hd.stream_id) : NULL;
    bool asks = frame->hd.type == NGHTTP2_HEADERS || (frame->hd.type == NGHTTP2_DATA && frame->hd.length);
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    (void)session;
    if (!asks)
        spend(h, 1);
    if (!s || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        head_complete(s, !ends);
    if (ends)
        remote_ended(s);
    return 0;
}

static int on_bad_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg)
{
    (void)session;
    (void)frame;
    spend(arg, code == NGHTTP2_ERR_REFUSED_STREAM ? 1 : BAD_FRAME_COST);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct h2_stream *s = find(arg, id);
    (void)session;
    (void)code;
    if (s)
        stream_free(s);
    return 0;
}

/* --- the connection --- */

static nghttp2_session *session_new(struct h2 *h)
{
    nghttp2_session_callbacks *c;
    nghttp2_option *o;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&c) != 0 || nghttp2_option_new(&o) != 0)
        abort(); /* only without memory */
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_bad_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_no_auto_window_update(o, 1);
    /* Which curl sends: "Authorization: Bearer $TOKEN" without a token. */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(o, 1);
    nghttp2_option_set_stream_reset_rate_limit(o, H2_RESETS_BURST, H2_RESETS_RATE);
    if (nghttp2_session_server_new2(&session, c, h, o) != 0)
        abort();
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    return session;
}

struct h2 *h2_new(const struct h2_handler *handler, void *arg)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H1_HEAD_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    struct h2 *h = NEW(struct h2);
    *h = (struct h2){.handler = handler, .arg = arg, .credit = H2_IDLE_FRAMES_BURST};
    list_init(&h->streams);
    list_init(&h->due);
    h->session = session_new(h);
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
    return h;
}

void h2_free(struct h2 *h)
{
    if (!h)
        return;
    while (!list_empty(&h->streams)) {
        struct h2_stream *s = container_of(h->streams.next, struct h2_stream, link);
        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
        stream_free(s);
    }
    nghttp2_session_del(h->session);
    free(h);
}

static void refill(struct h2 *h, uint64_t now)
{
    uint64_t gained = h->refilled ? (now - h->refilled) * H2_IDLE_FRAMES_RATE / 1000 : 1;
    h->now = now;
    if (!gained)
        return;
    h->refilled = now;
    int64_t room = H2_IDLE_FRAMES_BURST - h->credit;
    if (room > 0)
        h->credit += gained < (uint64_t)room ? (int64_t)gained : room;
}

bool h2_feed(struct h2 *h, const void *bytes, size_t len, uint64_t now)
{
    refill(h, now);
    if (h->failed || h->flooded)
        return false;
    if (nghttp2_session_mem_recv(h->session, bytes, len) < 0)
        h->failed = true; /* what went wrong is in the GOAWAY that nghttp2 has queued, if anything is */
    return !h->failed && !h->flooded && !h2_over(h);
}

void h2_output(struct h2 *h, struct buf *out, size_t want, uint64_t now)
{
    const uint8_t *frame;
    ssize_t n;
    h->now = now;
    while (out->len < want && (n = nghttp2_session_mem_send(h->session, &frame)) != 0) {
        if (n < 0) {
            h->failed = true;
            break;
        }
        buf_add(out, frame, (size_t)n);
    }
    while (!list_empty(&h->due)) {
        struct h2_stream *s = container_of(h->due.next, struct h2_stream, due);
        list_remove(&s->due);
        h->handler->drained(h->arg, s);
    }
}

bool h2_over(const struct h2 *h)
{
    return h->failed || (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session));
}

void h2_goaway(struct h2 *h)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

size_t h2_streams(const struct h2 *h)
{
    return h->n_streams;
}

void h2_sweep(struct h2 *h, uint64_t now, unsigned stall_ms)
{
    LIST_EACH(it, &h->streams) {
        struct h2_stream *s = container_of(it, struct h2_stream, link);
        if (!s->moved)
            s->moved = now;
        else if ((s->state == H2_READING || s->state == H2_REPLIED) && s->moved + stall_ms < now)
            h2_reset(s);
    }
}

/* --- the answer --- */

static size_t answer_left(const struct h2_stream *s)
{
    return (s->shared ? s->shared_len : s->out.len) - s->at;
}

static void taken(struct h2_stream *s, size_t n)
{
    s->at += n;
    s->moved = s->h2->now;
    s->h2->credit += DATA_CREDIT + 2 * (int64_t)(n / UPDATE_BYTES);
    if (s->h2->credit > CREDIT_MAX)
        s->h2->credit = CREDIT_MAX;
    if (s->shared)
        return;
    if (s->at == s->out.len) {
        buf_done(&s->out);
        s->at = 0;
    } else if (s->at >= COMPACT_SIZE && s->at >= s->out.len / 2) {
        buf_drop_front(&s->out, s->at);
        s->at = 0;
    }
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    struct h2_stream *s = source->ptr;
    size_t left = answer_left(s), n = left < room ? left : room;
    (void)session;
    (void)id;
    (void)arg;
    if (s->given_up)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (n > PAYLOAD_MAX)
        n = PAYLOAD_MAX;
    if (!left && !s->ended) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n)
        memcpy(to, (s->shared ? s->shared : s->out.data) + s->at, n);
    if (n == left && s->ended)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    taken(s, n);
    if (n == left && s->state == H2_STREAMING && !s->ended && list_empty(&s->due))
        list_append(&s->h2->due, &s->due);
    return (ssize_t)n;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void submit(struct h2_stream *s, int code, const struct http_header *headers, size_t n, bool has_body)
{
    char status[12];
    _cleanup_free_ nghttp2_nv *fields = xcalloc(n + 1, sizeof(*fields));
    nghttp2_data_provider provider = {.source.ptr = s, .read_callback = read_answer};
    snprintf(status, sizeof(status), "%d", code);
    fields[0] = field(":status", status);
    for (size_t i = 0; i < n; i++)
        fields[i + 1] = field(headers[i].name, headers[i].value);
    s->moved = 0;
    nghttp2_submit_response(s->h2->session, s->id, fields, n + 1, has_body ? &provider : NULL);
}

void h2_reply(struct h2_stream *s, int code, const struct http_header *headers, size_t n, const void *body, size_t len,
              void (*release)(void *), void *release_arg)
{
    s->state = H2_REPLIED;
    s->ended = true;
    if (len && release) {
        s->shared = body;
        s->shared_len = len;
        s->release = release;
        s->release_arg = release_arg;
    } else {
        buf_add(&s->out, body, len);
        if (release)
            release(release_arg);
    }
    submit(s, code, headers, n, len > 0);
}

void h2_start(struct h2_stream *s, int code, const struct http_header *headers, size_t n)
{
    s->state = H2_STREAMING;
    submit(s, code, headers, n, true);
}

static void resume(struct h2_stream *s)
{
    if (!s->deferred)
        return;
    s->deferred = false;
    nghttp2_session_resume_data(s->h2->session, s->id);
}

void h2_write(struct h2_stream *s, const void *bytes, size_t len)
{
    buf_add(&s->out, bytes, len);
    resume(s);
}

size_t h2_pending(const struct h2_stream *s)
{
    return answer_left(s);
}

void h2_end(struct h2_stream *s)
{
    s->ended = true;
    s->state = H2_REPLIED;
    s->moved = 0;
    resume(s);
}

void h2_reset(struct h2_stream *s)
{
    s->given_up = true; /* its bytes go now: the frame may wait for a peer that takes nothing */
    drop_shared(s);
    buf_done(&s->out);
    s->at = s->shared_len = 0;
    nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
}
