/* http: remote command streams, spoken to by a client made of the SPDY engine or of WebSocket frames over a real
 * connection. The command is a fake that echoes its input and ends at the end of it. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/remotecommand.h"
#include "http/spdy.h"
#include "t.h"

static uv_loop_t loop;
static uv_timer_t watchdog;
static struct buf story, handshake; /* what the handshake said comes first in what run() tells */
static struct http_server *server;
static int port;
static struct remote_streams *streams;
static struct remote_options options;
static int exit_code;
static const char *exit_message;

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "hangs; so far: %s\n", buf_str(&story));
    abort();
}

/* --- the command --- */

static void on_ready(void *arg)
{
    (void)arg;
    buf_adds(&story, "ready; ");
    remote_stdout(streams, "out", 3);
    remote_stderr(streams, "err", 3);
    if (!options.want_stdin)
        remote_finish(TAKE(streams), exit_code, exit_message);
}

static void on_stdin(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    if (len)
        remote_stdout(streams, bytes, len);
    else
        remote_finish(TAKE(streams), exit_code, exit_message);
}

static void on_resize(void *arg, int columns, int rows)
{
    (void)arg;
    buf_addf(&story, "%dx%d; ", columns, rows);
}

static void on_gone(void *arg)
{
    (void)arg;
    buf_adds(&story, "gone; ");
    streams = NULL;
}

static void serve(void *arg, struct http_exchange *x)
{
    static const struct remote_handler handler = {
        .ready = on_ready, .stdin_data = on_stdin, .resize = on_resize, .closed = on_gone};
    (void)arg;
    streams = remote_accept(x, &options, &handler, NULL);
}

/* --- the client --- */

struct client {
    const struct http_header *headers;
    const char *method;
    struct duplex *duplex;
    struct spdy *spdy;
    struct buf got[5]; /* by channel */
    uint32_t stream[5];
    int n_ended, n_expected;
    struct buf frames; /* WebSocket, not yet taken apart */
    const char *input; /* frames to send after the handshake */
    size_t input_len;
    bool hang_up;
};

static void story_channels(struct client *c)
{
    static const char *const names[] = {"stdin", "stdout", "stderr", "error", "resize"};
    for (int i = 0; i < 5; i++) {
        if (c->got[i].len)
            buf_addf(&story, "%s=%s; ", names[i], c->got[i].data);
        buf_done(&c->got[i]);
    }
}

static void client_closed(void *arg)
{
    struct client *c = arg;
    story_channels(c);
    spdy_free(c->spdy);
    buf_done(&c->frames);
    http_server_free(server);
}

static void spdy_send(void *arg, const void *bytes, size_t len)
{
    struct client *c = arg;
    duplex_write(c->duplex, bytes, len);
}

static void spdy_data(void *arg, uint32_t stream, const void *bytes, size_t len)
{
    struct client *c = arg;
    for (int i = 0; i < 5; i++)
        if (c->stream[i] == stream)
            buf_add(&c->got[i], bytes, len);
}

/* As kubectl: it closes when every stream has ended. */
static void spdy_fin(void *arg, uint32_t stream)
{
    struct client *c = arg;
    (void)stream;
    if (++c->n_ended == c->n_expected)
        duplex_close(c->duplex);
}

static void spdy_client_data(void *arg, const void *bytes, size_t len)
{
    struct client *c = arg;
    if (len && spdy_feed(c->spdy, bytes, len) < 0)
        buf_adds(&story, "broken; ");
    else if (!len)
        duplex_close(c->duplex);
}

static void open_stream(struct client *c, int channel, const char *type)
{
    const struct http_header headers[] = {{"streamtype", type}, {NULL, NULL}};
    c->stream[channel] = spdy_open(c->spdy, headers);
    c->n_expected++;
}

