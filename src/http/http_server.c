/* Servers: listeners, and the lives of the connections they accept. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "http/duplex.h"
#include "http/http_internal.h"

/* Each costs a file descriptor and, over TLS, some 20 KiB. 100 watchers on each of 20 kinds fit twice. */
#define CONNECTIONS_MAX 4096
#define BACKLOG 1024

/* How often stalled streams and idle connections are looked for; their limits are longer. */
#define TICK_MS 5000

struct listener {
    struct list link;
    uv_tcp_t tcp;
    struct http_server *server;
};

static void server_unref(void *arg)
{
    struct http_server *s = arg;
    if (--s->refs == 0)
        free(s);
}

static void on_tick(uv_timer_t *timer)
{
    struct http_server *s = timer->data;
    uint64_t now = uv_now(s->loop);
    LIST_EACH(it, &s->sessions) {
        struct http_session *session = container_of(it, struct http_session, link);
        if (session->tick)
            session->tick(session, now);
    }
}

static void on_tick_closed(uv_handle_t *timer)
{
    server_unref(timer->data);
}

static void conn_released(void *arg)
{
    struct http_server *s = arg;
    s->n_conns--;
    server_unref(s);
}

/* --- listening --- */

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    struct http_server *s = l->server;
    if (status < 0 || s->closed)
        return;
    struct http_session *session = http1_session_new(stream, s->tls);
    if (!session)
        return;
    if (s->n_conns >= CONNECTIONS_MAX) {
        session->close(session);
        return;
    }
    conn_on_release(session->conn, conn_released, s);
    s->refs++;
    s->n_conns++;
    session->server = s;
    list_append(&s->sessions, &session->link);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    server_unref(l->server);
    free(l);
}

static int listen_on(struct listener *l, const char *ip, int port, int *ret_port)
{
    struct sockaddr_storage address;
    int len = sizeof(address);
    bool v6 = uv_ip4_addr(ip, port, (struct sockaddr_in *)&address) < 0;
    int rc = v6 ? uv_ip6_addr(ip, port, (struct sockaddr_in6 *)&address) : 0;
    if (rc == 0)
        rc = uv_tcp_bind(&l->tcp, (struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (rc == 0 && ret_port) {
        rc = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&address, &len);
        /* the port lies at the same place in both families */
        *ret_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    }
    return rc;
}

int http_server_listen(struct http_server *s, int netns_fd, const char *ip, int port, int *ret_port, struct err *err)
{
    struct listener *l = NEW(struct listener);
    NETNS_SCOPE(netns_fd); /* the socket is made by bind */
    uv_tcp_init(s->loop, &l->tcp);
    l->tcp.data = l;
    l->server = s;
    s->refs++;
    list_append(&s->listeners, &l->link);
    int rc = listen_on(l, ip, port, ret_port);
    if (rc == 0)
        return 0;
    list_remove(&l->link);
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
    return err_set(err, -rc, "listen on %s port %d", ip, port);
}

struct http_server *http_server_new(uv_loop_t *loop, SSL_CTX *tls, http_handler_fn *handler, void *arg)
{
    struct http_server *s = NEW(struct http_server);
    *s = (struct http_server){.loop = loop, .tls = tls, .handler = handler, .arg = arg, .refs = 2};
    uv_timer_init(loop, &s->tick);
    s->tick.data = s;
    uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
    uv_unref((uv_handle_t *)&s->tick); /* alone it is no reason to go on */
    list_init(&s->listeners);
    list_init(&s->sessions);
    list_init(&s->upgraded);
    return s;
}

void http_server_set_refusal(struct http_server *s, http_refusal_fn *refusal)
{
    s->refusal = refusal;
}

void http_server_set_streams(struct http_server *s, http_streams_fn *streams)
{
    s->streams = streams;
}

void http_server_free(struct http_server *s)
{
    if (!s || s->closed)
        return;
    s->closed = true;
    LIST_EACH(it, &s->listeners) {
        uv_close((uv_handle_t *)&container_of(it, struct listener, link)->tcp, on_listener_closed);
    }
    LIST_EACH(it, &s->sessions) {
        struct http_session *session = container_of(it, struct http_session, link);
        list_remove(&session->link);
        session->server = NULL;
        session->close(session);
    }
    duplex_cut_all(&s->upgraded);
    uv_close((uv_handle_t *)&s->tick, on_tick_closed);
    server_unref(s);
}
