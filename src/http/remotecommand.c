/* See remotecommand.h: negotiation, and what both transports have in common. */
#include "http/remotecommand.h"

#include <stdio.h>
#include <strings.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/h1.h"
#include "http/remote_internal.h"
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

/* --- negotiation --- */

struct protocol {
    const char *name;
    int version;
    bool base64;
};

static const struct protocol spdy_protocols[] = {
    {"v4.channel.k8s.io", 4}, {"v3.channel.k8s.io", 3}, {"v2.channel.k8s.io", 2}, {"channel.k8s.io", 1}, {NULL}};
static const struct protocol ws_protocols[] = {
    {"v5.channel.k8s.io", 5}, {"v4.channel.k8s.io", 4},           {"v4.base64.channel.k8s.io", 4, true},
    {"channel.k8s.io", 1},    {"base64.channel.k8s.io", 1, true}, {NULL}};

/* The client's order counts. Its offers may come in several headers, in one, or both. */
static const struct protocol *choose(const struct http_exchange *x, const char *header, const struct protocol *ours,
                                     bool *ret_offered)
{
    const char *value;
    *ret_offered = false;
    for (size_t nth = 0; (value = http_get_header_nth(x, header, nth)); nth++) {
        _cleanup_free_ char **offers = str_split(value, ',', NULL);
        *ret_offered = true;
        for (char **offer = offers; *offer; offer++) {
            const char *name = *offer + strspn(*offer, " \t");
            size_t len = strcspn(name, " \t");
            for (const struct protocol *p = ours; p->name; p++)
                if (strlen(p->name) == len && strncmp(name, p->name, len) == 0)
                    return p;
        }
    }
    return NULL;
}

static struct remote_streams *refuse(struct http_exchange *x, int code, const char *why)
{
    _cleanup_free_ char *text = xasprintf("unable to upgrade: %s\n", why);
    http_reply(x, code, "text/plain; charset=utf-8", text, strlen(text));
    return NULL;
}

static struct remote_streams *begin(struct duplex *d, const struct remote_transport *transport,
                                    const struct protocol *p, const struct remote_options *o,
                                    const struct remote_handler *h, void *arg)
{
    static const struct duplex_handler handler = {.data = on_data, .closed = on_closed, .drained = on_drained};
    struct remote_streams *r = NEW(struct remote_streams);
    *r = (struct remote_streams){.duplex = d,
                                 .transport = transport,
                                 .h = h,
                                 .arg = arg,
                                 .options = *o,
                                 .version = p->version,
                                 .base64 = p->base64,
                                 .channel = -1,
                                 .early = BUF_INIT(EARLY_MAX),
                                 .resize = BUF_INIT(RESIZE_MAX)};
    uv_timer_init(duplex_loop(d), &r->timer);
    r->timer.data = r;
    transport->start(r);
    uv_timer_start(&r->timer, on_timer, r->ws ? 0 : OPENING_MS, 0);
    duplex_start(d, &handler, r);
    return r;
}

static struct remote_streams *accept_spdy(struct http_exchange *x, const struct remote_options *o,
                                          const struct remote_handler *h, void *arg)
{
    static const char header[] = "X-Stream-Protocol-Version";
    bool offered;
    const struct protocol *p = choose(x, header, spdy_protocols, &offered);
    if (!p) {
        for (const struct protocol *ours = spdy_protocols; offered && ours->name; ours++)
            http_add_header(x, "X-Accepted-Stream-Protocol-Versions", ours->name);
        return offered ? refuse(x, 403, "no known subprotocol was offered")
                       : refuse(x, 400, "X-Stream-Protocol-Version is required");
    }
    const struct http_header headers[] = {
        {"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}, {header, p->name}, {NULL, NULL}};
    return begin(http_upgrade(x, headers), &remote_over_spdy, p, o, h, arg);
}

static struct remote_streams *accept_ws(struct http_exchange *x, const struct remote_options *o,
                                        const struct remote_handler *h, void *arg)
{
    static const struct protocol unnamed = {"", 1, false}; /* as channel.k8s.io */
    char accept[WS_ACCEPT_SIZE];
    bool offered;
    const struct protocol *p = choose(x, "Sec-WebSocket-Protocol", ws_protocols, &offered);
    if (!p && offered)
        return refuse(x, 403, "no known subprotocol was offered");
    if (!p)
        p = &unnamed;
    if (!streq(str_or(http_get_header(x, "Sec-WebSocket-Version"), ""), "13") || !streq(http_method(x), "GET") ||
        !ws_accept_key(str_or(http_get_header(x, "Sec-WebSocket-Key"), ""), accept))
        return refuse(x, 400, "not a WebSocket handshake");
    const struct http_header headers[] = {{"Connection", "Upgrade"},
                                          {"Upgrade", "websocket"},
                                          {"Sec-WebSocket-Accept", accept},
                                          {*p->name ? "Sec-WebSocket-Protocol" : NULL, p->name},
                                          {NULL, NULL}};
    struct remote_streams *r = begin(http_upgrade(x, headers), &remote_over_ws, p, o, h, arg);
    /* An empty message tells the client that the connection stands (upstream does). */
    if (o->want_stdout)
        r->transport->write(r, REMOTE_STDOUT, "", 0);
    return r;
}

struct remote_streams *remote_accept(struct http_exchange *x, const struct remote_options *o,
                                     const struct remote_handler *h, void *arg)
{
    const char *upgrade = str_or(http_get_header(x, "Upgrade"), "");
    if (!h1_has_token(str_or(http_get_header(x, "Connection"), ""), "Upgrade"))
        return refuse(x, 400, "missing upgrade headers in request");
    if (strcasecmp(upgrade, "SPDY/3.1") == 0)
        return accept_spdy(x, o, h, arg);
    if (strcasecmp(upgrade, "websocket") == 0)
        return accept_ws(x, o, h, arg);
    return refuse(x, 400, "unknown protocol in Upgrade");
}