static void spdy_start(struct client *c)
{
    static const struct spdy_handler handler = {.send = spdy_send, .data = spdy_data, .fin = spdy_fin};
    c->spdy = spdy_new(SPDY_CLIENT, false, &handler, c);
    open_stream(c, 3, "error");
    if (options.want_stdin)
        open_stream(c, 0, "stdin");
    open_stream(c, 1, "stdout");
    if (options.tty)
        open_stream(c, 4, "resize");
    else
        open_stream(c, 2, "stderr");
    if (c->hang_up) {
        duplex_close(c->duplex);
        return;
    }
    if (options.tty)
        spdy_write(c->spdy, c->stream[4], "{\"Width\":80,\"Height\":24}\n{\"Wid", 30, false);
    if (options.tty)
        spdy_write(c->spdy, c->stream[4], "th\":100,\"Height\":30}\n{\"Width\":-1,\"Height\":1}", 44, false);
    if (options.want_stdin)
        spdy_write(c->spdy, c->stream[0], " in", 3, true);
}

/* Unmasked frames from the server. A close frame has fewer than 126 bytes, as has all we look at. */
static void ws_client_data(void *arg, const void *bytes, size_t len)
{
    struct client *c = arg;
    struct buf *b = &c->frames;
    buf_add(b, bytes, len);
    if (!len)
        duplex_close(c->duplex);
    while (b->len >= 2) {
        size_t n = (unsigned char)b->data[1], head = 2;
        if (n == 126 && b->len >= 4) {
            n = (size_t)(unsigned char)b->data[2] << 8 | (unsigned char)b->data[3];
            head = 4;
        }
        if (b->len < head + n)
            return;
        int opcode = b->data[0] & 15, channel = opcode == 1 ? b->data[head] - '0' : b->data[head];
        if (opcode == 8)
            duplex_close(c->duplex);
        else if (channel >= 0 && channel < 5)
            buf_add(&c->got[channel], b->data + head + 1, n - 1);
        buf_drop_front(b, head + n);
    }
}

static void upgraded(void *arg, const struct http_header *headers, struct duplex *d)
{
    static const struct duplex_handler spdy_handler = {.data = spdy_client_data, .closed = client_closed};
    static const struct duplex_handler ws_handler = {.data = ws_client_data, .closed = client_closed};
    struct client *c = arg;
    bool is_spdy = false;
    c->duplex = d;
    for (; headers->name; headers++) {
        is_spdy |= streq(headers->value, "SPDY/3.1");
        if (strstr(headers->name, "rotocol") || streq(headers->name, "Sec-WebSocket-Accept"))
            buf_addf(&handshake, "%s; ", headers->value);
    }
    duplex_start(d, is_spdy ? &spdy_handler : &ws_handler, c);
    if (is_spdy) {
        spdy_start(c);
        return;
    }
    duplex_write(d, c->input, c->input_len);
    if (c->hang_up)
        duplex_close(d);
}

static void head(void *arg, int code, const struct http_header *headers)
{
    (void)arg;
    buf_addf(&story, "%d; ", code);
    for (; headers->name; headers++)
        if (streq(headers->name, "X-Accepted-Stream-Protocol-Versions"))
            buf_addf(&story, "%s; ", headers->value);
}

static void body(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    buf_add(&story, bytes, len);
}

static void done(void *arg, const struct err *err)
{
    (void)arg;
    if (err)
        buf_addf(&story, "error %s; ", err->msg);
    http_server_free(server);
}

static const char *run(struct client *c)
{
    static const struct http_call_handler handler = {.upgraded = upgraded, .head = head, .data = body, .done = done};
    struct err err;
    buf_clear(&story);
    buf_clear(&handshake);
    server = http_server_new(&loop, NULL, serve, NULL);
    T_INT(http_server_listen(server, -1, "127.0.0.1", 0, &port, &err), 0);
    struct http_call_spec spec = {
        .netns_fd = -1, .ip = "127.0.0.1", .port = port, .method = c->method, .target = "/exec", .headers = c->headers};
    http_call_start(&loop, &spec, &handler, c);
    uv_timer_start(&watchdog, on_watchdog, 20000, 0);
    uv_unref((uv_handle_t *)&watchdog);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_timer_stop(&watchdog);
    buf_adds(&handshake, buf_str(&story));
    return buf_str(&handshake);
}

