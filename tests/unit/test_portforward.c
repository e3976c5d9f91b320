/* http: port-forwarding, asked by a client made of the SPDY engine, bare or in WebSocket frames, over a real
 * connection; the ports are those of a server in this process. */
#include <ctype.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/duplex.h"
#include "http/portforward.h"
#include "http/spdy.h"
#include "t.h"

#define STREAMS_MAX 8

static uv_loop_t loop;
static uv_timer_t watchdog;
static struct buf story;
static struct http_server *server;
static struct forward_target target;

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "hangs; so far: %s\n", buf_str(&story));
    abort();
}

static void serve(void *arg, struct http_exchange *x)
{
    (void)arg;
    portforward_serve(x, &target);
}

/* --- the far side: one connection at a time matters --- */

static enum { FAR_ECHOES, FAR_BREAKS, FAR_SPEAKS_FIRST, FAR_SAYS_WHAT_IT_HEARD } far_mode;
static uv_tcp_t far_listener;
static int far_port, closed_port;
static struct buf far_got;

static void far_closed(uv_handle_t *h)
{
    free(h);
}

static void far_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    static char bytes[64 << 10];
    (void)h, (void)suggested;
    *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void far_shut(uv_shutdown_t *req, int status)
{
    (void)status;
    free(req);
}

static void far_say(uv_stream_t *s, const char *bytes, size_t len, bool last)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
    T_INT(uv_try_write(s, &buf, 1), (int)len);
    if (last)
        uv_shutdown(xcalloc(1, sizeof(uv_shutdown_t)), s, far_shut);
}

static void far_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0) {
        buf_adds(&far_got, n == UV_EOF ? "|" : "!");
        uv_close((uv_handle_t *)s, far_closed);
    } else if (far_mode == FAR_BREAKS) {
        uv_tcp_close_reset((uv_tcp_t *)s, far_closed);
    } else {
        buf_add(&far_got, buf->base, (size_t)n);
        if (far_mode == FAR_ECHOES)
            far_say(s, buf->base, (size_t)n, false);
        else if (far_mode == FAR_SAYS_WHAT_IT_HEARD)
            far_say(s, buf->base, (size_t)n, true);
    }
}

static void far_connected(uv_stream_t *listener, int status)
{
    uv_tcp_t *tcp = NEW(uv_tcp_t);
    (void)status;
    uv_tcp_init(&loop, tcp);
    uv_accept(listener, (uv_stream_t *)tcp);
    if (far_mode == FAR_SPEAKS_FIRST)
        far_say((uv_stream_t *)tcp, "bye", 3, true);
    uv_read_start((uv_stream_t *)tcp, far_alloc, far_read);
}

static int listen_on(uv_tcp_t *tcp, uv_connection_cb on_connection)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    uv_tcp_init(&loop, tcp);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(tcp, (struct sockaddr *)&address, 0);
    uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &len);
    if (on_connection)
        uv_listen((uv_stream_t *)tcp, 8, on_connection);
    return ntohs(address.sin_port);
}

/* --- the client --- */

struct client {
    const struct http_header *headers;
    void (*go)(struct client *c);
    struct duplex *duplex;
    struct spdy *spdy;
    bool in_ws, hangs_up, channels;
    struct buf frames; /* WebSocket, not yet taken apart */
    struct {
        uint32_t id;
        const char *name;
        struct buf got;
        const char *end;
    } streams[STREAMS_MAX];
    int n, n_over;
    const char *reply; /* sent when the first end has come */
};

/* With a mask of zeros. */
static void spdy_send(void *arg, const void *bytes, size_t len)
{
    struct client *c = arg;
    bool small = len < 126;
    unsigned char head[8] = {0x82, 0x80 | (unsigned char)(small ? len : 126)};
    head[2] = small ? 0 : (unsigned char)(len >> 8);
    head[3] = small ? 0 : (unsigned char)len;
    if (c->in_ws)
        duplex_write(c->duplex, head, small ? 6 : 8);
    duplex_write(c->duplex, bytes, len);
}

static void spdy_data(void *arg, uint32_t stream, const void *bytes, size_t len)
{
    struct client *c = arg;
    for (int i = 0; i < c->n; i++)
        if (c->streams[i].id == stream)
            buf_add(&c->streams[i].got, bytes, len);
    if (c->hangs_up)
        duplex_cut(c->duplex);
}

static void over(struct client *c, uint32_t stream, const char *how)
{
    for (int i = 0; i < c->n; i++)
        if (c->streams[i].id == stream)
            c->streams[i].end = how;
    if (c->reply && c->streams[1].id == stream)
        spdy_write(c->spdy, stream, c->reply, strlen(c->reply), true);
    if (++c->n_over == c->n)
        duplex_close(c->duplex);
}

