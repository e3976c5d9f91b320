/* See tcp.h. */
#include "dns/tcp.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "dns/wire.h"

#define CONNECTIONS_MAX 100    /* each holds a descriptor; TCP is for the few answers UDP cannot carry */
#define IDLE_MS 10000          /* RFC 7766 asks for seconds */
#define QUERY_MAX 4096         /* bytes */
#define OPEN_MAX 16            /* questions of one connection on their way */
#define UNSENT_MAX (256 << 10) /* bytes: a client that asks but does not read is let go */
#define BACKLOG 64

struct tcp_server {
    uv_tcp_t listener;
    struct resolver *resolver;
    struct list connections;
    int n_connections;
    bool closing;
};

struct connection {
    struct list link;
    uv_tcp_t tcp;
    uv_timer_t idle;
    struct tcp_server *server; /* NULL once it has been closed */
    int refs;                  /* its two handles, and every answer on its way */
    int n_open;
    bool closing;
    size_t in_len;
    uint8_t in[2 + QUERY_MAX];
};

struct reply {
    uv_write_t request;
    uint8_t bytes[];
};

static void connection_unref(struct connection *c)
{
    if (--c->refs == 0)
        free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
    connection_unref(handle->data);
}

static void connection_close(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    list_remove(&c->link);
    if (c->server)
        c->server->n_connections--;
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->idle, on_handle_closed);
}

static void on_idle(uv_timer_t *timer)
{
    connection_close(timer->data);
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *c = request->handle->data;
    free(container_of(request, struct reply, request));
    if (status < 0)
        connection_close(c);
}

static void reply_to(struct connection *c, const uint8_t *answer, size_t len)
{
    if (c->closing || !len)
        return;
    if (uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp) > UNSENT_MAX) {
        connection_close(c);
        return;
    }
    struct reply *r = xmalloc(sizeof(*r) + 2 + len);
    r->bytes[0] = (uint8_t)(len >> 8);
    r->bytes[1] = (uint8_t)len;
    memcpy(r->bytes + 2, answer, len);
    uv_buf_t buf = uv_buf_init((char *)r->bytes, (unsigned)(len + 2));
    if (uv_write(&r->request, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0) {
        free(r);
        connection_close(c);
    }
}

static void read_queries(struct connection *c);

static void on_late_answer(void *arg, const uint8_t *answer, size_t len)
{
    struct connection *c = arg;
    c->n_open--;
    reply_to(c, answer, len);
    if (!c->closing)
        read_queries(c); /* may have waited for a place */
    connection_unref(c);
}

static void on_query(struct connection *c, const uint8_t *query, size_t len)
{
    uint8_t out[WIRE_MAX];
    size_t out_len;
    struct sockaddr_storage from = {.ss_family = AF_INET};
    int from_len = sizeof(from);
    (void)uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &from_len); /* gone already: from 0.0.0.0 */
    if (resolver_answer(c->server->resolver, (struct sockaddr *)&from, query, len, true, out, &out_len)) {
        reply_to(c, out, out_len);
        return;
    }
    c->refs++;
    c->n_open++;
    resolver_ask(c->server->resolver, (struct sockaddr *)&from, query, len, true, on_late_answer, c);
}

/* Takes whole messages out of the buffer, as long as there is room for questions on their way. */
static void read_queries(struct connection *c)
{
    c->refs++; /* an answer may end it */
    while (!c->closing && c->n_open < OPEN_MAX && c->in_len >= 2) {
        size_t len = wire_u16(c->in);
        if (len > QUERY_MAX) {
            connection_close(c);
            break;
        }
        if (c->in_len < 2 + len)
            break;
        uint8_t query[QUERY_MAX];
        memcpy(query, c->in + 2, len);
        c->in_len -= 2 + len;
        memmove(c->in, c->in + 2 + len, c->in_len);
        on_query(c, query, len);
    }
    connection_unref(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)c->in + c->in_len, (unsigned)(sizeof(c->in) - c->in_len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    (void)buf;
    if (n == 0)
        return;
    if (n < 0) { /* its end, an error, or a full buffer: more questions than it may have open */
        connection_close(c);
        return;
    }
    c->in_len += (size_t)n;
    uv_timer_start(&c->idle, on_idle, IDLE_MS, 0);
    read_queries(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct tcp_server *t = listener->data;
    if (status < 0)
        return;
    struct connection *c = NEW(struct connection);
    c->server = t;
    c->refs = 2;
    list_append(&t->connections, &c->link);
    t->n_connections++;
    uv_tcp_init(listener->loop, &c->tcp);
    uv_timer_init(listener->loop, &c->idle);
    c->tcp.data = c->idle.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 || t->n_connections > CONNECTIONS_MAX) {
        connection_close(c);
        return;
    }
    uv_timer_start(&c->idle, on_idle, IDLE_MS, 0);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void on_listener_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct tcp_server *tcp_server_new(uv_loop_t *loop, int fd, struct resolver *r, struct err *err)
{
    struct tcp_server *t = NEW(struct tcp_server);
    t->resolver = r;
    list_init(&t->connections);
    uv_tcp_init(loop, &t->listener);
    t->listener.data = t;
    int e = uv_tcp_open(&t->listener, fd);
    if (e < 0)
        close(fd);
    else
        e = uv_listen((uv_stream_t *)&t->listener, BACKLOG, on_connection);
    if (e == 0)
        return t;
    err_set(err, -e, "listen for DNS over TCP");
    uv_close((uv_handle_t *)&t->listener, on_listener_closed);
    return NULL;
}

void tcp_server_close(struct tcp_server *t)
{
    if (!t)
        return;
    LIST_EACH(it, &t->connections) {
        struct connection *c = container_of(it, struct connection, link);
        connection_close(c);
        c->server = NULL;
    }
    uv_close((uv_handle_t *)&t->listener, on_listener_closed);
}