#define SUCCESS "{\"metadata\":{},\"status\":\"Success\"}"
#define FAILURE_3                                                                                                      \
    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with non-zero exit code: exit status "   \
    "3\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}"
#define FAILURE_RUN                                                                                                    \
    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"no such "                                                   \
    "container\",\"reason\":\"InternalError\",\"code\":500}"

/* --- SPDY --- */

#define SPDY_UPGRADE                                                                                                   \
    {"Connection", "Upgrade"},                                                                                         \
    {                                                                                                                  \
        "Upgrade", "SPDY/3.1"                                                                                          \
    }
#define VERSION "X-Stream-Protocol-Version"

static const struct http_header spdy_kubectl[] = {SPDY_UPGRADE,
                                                  {VERSION, "v4.channel.k8s.io"},
                                                  {VERSION, "v3.channel.k8s.io"},
                                                  {VERSION, "v2.channel.k8s.io"},
                                                  {VERSION, "channel.k8s.io"},
                                                  {NULL, NULL}};
static const struct http_header spdy_v2[] = {SPDY_UPGRADE, {VERSION, "v9, v2.channel.k8s.io"}, {NULL, NULL}};

TEST(over_spdy)
{
    static const struct {
        const struct http_header *headers;
        struct remote_options options;
        int exit_code;
        const char *message, *want;
    } cases[] = {
        {spdy_kubectl,
         {false, true, true, false},
         0,
         NULL,
         "v4.channel.k8s.io; ready; stdout=out; stderr=err; error=" SUCCESS "; "},
        {spdy_kubectl,
         {true, true, true, false},
         3,
         NULL,
         "v4.channel.k8s.io; ready; stdout=out in; stderr=err; error=" FAILURE_3 "; "},
        {spdy_kubectl,
         {true, true, false, true},
         -1,
         "no such container",
         "v4.channel.k8s.io; ready; 80x24; 100x30; stdout=out in; error=" FAILURE_RUN "; "},
        {spdy_v2, {true, true, true, false}, 0, NULL, "v2.channel.k8s.io; ready; stdout=out in; stderr=err; "},
        {spdy_v2,
         {true, true, true, false},
         3,
         NULL,
         "v2.channel.k8s.io; ready; stdout=out in; stderr=err; error=command terminated with exit code 3; "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client c = {.headers = cases[i].headers, .method = "POST"};
        options = cases[i].options;
        exit_code = cases[i].exit_code;
        exit_message = cases[i].message;
        T_STR(run(&c), cases[i].want);
    }
}

TEST(a_client_that_goes)
{
    options = (struct remote_options){true, true, true, false};
    struct client c = {.headers = spdy_kubectl, .method = "POST", .hang_up = true};
    T_STR(run(&c), "v4.channel.k8s.io; ready; gone; ");
}

/* --- WebSocket --- */

#define WS_UPGRADE                                                                                                     \
    {"Connection", "keep-alive, Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"},                  \
    {                                                                                                                  \
        "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="                                                                \
    }
#define PROTOCOL "Sec-WebSocket-Protocol"
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=; "
#define MASK "\0\0\0\0" /* leaves the bytes as they are */

static const struct http_header ws_v5[] = {WS_UPGRADE, {PROTOCOL, "v5.channel.k8s.io"}, {NULL, NULL}};
static const struct http_header ws_v4[] = {WS_UPGRADE, {PROTOCOL, "v4.channel.k8s.io"}, {NULL, NULL}};
static const struct http_header ws_base64[] = {WS_UPGRADE, {PROTOCOL, "x, v4.base64.channel.k8s.io"}, {NULL, NULL}};
static const struct http_header ws_unnamed[] = {WS_UPGRADE, {NULL, NULL}};

#define INPUT(s) s, sizeof(s) - 1

TEST(over_websocket)
{
    static const struct {
        const struct http_header *headers;
        struct remote_options options;
        int exit_code;
        const char *input;
        size_t input_len;
        const char *want;
    } cases[] = {
        {ws_v5,
         {false, true, true, false},
         0,
         INPUT(""),
         ACCEPT "v5.channel.k8s.io; ready; stdout=out; stderr=err; error=" SUCCESS "; "},
        {ws_v5,
         {true, true, true, false},
         3,
         INPUT("\x82\x84" MASK "\0 in\x82\x82" MASK "\xff\0"),
         ACCEPT "v5.channel.k8s.io; ready; stdout=out in; stderr=err; error=" FAILURE_3 "; "},
        {ws_v5,
         {true, true, false, true},
         0,
         INPUT("\x82\x99" MASK "\4{\"Width\":80,\"Height\":24}\x82\x82" MASK "\xff\0"),
         ACCEPT "v5.channel.k8s.io; ready; 80x24; stdout=out; error=" SUCCESS "; "},
        {ws_base64,
         {false, true, true, false},
         0,
         INPUT(""),
         ACCEPT "v4.base64.channel.k8s.io; ready; stdout=b3V0; stderr=ZXJy; "
                "error=eyJtZXRhZGF0YSI6e30sInN0YXR1cyI6IlN1Y2Nlc3MifQ==; "},
        {ws_unnamed, {false, true, true, false}, 0, INPUT(""), ACCEPT "ready; stdout=out; stderr=err; "},
        /* the client closes properly, in base64 after some input; or breaks the protocol */
        {ws_base64,
         {true, true, true, false},
         0,
         INPUT("\x81\x89" MASK "0aGVsbG8=\x88\x82" MASK "\x03\xe8"),
         ACCEPT "v4.base64.channel.k8s.io; ready; stdout=b3V0aGVsbG8=; stderr=ZXJy; gone; "},
        {ws_v4,
         {true, true, true, false},
         0,
         INPUT("rubbish"),
         ACCEPT "v4.channel.k8s.io; ready; stdout=out; stderr=err; gone; "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client c = {
            .headers = cases[i].headers, .method = "GET", .input = cases[i].input, .input_len = cases[i].input_len};
        options = cases[i].options;
        exit_code = cases[i].exit_code;
        exit_message = NULL;
        T_STR(run(&c), cases[i].want);
    }
}

/* --- no agreement --- */

TEST(refusals)
{
    static const struct http_header none[] = {{NULL, NULL}},
                                    h2c[] = {{"Connection", "Upgrade"}, {"Upgrade", "h2c"}, {NULL}};
    static const struct http_header no_version[] = {SPDY_UPGRADE, {NULL, NULL}};
    static const struct http_header other_version[] = {SPDY_UPGRADE, {VERSION, "v9.channel.k8s.io"}, {NULL, NULL}};
    static const struct http_header other_ws[] = {WS_UPGRADE, {PROTOCOL, "chat"}, {NULL, NULL}};
    static const struct http_header no_key[] = {
        {"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}, {NULL, NULL}};
    static const struct {
        const struct http_header *headers;
        const char *want;
    } cases[] = {
        {none, "400; unable to upgrade: missing upgrade headers in request\n"},
        {h2c, "400; unable to upgrade: unknown protocol in Upgrade\n"},
        {no_version, "400; unable to upgrade: X-Stream-Protocol-Version is required\n"},
        {other_version, "403; v4.channel.k8s.io; v3.channel.k8s.io; v2.channel.k8s.io; channel.k8s.io; "
                        "unable to upgrade: no known subprotocol was offered\n"},
        {other_ws, "403; unable to upgrade: no known subprotocol was offered\n"},
        {no_key, "400; unable to upgrade: not a WebSocket handshake\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct client c = {.headers = cases[i].headers, .method = "GET"};
        T_STR(run(&c), cases[i].want);
    }
}

int main(void)
{
    uv_loop_init(&loop);
    uv_timer_init(&loop, &watchdog);
    RUN(over_spdy);
    RUN(a_client_that_goes);
    RUN(over_websocket);
    RUN(refusals);
    buf_done(&story);
    buf_done(&handshake);
    uv_close((uv_handle_t *)&watchdog, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
    return DONE();
}
