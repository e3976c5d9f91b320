/* See portforward.h: sessions and the connections they carry. What a slow client or a slow pod does not take stays
 * where it is: the other side is not read meanwhile. SPDY as kubectl speaks it has one window for all streams, TCP's,
 * so a pod that takes nothing holds up the other connections of its session, as it does upstream. */
#include "http/portforward.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/str.h"
#include "http/forward_internal.h"
#include "http/h1.h"
#include "http/upgrade.h"

/* Of all sessions: each holds a descriptor. */
#define TUNNELS_MAX 1024
/* Bytes that wait for one side before the other is not read. */
#define PENDING_MAX (256 << 10)
/* Beyond that a client does not even take the answers to its pings. */
#define CHOKE_PENDING (1 << 20)
/* How long the pod may take nothing of the last bytes. */
#define LAST_STALL_MS 60000
/* Proxies and NATs forget connections that are silent for a minute or more. */
#define LOOK_MS 30000

#define TUNNELLED "SPDY/3.1+portforward.k8s.io"

static int tunnels; /* begun and not over, of all sessions */

static void update_pause(struct forward *f)
{
    duplex_pause(f->duplex, f->n_slow || f->choked);
}

/* --- one connection --- */

struct tunnel *tunnel_new(struct forward *f)
{
    struct tunnel *t = NEW(struct tunnel);
    t->forward = f;
    list_append(&f->tunnels, &t->link);
    return t;
}

static void set_slow(struct tunnel *t, bool slow)
{
    if (t->slow == slow)
        return;
    t->slow = slow;
    t->forward->n_slow += slow ? 1 : -1u;
    update_pause(t->forward);
}

static void disconnect(struct tunnel *t)
{
    if (!t->conn)
        return;
    set_slow(t, false);
    conn_free(TAKE(t->conn));
    tunnels--;
}

void tunnel_free(struct tunnel *t)
{
    disconnect(t);
    list_remove(&t->link);
    free(t->request_id);
    free(t);
}

/* The pod's side sends no more. */
static void far_end(struct tunnel *t, const char *why)
{
    if (!t->far_done)
        t->forward->protocol->end(t, why);
    t->far_done = true;
}

static void on_open(void *arg)
{
    struct tunnel *t = arg;
    t->opened = true;
}

static void on_far_data(void *arg, const char *bytes, size_t len)
{
    struct tunnel *t = arg;
    struct forward *f = t->forward;
    f->protocol->write(t, bytes, len);
    if (duplex_pending(f->duplex) <= PENDING_MAX)
        return;
    LIST_EACH(it, &f->tunnels) {
        struct tunnel *other = container_of(it, struct tunnel, link);
        if (other->conn)
            conn_pause(other->conn, true);
    }
}

static void on_far_eof(void *arg)
{
    struct tunnel *t = arg;
    far_end(t, NULL);
    if (t->client_done)
        conn_finish(t->conn, LAST_STALL_MS);
}

static void on_far_drained(void *arg)
{
    set_slow(arg, false);
}

/* In the words of upstream's runtimes. */
static void tell(struct tunnel *t, const char *why)
{
    struct forward *f = t->forward;
    const char *netns = f->netns ? f->netns : "host";
    _cleanup_free_ char *text = xasprintf(
        "error forwarding port %d to pod %s, uid %s: failed to execute portforward in network namespace \"%s\": %s",
        t->port, f->pod, f->uid, netns, why);
    far_end(t, text);
}

static void tell_refused(struct tunnel *t, int code)
{
    const char *reason = strerror(code);
    _cleanup_free_ char *why =
        xasprintf("failed to connect to localhost:%d inside namespace \"%s\": dial tcp4 127.0.0.1:%d: connect: %c%s",
                  t->port, t->forward->netns ? t->forward->netns : "host", t->port, tolower(*reason), reason + 1);
    tell(t, why);
}

static void refuse(struct tunnel *t, const char *why)
{
    tell(t, why);
    if (t->client_done)
        tunnel_free(t);
}

/* A connection that breaks is passed on as what it is; an error text would make newer kubectls end the session. */
static void on_failed(void *arg, const struct err *why)
{
    struct tunnel *t = arg;
    disconnect(t);
    if (why && !t->opened)
        tell_refused(t, why->code);
    else if (why)
        t->forward->protocol->reset(t);
    if (!why || t->opened || t->client_done)
        tunnel_free(t);
}

