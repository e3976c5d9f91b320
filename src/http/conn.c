/* See conn.h: a connection's beginning, its clock and its end. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/str.h"
#include "http/conn_internal.h"

/* --- the clock --- */

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

void conn_wake(struct conn *c)
{
    if (c->freed || c->wake)
        return;
    c->wake = true;
    start_timer(c, uv_now(c->tcp.loop));
}

void conn_set_timer(struct conn *c, unsigned ms, unsigned idle_ms)
{
    c->last_active = uv_now(c->tcp.loop);
    c->deadline = ms ? c->last_active + ms : 0;
    c->idle_ms = idle_ms;
    arm(c);
}

void conn_deadline(struct conn *c, unsigned ms)
{
    if (!c->finishing)
        conn_set_timer(c, ms, 0);
}

void conn_idle_deadline(struct conn *c, unsigned ms)
{
    if (!c->finishing)
        conn_set_timer(c, ms, ms);
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
            conn_deliver_unread(c);
    }
    if (c->freed)
        return;
    if (c->deadline && c->idle_ms && c->last_active + c->idle_ms > c->deadline)
        c->deadline = c->last_active + c->idle_ms;
    if (c->deadline && c->deadline <= now && !c->has_failed) {
        c->deadline = 0;
        conn_fail(c, ETIMEDOUT, c->is_open ? "connection" : "connect");
    }
    arm(c);
}

/* --- the end --- */

void conn_fail(struct conn *c, int code, const char *what)
{
    if (c->has_failed || c->freed)
        return;
    c->has_failed = true;
    if (!c->why && !c->finishing) {
        c->why = NEW(struct err);
        err_set(c->why, code, "%s", what);
    }
    conn_update_reading(c);
    conn_wake(c);
}

void conn_fail_uv(struct conn *c, int rc, const char *what)
{
    conn_fail(c, rc == UV_EOF ? ECONNRESET : -rc, what);
}

void conn_fail_tls(struct conn *c, const struct err *err)
{
    conn_fail(c, err->code, err->msg);
}

void conn_cut(struct conn *c)
{
    if (c->has_failed)
        conn_wake(c); /* tells the owner again */
    else
        conn_fail(c, ECONNABORTED, "connection cut");
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (--c->handles_open)
        return;
    conn_drop_output(c);
    if (c->has_tls)
        tls_done(&c->tls);
    buf_done(&c->unread);
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

/* --- beginnings --- */

void conn_opened(struct conn *c)
{
    c->is_open = true;
    if (c->h->open)
        c->h->open(c->arg);
    if (c->freed)
        return;
    conn_pump(c);
    conn_shut_when_drained(c);
}

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
    conn_update_reading(c);
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
        conn_fail_uv(c, status, "connect");
        return;
    }
    c->connected = true;
    uv_tcp_nodelay(&c->tcp, 1);
    if (c->has_tls && tls_handshake(&c->tls, &err) == TLS_FAILED)
        conn_fail_tls(c, &err);
    else if (c->has_tls)
        conn_pump(c);
    else
        conn_opened(c);
    conn_update_reading(c);
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
        conn_fail_uv(c, rc, "connect");
    }
    return c;
}

void conn_limit_silence(struct conn *c, unsigned ms)
{
    int fd;
    uv_tcp_keepalive(&c->tcp, 1, ms > 2000 ? ms / 2000 : 1);
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
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
    const char *v4 = str_after(out, "::ffff:"); /* of a listener for both families */
    if (v4 && strchr(v4, '.'))
        memmove(out, v4, strlen(v4) + 1);
}

X509 *conn_peer_cert(const struct conn *c)
{
    return c->has_tls ? tls_peer_cert(&c->tls) : NULL;
}

bool conn_agreed_on(const struct conn *c, const char *protocol)
{
    return c->has_tls && tls_agreed_on(&c->tls, protocol);
}