static void spdy_fin(void *arg, uint32_t stream)
{
    over(arg, stream, ".");
}

static void spdy_reset_by(void *arg, uint32_t stream, uint32_t status)
{
    over(arg, stream, status == SPDY_REFUSED_STREAM ? "refused" : status == SPDY_CANCEL ? "cancelled" : "?");
}

static void client_data(void *arg, const void *bytes, size_t len)
{
    struct client *c = arg;
    if (!len) {
        duplex_close(c->duplex);
        return;
    }
    if (!c->in_ws) {
        T_INT(spdy_feed(c->spdy, bytes, len), 0);
        return;
    }
    struct buf *b = &c->frames;
    buf_add(b, bytes, len);
    while (b->len >= 2) {
        const unsigned char *p = (const unsigned char *)b->data;
        size_t n = p[1], head = 2;
        if (n == 126) {
            n = b->len >= 4 ? (size_t)p[2] << 8 | p[3] : SIZE_MAX / 2;
            head = 4;
        }
        if (b->len < head + n)
            return;
        if ((p[0] & 15) == 2 && c->channels)
            buf_add(&c->streams[p[head]].got, p + head + 1, n - 1);
        else if ((p[0] & 15) == 2)
            T_INT(spdy_feed(c->spdy, b->data + head, n), 0);
        buf_drop_front(b, head + n);
    }
}

static void client_closed(void *arg)
{
    struct client *c = arg;
    for (int i = 0; i < c->n; i++) {
        buf_addf(&story, "%s=%s%s; ", c->streams[i].name, buf_str(&c->streams[i].got), str_or(c->streams[i].end, ""));
        buf_done(&c->streams[i].got);
    }
    spdy_free(c->spdy);
    buf_done(&c->frames);
    http_server_free(server);
    uv_close((uv_handle_t *)&far_listener, NULL);
}

static void upgraded(void *arg, const struct http_header *headers, struct duplex *d)
{
    static const struct duplex_handler handler = {.data = client_data, .closed = client_closed};
    static const struct spdy_handler spdy = {
        .send = spdy_send, .data = spdy_data, .fin = spdy_fin, .reset = spdy_reset_by};
    struct client *c = arg;
    for (; headers->name; headers++) {
        c->in_ws |= streq(headers->value, "websocket");
        if (strstr(headers->name, "rotocol"))
            buf_addf(&story, "%s; ", headers->value);
    }
    c->duplex = d;
    c->spdy = spdy_new(SPDY_CLIENT, false, &spdy, c);
    duplex_start(d, &handler, c);
    c->go(c);
}

static void refused(void *arg, int code, const struct http_header *headers)
{
    (void)arg, (void)headers;
    buf_addf(&story, "%d; ", code);
}

static void call_done(void *arg, const struct err *err)
{
    (void)arg, (void)err;
    http_server_free(server);
    uv_close((uv_handle_t *)&far_listener, NULL);
}

static const struct http_header bare[] = {{"Connection", "Upgrade"},
                                          {"Upgrade", "SPDY/3.1"},
                                          {"X-Stream-Protocol-Version", "portforward.k8s.io"},
                                          {NULL, NULL}};