void tunnel_begin(struct tunnel *t)
{
    static const struct conn_handler handler = {
        .open = on_open, .data = on_far_data, .eof = on_far_eof, .drained = on_far_drained, .failed = on_failed};
    struct forward *f = t->forward;
    struct err err;
    t->begun = true;
    if (tunnels >= TUNNELS_MAX) {
        refuse(t, "too many connections");
        return;
    }
    _cleanup_close_ int netns = f->netns ? netns_open(f->netns, &err) : -1;
    if (f->netns && netns < 0) {
        refuse(t, err.msg);
        return;
    }
    tunnels++;
    t->conn = conn_connect(duplex_loop(f->duplex), netns, "127.0.0.1", t->port, NULL, NULL, &handler, t);
    if (duplex_pending(f->duplex) > PENDING_MAX)
        conn_pause(t->conn, true);
    if (t->client_done)
        conn_shutdown(t->conn);
}

void tunnel_input(struct tunnel *t, const void *bytes, size_t len)
{
    if (t->client_done)
        return;
    if (len && t->conn) {
        conn_write(t->conn, bytes, len);
        set_slow(t, conn_pending(t->conn) > PENDING_MAX);
    }
    if (len)
        return;
    t->client_done = true;
    if (!t->conn && t->begun)
        tunnel_free(t);
    else if (t->conn && t->far_done)
        conn_finish(t->conn, LAST_STALL_MS);
    else if (t->conn)
        conn_shutdown(t->conn);
}

/* --- the session --- */

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct forward *f = arg;
    if (!len)
        duplex_cut(f->duplex); /* clients don't half-close connections: it is going */
    else if (f->protocol->feed(f, bytes, len) < 0)
        duplex_close(f->duplex);
    if (duplex_pending(f->duplex) > CHOKE_PENDING) {
        f->choked = true;
        update_pause(f);
    }
}

static void on_drained(void *arg)
{
    struct forward *f = arg;
    f->choked = false;
    update_pause(f);
    LIST_EACH(it, &f->tunnels) {
        struct tunnel *t = container_of(it, struct tunnel, link);
        if (t->conn)
            conn_pause(t->conn, false);
    }
}

static void forward_free(struct forward *f)
{
    free(f->netns);
    free(f->pod);
    free(f->uid);
    free(f);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct forward *f = handle->data;
    f->protocol->done(f);
    forward_free(f);
}

static void on_closed(void *arg)
{
    struct forward *f = arg;
    LIST_EACH(it, &f->tunnels) {
        tunnel_free(container_of(it, struct tunnel, link));
    }
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}

static void on_look(uv_timer_t *timer)
{
    struct forward *f = timer->data;
    f->protocol->look(f);
}

/* ?port=80,443&port=8080: which connections the channels of a WebSocket are. */
static int read_ports(struct forward *f, const char *query)
{
    for (size_t nth = 0;; nth++) {
        _cleanup_free_ char *value = query_get(query, "port", nth);
        if (!value)
            return 0;
        _cleanup_free_ char **parts = str_split(value, ',', NULL);
        for (char **part = parts; *part; part++) {
            int64_t port;
            if (f->n_ports == FORWARD_PORTS_MAX || !str_to_i64(*part, 1, UINT16_MAX, &port))
                return -1;
            f->ports[f->n_ports++] = (uint16_t)port;
        }
    }
}

static bool wants_channels(const struct http_exchange *x)
{
    return strcasecmp(str_or(http_get_header(x, "Upgrade"), ""), "websocket") == 0 &&
           !h1_has_token(str_or(http_get_header(x, "Sec-WebSocket-Protocol"), ""), TUNNELLED);
}

void portforward_serve(struct http_exchange *x, const struct forward_target *target)
{
    static const struct duplex_handler handler = {.data = on_data, .closed = on_closed, .drained = on_drained};
    static const struct stream_protocol over_spdy[] = {{"portforward.k8s.io", 1}, {NULL}};
    static const struct stream_protocol over_ws[] = {{TUNNELLED, 1}, {"v4.channel.k8s.io", 4}, {"", 4}, {NULL}};
    struct upgrade u;
    struct forward *f = NEW(struct forward);
    list_init(&f->tunnels);
    f->netns = xstrdup_or_null(target->netns);
    f->pod = xstrdup(target->pod);
    f->uid = xstrdup(target->uid);
    if (read_ports(f, http_query(x)) < 0 || (!f->n_ports && wants_channels(x))) {
        static const char why[] = "query parameter \"port\" is required, with numbers from 1 to 65535\n";
        http_reply(x, 400, "text/plain; charset=utf-8", why, sizeof(why) - 1);
        forward_free(f);
        return;
    }
    if (!upgrade_accept(x, over_spdy, over_ws, &u)) {
        forward_free(f);
        return;
    }
    f->duplex = u.duplex;
    uv_timer_init(duplex_loop(f->duplex), &f->timer);
    f->timer.data = f;
    f->protocol = !u.is_ws ? &forward_spdy : u.protocol == over_ws ? &forward_spdy_in_ws : &forward_channels;
    f->protocol->start(f);
    uv_timer_start(&f->timer, on_look, LOOK_MS, LOOK_MS);
    duplex_start(f->duplex, &handler, f);
}
