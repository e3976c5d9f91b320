/* See remotecommand.h: what both transports have in common. */
#include "http/remotecommand.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/remote_internal.h"
#include "http/upgrade.h"
#include "json/json.h"

/* A client opens its streams at once (upstream waits as long). */
#define OPENING_MS 30000
/* Proxies and NATs forget connections that are silent for a minute or more; a shell may be silent for hours. */
#define PING_MS 30000
/* When all is said the client closes; closing first, kubectl may throw away what it has not yet read. A client that is
 * still reading gets an hour (a pager). */
#define LOOK_MS 5000
#define LOOKS_MAX 720
/* Output that a client leaves untaken: its own frames, which we would have to answer, are not read until it does. */
#define CHOKE_PENDING (1 << 20)
/* Input that comes before the command is started. */
#define EARLY_MAX (64 << 10)
/* {"Width":65535,"Height":65535} with blanks to spare. */
#define RESIZE_MAX 256

bool remote_wants(const struct remote_streams *r, enum remote_channel channel)
{
    const struct remote_options *o = &r->options;
    const bool wanted[REMOTE_CHANNEL_N] = {[REMOTE_STDIN] = o->want_stdin,
                                           [REMOTE_STDOUT] = o->want_stdout,
                                           [REMOTE_STDERR] = o->want_stderr && !o->tty,
                                           [REMOTE_ERROR] = true,
                                           [REMOTE_RESIZE] = o->tty && r->version >= 3};
    return wanted[channel];
}

/* --- input --- */

static void update_pause(struct remote_streams *r)
{
    duplex_pause(r->duplex, r->stdin_paused || r->choked);
}

static void on_resize(struct remote_streams *r, const char *bytes, size_t len)
{
    for (; len; bytes++, len--) {
        buf_addc(&r->resize, *bytes);
        if (*bytes != '}')
            continue;
        struct err ignored;
        _cleanup_json_ json_t *size = jparse(r->resize.data, r->resize.len, &ignored);
        int64_t columns = size ? jint(size, "Width", 0) : 0, rows = size ? jint(size, "Height", 0) : 0;
        buf_clear(&r->resize);
        if (columns > 0 && columns <= UINT16_MAX && rows > 0 && rows <= UINT16_MAX && r->h->resize)
            r->h->resize(r->arg, (int)columns, (int)rows);
    }
}

static void on_stdin(struct remote_streams *r, const void *bytes, size_t len)
{
    if (!r->options.want_stdin || r->stdin_ended || !r->h->stdin_data)
        return;
    if (!len)
        r->stdin_ended = true;
    r->h->stdin_data(r->arg, bytes, len);
}

void remote_input(struct remote_streams *r, enum remote_channel channel, const void *bytes, size_t len)
{
    if (r->phase == REMOTE_OPENING && channel == REMOTE_STDIN) {
        buf_add(&r->early, bytes, len);
        r->stdin_ended |= !len;
    } else if (r->phase == REMOTE_RUNNING && channel == REMOTE_STDIN) {
        on_stdin(r, bytes, len);
    } else if (r->phase != REMOTE_FINISHING && channel == REMOTE_RESIZE) {
        on_resize(r, bytes, len);
    }
}

static void on_timer(uv_timer_t *timer);

void remote_open(struct remote_streams *r)
{
    struct buf early = r->early;
    bool ended = r->stdin_ended;
    buf_init(&r->early, 0);
    r->stdin_ended = false;
    r->phase = REMOTE_RUNNING;
    uv_timer_start(&r->timer, on_timer, PING_MS, PING_MS);
    r->h->ready(r->arg);
    if (early.len && r->phase == REMOTE_RUNNING)
        on_stdin(r, early.data, early.len);
    if (ended && r->phase == REMOTE_RUNNING)
        on_stdin(r, "", 0);
    buf_done(&early);
}

/* --- the connection --- */

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct remote_streams *r = arg;
    if (!len && r->phase == REMOTE_FINISHING)
        duplex_close(r->duplex);
    else if (!len)
        duplex_cut(r->duplex); /* clients don't half-close connections: it is going */
    else if (r->transport->feed(r, bytes, len) < 0 || r->early.overflowed || r->resize.overflowed)
        duplex_close(r->duplex);
    if (duplex_pending(r->duplex) > CHOKE_PENDING) {
        r->choked = true;
        update_pause(r);
    }
}