static const struct http_header in_ws[] = {{"Connection", "Upgrade"},
                                           {"Upgrade", "websocket"},
                                           {"Sec-WebSocket-Version", "13"},
                                           {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                           {"Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io"},
                                           {NULL, NULL}};

static const char *run(const struct http_header *headers, struct client *c)
{
    static const struct http_call_handler handler = {.upgraded = upgraded, .head = refused, .done = call_done};
    struct err err;
    int port;
    uv_tcp_t closed;
    buf_clear(&story);
    buf_clear(&far_got);
    far_port = listen_on(&far_listener, far_connected);
    closed_port = listen_on(&closed, NULL); /* bound: nobody else gets it; nobody listens */
    server = http_server_new(&loop, NULL, serve, NULL);
    T_INT(http_server_listen(server, -1, "127.0.0.1", 0, &port, &err), 0);
    char path[80] = "/portForward";
    if (c->channels)
        snprintf(path, sizeof(path), "/portForward?port=%d,%d", far_port, closed_port);
    struct http_call_spec spec = {
        .netns_fd = -1, .ip = "127.0.0.1", .port = port, .method = "GET", .target = path, .headers = headers};
    http_call_start(&loop, &spec, &handler, c);
    uv_timer_start(&watchdog, on_watchdog, 20000, 0);
    uv_unref((uv_handle_t *)&watchdog);
    uv_unref((uv_handle_t *)&closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_timer_stop(&watchdog);
    uv_close((uv_handle_t *)&closed, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return buf_str(&story);
}

/* NULL values are left out. */
static uint32_t open_stream(struct client *c, const char *name, const char *type, int port, const char *id)
{
    struct http_header headers[4];
    size_t n = 0;
    char number[16];
    snprintf(number, sizeof(number), "%d", port);
    if (type)
        headers[n++] = (struct http_header){"streamtype", type};
    headers[n++] = (struct http_header){"port", number};
    if (id)
        headers[n++] = (struct http_header){"requestid", id};
    headers[n] = (struct http_header){NULL, NULL};
    c->streams[c->n].name = name;
    return c->streams[c->n++].id = spdy_open(c->spdy, headers);
}

static uint32_t open_pair(struct client *c, int port, const char *id)
{
    uint32_t error = open_stream(c, "error", "error", port, id);
    spdy_write(c->spdy, error, "", 0, true);
    return open_stream(c, "data", "data", port, id);
}

/* --- what is asked --- */

static void two_echoes(struct client *c)
{
    uint32_t a = open_pair(c, far_port, "0"), b = open_pair(c, far_port, NULL);
    spdy_write(c->spdy, a, "hello", 5, false);
    spdy_write(c->spdy, b, "other", 5, true);
    spdy_write(c->spdy, a, " world", 6, true);
}

TEST(connections_over_both)
{
    far_mode = FAR_ECHOES;
    T_STR(run(bare, &(struct client){.go = two_echoes}),
          "portforward.k8s.io; error=.; data=hello world.; error=.; data=other.; ");
    T_STR(run(in_ws, &(struct client){.go = two_echoes}),
          "SPDY/3.1+portforward.k8s.io; error=.; data=hello world.; error=.; data=other.; ");
}

static void one_refused(struct client *c)
{
    uint32_t lost = open_pair(c, closed_port, "1");
    spdy_write(c->spdy, lost, "unheard", 7, true);
    spdy_write(c->spdy, open_pair(c, far_port, "2"), "heard", 5, true);
}

TEST(a_refused_port_does_not_end_the_session)
{
    far_mode = FAR_ECHOES;
    run(bare, &(struct client){.go = one_refused});
    _cleanup_free_ char *want = xasprintf(
        "portforward.k8s.io; error=error forwarding port %d to pod p, uid u: failed to execute portforward in network "
        "namespace \"host\": failed to connect to localhost:%d inside namespace \"host\": dial tcp4 127.0.0.1:%d: "
        "connect: connection refused.; data=.; error=.; data=heard.; ",
        closed_port, closed_port, closed_port);
    T_STR(buf_str(&story), want);
}

static void one_pair(struct client *c)
{
    spdy_write(c->spdy, open_pair(c, far_port, "7"), "x", 1, true);
}

TEST(a_namespace_that_is_gone)
{
    target.netns = "/nonexistent/net";
    run(in_ws, &(struct client){.go = one_pair});
    T_TRUE(strstr(buf_str(&story), "open network namespace /nonexistent/net: No such file or directory.; data=.; "));
    target.netns = NULL;
}

TEST(a_connection_that_breaks_is_reset)
{
    far_mode = FAR_BREAKS;
    T_STR(run(bare, &(struct client){.go = one_pair}), "portforward.k8s.io; error=.; data=cancelled; ");
}

static void one_open_pair(struct client *c)
{
    open_pair(c, far_port, "7");
}

TEST(the_far_side_may_end_first)
{
    far_mode = FAR_SPEAKS_FIRST;
    T_STR(run(bare, &(struct client){.go = one_open_pair, .reply = "still here"}),
          "portforward.k8s.io; error=.; data=bye.; ");
    T_STR(buf_str(&far_got), "still here|");
}

static void one_long_pair(struct client *c)
{
    spdy_write(c->spdy, open_pair(c, far_port, "7"), "x", 1, false);
}

TEST(a_client_that_goes_takes_its_connections_along)
{
    far_mode = FAR_ECHOES;
    run(bare, &(struct client){.go = one_long_pair, .hangs_up = true});
    T_INT(buf_str(&far_got)[0], 'x');
    T_INT(far_got.len, 2);
}

static void bad_streams(struct client *c)
{
    open_stream(c, "no type", NULL, far_port, "1");
    open_stream(c, "type", "stdin", far_port, "1");
    open_stream(c, "port 0", "data", 0, "1");
    open_stream(c, "port 65536", "data", 65536, "1");
    open_stream(c, "error", "error", far_port, "1");
    open_stream(c, "twice", "error", far_port, "1");
    uint32_t early = open_stream(c, "early", "data", far_port, "2");
    spdy_write(c->spdy, early, "no error stream yet", 19, false);
    spdy_write(c->spdy, open_stream(c, "data", "data", far_port, "1"), "fine", 4, true);
}

TEST(streams_that_make_no_pair)
{
    far_mode = FAR_ECHOES;
    T_STR(run(bare, &(struct client){.go = bad_streams}),
          "portforward.k8s.io; no type=refused; type=refused; port 0=refused; port 65536=refused; error=.; "
          "twice=refused; early=cancelled; data=fine.; ");
}

static void much(struct client *c)
{
    _cleanup_free_ char *bytes = xcalloc(1, 30000);
    uint32_t data = open_pair(c, far_port, "1");
    memset(bytes, 'm', 30000);
    for (int i = 0; i < 100; i++)
        spdy_write(c->spdy, data, bytes, 30000, i == 99);
}

/* 3 MB, more than what may wait anywhere. */
TEST(back_pressure)
{
    far_mode = FAR_SPEAKS_FIRST;
    run(bare, &(struct client){.go = much});
    T_INT(far_got.len, 3000001);
}

static void say_on_channel(struct client *c)
{
    static const char heard[] = "\x82\x86\0\0\0\0\0heard", nowhere[] = "\x82\x82\0\0\0\0\2x";
    static const char *const names[] = {"data", "error", "lost data", "lost error"};
    for (c->n = 0; c->n < 4; c->n++)
        c->streams[c->n].name = names[c->n];
    duplex_write(c->duplex, heard, sizeof(heard) - 1);
    duplex_write(c->duplex, nowhere, sizeof(nowhere) - 1);
}

static const char *port_bytes(int port)
{
    static char bytes[3];
    snprintf(bytes, sizeof(bytes), "%c%c", port & 0xff, port >> 8);
    return bytes;
}

/* The session ends with the last connection; a refused one before does not end it. */
TEST(channels_of_a_websocket)
{
    static const struct http_header headers[] = {{"Connection", "Upgrade"},
                                                 {"Upgrade", "websocket"},
                                                 {"Sec-WebSocket-Version", "13"},
                                                 {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                                 {"Sec-WebSocket-Protocol", "v4.channel.k8s.io"},
                                                 {NULL, NULL}};
    far_mode = FAR_SAYS_WHAT_IT_HEARD;
    run(headers, &(struct client){.go = say_on_channel, .channels = true});
    struct buf want = BUF_INIT(0);
    buf_addf(&want, "v4.channel.k8s.io; data=%sheard; ", port_bytes(far_port));
    buf_addf(&want, "error=%s; ", port_bytes(far_port));
    buf_addf(&want, "lost data=%s; ", port_bytes(closed_port));
    buf_addf(&want, "lost error=%serror forwarding port %d to pod p, uid u: ", port_bytes(closed_port), closed_port);
    T_TRUE(strncmp(buf_str(&story), want.data, want.len) == 0);
    T_TRUE(strstr(buf_str(&story), "connection refused"));
    buf_done(&want);
    T_STR(run(headers, &(struct client){.go = NULL}), "400; ");
}

TEST(no_agreement)
{
    static const struct http_header other[] = {{"Connection", "Upgrade"},
                                               {"Upgrade", "SPDY/3.1"},
                                               {"X-Stream-Protocol-Version", "v4.channel.k8s.io"},
                                               {NULL, NULL}};
    static const struct http_header none[] = {{NULL, NULL}};
    T_STR(run(other, &(struct client){.go = NULL}), "403; ");
    T_STR(run(none, &(struct client){.go = NULL}), "400; ");
}

int main(void)
{
    target = (struct forward_target){.pod = "p", .uid = "u"};
    uv_loop_init(&loop);
    uv_timer_init(&loop, &watchdog);
    RUN(connections_over_both);
    RUN(a_refused_port_does_not_end_the_session);
    RUN(a_namespace_that_is_gone);
    RUN(a_connection_that_breaks_is_reset);
    RUN(the_far_side_may_end_first);
    RUN(a_client_that_goes_takes_its_connections_along);
    RUN(streams_that_make_no_pair);
    RUN(back_pressure);
    RUN(channels_of_a_websocket);
    RUN(no_agreement);
    buf_done(&story);
    buf_done(&far_got);
    uv_close((uv_handle_t *)&watchdog, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
    return DONE();
}
