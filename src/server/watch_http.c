/* See watch_http.h. */
#include "server/watch_http.h"

#include "base/str.h"
#include "http/http.h"
#include "server/watch.h"
#include "server/watch_convert.h"

/* How far a watcher may lag behind before it is cut off and has to list again: seconds of the heaviest writing, and a
 * bound on what a peer that stops reading can cost. What it asked for to begin with comes on top. */
#define LAG_MAX (8 << 20)
/* Initial events leave in pieces of this size. */
#define BATCH_SIZE (256 << 10)

/* The last event of a kind that was written as plain JSON: watchers of one change are told one after another, so that
 * each change is encoded once for all of them. */
struct frame {
    struct object *obj;
    enum client_event type;
    struct buf text;
};

struct http_watch {
    struct server *server;
    const struct kind *version;
    struct watch *watch;
    struct watch_convert *convert; /* NULL: nobody else is asked */
    struct http_exchange *exchange;
    struct negotiated form;
    enum include_object include;
    bool starting;    /* inside watch_start() */
    bool streaming;   /* the head has left */
    bool over;        /* ended or cut; freed once nobody is inside */
    bool had_columns; /* of a table */
    size_t allowance; /* LAG_MAX and what the initial events take */
    struct buf batch;
};

static const char *const type_names[CLIENT_EVENT_N] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"};

void frame_free(struct frame *f)
{
    if (!f)
        return;
    object_unref(f->obj);
    buf_done(&f->text);
    free(f);
}

static const struct buf *frame_of(struct server *s, enum client_event type, struct object *obj)
{
    static const struct negotiated plain = {REPR_JSON, "v1"};
    if (s->frame && s->frame->obj == obj && s->frame->type == type)
        return &s->frame->text;
    if (!s->frame)
        s->frame = NEW(struct frame);
    object_unref(s->frame->obj);
    s->frame->obj = object_ref(obj);
    s->frame->type = type;
    buf_clear(&s->frame->text);
    represent_event(&plain, INCLUDE_METADATA, false, type_names[type], obj, &s->frame->text);
    return &s->frame->text;
}

static void free_http_watch(struct http_watch *hw)
{
    watch_convert_free(hw->convert);
    buf_done(&hw->batch);
    free(hw);
}

static void finish(struct http_watch *hw)
{
    hw->over = true;
    hw->exchange = NULL;
    if (!hw->starting)
        free_http_watch(hw);
}

static void start_stream(struct http_watch *hw)
{
    if (hw->streaming)
        return;
    hw->streaming = true;
    http_stream_start(hw->exchange, 200, "application/json");
}

static void cut(struct http_watch *hw)
{
    hw->server->counters.watches_cut++;
    http_abort(hw->exchange);
    watch_stop(TAKE(hw->watch));
    finish(hw);
}

static void deliver(struct http_watch *hw, const char *bytes, size_t len)
{
    start_stream(hw);
    http_stream_write(hw->exchange, bytes, len);
    if (hw->starting) {
        hw->allowance += len;
        return;
    }
    if (http_stream_pending(hw->exchange) > hw->allowance)
        cut(hw);
}

static void flush(struct http_watch *hw)
{
    if (hw->batch.len)
        deliver(hw, hw->batch.data, hw->batch.len);
    buf_clear(&hw->batch);
}

static void write_event(void *arg, enum client_event type, struct object *obj, uint64_t rv, bool initial_end)
{
    struct http_watch *hw = arg;
    if (hw->over)
        return;
    if (!hw->starting && type != CLIENT_BOOKMARK && hw->form.repr == REPR_JSON && !hw->version->stored) {
        const struct buf *text = frame_of(hw->server, type, obj);
        deliver(hw, text->data, text->len);
        return;
    }
    struct buf text = BUF_INIT(0);
    _cleanup_object_ struct object *seen = obj ? object_as(obj, hw->version) : NULL;
    if (type == CLIENT_BOOKMARK)
        represent_bookmark(&hw->form, hw->version, rv, initial_end, &text);
    else
        represent_event(&hw->form, hw->include, !hw->had_columns, type_names[type], seen, &text);
    hw->had_columns |= type != CLIENT_BOOKMARK;
    if (hw->starting) {
        buf_add(&hw->batch, text.data, text.len);
        if (hw->batch.len >= BATCH_SIZE)
            flush(hw);
    } else {
        deliver(hw, text.data, text.len);
    }
    buf_done(&text);
}

static void on_event(void *arg, enum client_event type, struct object *obj, uint64_t rv, bool initial_end)
{
    struct http_watch *hw = arg;
    if (!hw->convert || !watch_convert_take(hw->convert, type, obj, rv, initial_end))
        write_event(hw, type, obj, rv, initial_end);
    else if (hw->starting)
        hw->allowance += obj ? obj->len : 0;
    else if (watch_convert_pending(hw->convert) > hw->allowance)
        cut(hw);
}

static void on_ended(void *arg, const json_t *status)
{
    struct http_watch *hw = arg;
    struct buf text = BUF_INIT(0);
    hw->watch = NULL;
    start_stream(hw);
    if (status) {
        represent_error(status, &text);
        http_stream_write(hw->exchange, text.data, text.len);
    }
    buf_done(&text);
    http_stream_end(hw->exchange);
    finish(hw);
}

static const struct watch_sink sink = {on_event, on_ended};

static void on_unconverted(void *arg, const json_t *status)
{
    struct http_watch *hw = arg;
    watch_stop(TAKE(hw->watch));
    on_ended(hw, status);
}

static const struct watch_convert_handler convert_handler = {write_event, on_unconverted};

static void on_gone(void *arg)
{
    struct http_watch *hw = arg;
    watch_stop(TAKE(hw->watch));
    finish(hw);
}

void watch_http(struct request *r, const struct negotiated *form)
{
    json_t *status;
    struct http_watch *hw = NEW(struct http_watch);
    *hw = (struct http_watch){.server = r->server,
                              .version = r->version,
                              .exchange = r->exchange,
                              .form = *form,
                              .include = include_of(r->query),
                              .allowance = LAG_MAX,
                              .starting = true};
    if (r->version->conversion)
        hw->convert = watch_convert_new(r->server, r->version, &convert_handler, hw);
    hw->watch = watch_start(r, &sink, hw, &status);
    hw->starting = false;
    if (status) {
        free_http_watch(hw);
        request_reply_status(r, status);
        return;
    }
    struct http_exchange *x = request_take_exchange(r);
    if (hw->over) {
        free_http_watch(hw);
        return;
    }
    hw->starting = true; /* what is left of the initial events counts as such */
    flush(hw);
    hw->starting = false;
    start_stream(hw);
    http_on_gone(x, on_gone, hw);
}