static void on_drained(void *arg)
{
    struct remote_streams *r = arg;
    r->choked = false;
    update_pause(r);
    if (r->h->drained && r->phase == REMOTE_RUNNING)
        r->h->drained(r->arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct remote_streams *r = handle->data;
    r->transport->done(r);
    buf_done(&r->early);
    buf_done(&r->resize);
    free(r);
}

static void on_closed(void *arg)
{
    struct remote_streams *r = arg;
    if (r->phase != REMOTE_FINISHING)
        r->h->closed(r->arg);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer)
{
    struct remote_streams *r = timer->data;
    switch (r->phase) {
    case REMOTE_OPENING:
        if (r->ws)
            remote_open(r); /* channels need no opening */
        else
            duplex_close(r->duplex);
        break;
    case REMOTE_RUNNING:
        if (!duplex_pending(r->duplex))
            r->transport->ping(r);
        break;
    case REMOTE_FINISHING:
        if (!duplex_pending(r->duplex) || ++r->looks > LOOKS_MAX)
            duplex_close(r->duplex);
        break;
    }
}

/* --- output --- */

void remote_stdout(struct remote_streams *r, const void *bytes, size_t len)
{
    if (len && remote_wants(r, REMOTE_STDOUT))
        r->transport->write(r, REMOTE_STDOUT, bytes, len);
}

void remote_stderr(struct remote_streams *r, const void *bytes, size_t len)
{
    if (len && remote_wants(r, REMOTE_STDERR))
        r->transport->write(r, REMOTE_STDERR, bytes, len);
}

size_t remote_pending(const struct remote_streams *r)
{
    return duplex_pending(r->duplex);
}

void remote_pause_stdin(struct remote_streams *r, bool paused)
{
    r->stdin_paused = paused;
    update_pause(r);
}

/* metav1.Status; kubectl takes the exit code out of the ExitCode cause. */
static char *status_text(int exit_code, const char *message)
{
    _cleanup_json_ json_t *status = json_pack("{s:{}, s:s}", "metadata", "status", exit_code ? "Failure" : "Success");
    if (exit_code > 0) {
        _cleanup_free_ char *code = xasprintf("%d", exit_code);
        _cleanup_free_ char *text = xasprintf("command terminated with non-zero exit code: exit status %d", exit_code);
        jset_str(status, "message", message && *message ? message : text);
        jset_str(status, "reason", "NonZeroExitCode");
        jset(status, "details", json_pack("{s:[{s:s, s:s}]}", "causes", "reason", "ExitCode", "message", code));
    } else if (exit_code < 0) {
        jset_str(status, "message", str_or(message, "the command could not be run"));
        jset_str(status, "reason", "InternalError");
        jset_int(status, "code", 500);
    }
    return jprint(status);
}

/* Before v4 a failure was a line of text, and success nothing. */
static char *old_status_text(int exit_code, const char *message)
{
    if (exit_code == 0)
        return xstrdup("");
    if (message && *message)
        return xstrdup(message);
    return xasprintf("command terminated with exit code %d", exit_code);
}

void remote_finish(struct remote_streams *r, int exit_code, const char *message)
{
    _cleanup_free_ char *text = r->version >= 4 ? status_text(exit_code, message) : old_status_text(exit_code, message);
    r->phase = REMOTE_FINISHING;
    if (*text)
        r->transport->write(r, REMOTE_ERROR, text, strlen(text));
    r->transport->finish(r);
    uv_timer_start(&r->timer, on_timer, LOOK_MS, LOOK_MS);
    r->stdin_paused = false; /* to see the client close; what it still sends is thrown away */
    update_pause(r);
}

/* --- the beginning --- */

struct remote_options remote_options_of(const char *query)
{
    return (struct remote_options){.want_stdin = query_bool(query, "input") || query_bool(query, "stdin"),
                                   .want_stdout = query_bool(query, "output") || query_bool(query, "stdout"),
                                   .want_stderr = query_bool(query, "error") || query_bool(query, "stderr"),
                                   .tty = query_bool(query, "tty")};
}

static const struct stream_protocol over_spdy[] = {
    {"v4.channel.k8s.io", 4}, {"v3.channel.k8s.io", 3}, {"v2.channel.k8s.io", 2}, {"channel.k8s.io", 1}, {NULL}};
static const struct stream_protocol over_ws[] = {{"v5.channel.k8s.io", 5},
                                                 {"v4.channel.k8s.io", 4},
                                                 {"v4.base64.channel.k8s.io", 4, true},
                                                 {"channel.k8s.io", 1},
                                                 {"base64.channel.k8s.io", 1, true},
                                                 {"", 1},
                                                 {NULL}};

struct remote_streams *remote_accept(struct http_exchange *x, const struct remote_options *o,
                                     const struct remote_handler *h, void *arg)
{
    static const struct duplex_handler handler = {.data = on_data, .closed = on_closed, .drained = on_drained};
    struct upgrade u;
    if (!upgrade_accept(x, over_spdy, over_ws, &u))
        return NULL;
    struct remote_streams *r = NEW(struct remote_streams);
    *r = (struct remote_streams){.duplex = u.duplex,
                                 .transport = u.is_ws ? &remote_over_ws : &remote_over_spdy,
                                 .h = h,
                                 .arg = arg,
                                 .options = *o,
                                 .version = u.protocol->version,
                                 .base64 = u.protocol->base64,
                                 .channel = -1,
                                 .early = BUF_INIT(EARLY_MAX),
                                 .resize = BUF_INIT(RESIZE_MAX)};
    uv_timer_init(duplex_loop(u.duplex), &r->timer);
    r->timer.data = r;
    r->transport->start(r);
    uv_timer_start(&r->timer, on_timer, u.is_ws ? 0 : OPENING_MS, 0);
    duplex_start(u.duplex, &handler, r);
    /* An empty message tells the client that the connection stands (upstream does). */
    if (u.is_ws && o->want_stdout)
        r->transport->write(r, REMOTE_STDOUT, "", 0);
    return r;
}
