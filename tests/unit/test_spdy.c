/* http: the SPDY/3.1 engine, a client against a server. What one sends is fed to the other only when pumped, whole or
 * byte by byte, so that no callback runs inside a call. */
#include "base/alloc.h"
#include "http/spdy.h"
#include "http/spdy_headers.h"
#include "t.h"

struct end {
    const char *name;
    struct spdy *spdy;
    struct buf wire; /* sent, not yet fed to the other */
    struct buf got;  /* data */
    bool hungry;     /* consumes what it gets */
    int result;
};
static struct buf story;
static struct end client, server;

static void on_send(void *arg, const void *bytes, size_t len)
{
    struct end *e = arg;
    buf_add(&e->wire, bytes, len);
}

static void tell_headers(const struct end *e, const char *what, uint32_t stream, const struct http_header *headers)
{
    buf_addf(&story, "%s %s %u", e->name, what, stream);
    for (; headers->name; headers++)
        buf_addf(&story, " %s=%s", headers->name, headers->value);
    buf_adds(&story, "; ");
}

static void on_opened(void *arg, uint32_t stream, const struct http_header *headers)
{
    tell_headers(arg, "opened", stream, headers);
}

static void on_replied(void *arg, uint32_t stream, const struct http_header *headers)
{
    tell_headers(arg, "replied", stream, headers);
}

static void on_data(void *arg, uint32_t stream, const void *bytes, size_t len)
{
    struct end *e = arg;
    buf_add(&e->got, bytes, len);
    if (e->hungry)
        spdy_consumed(e->spdy, stream, len);
}

static void on_fin(void *arg, uint32_t stream)
{
    const struct end *e = arg;
    buf_addf(&story, "%s fin %u after %zu; ", e->name, stream, e->got.len);
}

static void on_reset(void *arg, uint32_t stream, uint32_t status)
{
    const struct end *e = arg;
    buf_addf(&story, "%s reset %u %u; ", e->name, stream, status);
}

static void on_drained(void *arg, uint32_t stream)
{
    const struct end *e = arg;
    buf_addf(&story, "%s drained %u; ", e->name, stream);
}

static void on_pong(void *arg, uint32_t id)
{
    const struct end *e = arg;
    buf_addf(&story, "%s pong %u; ", e->name, id);
}

static void on_going_away(void *arg)
{
    const struct end *e = arg;
    buf_addf(&story, "%s told to go; ", e->name);
}

static const struct spdy_handler handler = {.send = on_send,
                                            .opened = on_opened,
                                            .replied = on_replied,
                                            .data = on_data,
                                            .fin = on_fin,
                                            .reset = on_reset,
                                            .pong = on_pong,
                                            .drained = on_drained,
                                            .going_away = on_going_away};

static void end_init(struct end *e, const char *name, enum spdy_side side, bool flow_control)
{
    *e = (struct end){.name = name, .hungry = true};
    e->spdy = spdy_new(side, flow_control, &handler, e);
}

static void start(bool flow_control)
{
    buf_clear(&story);
    end_init(&client, "client", SPDY_CLIENT, flow_control);
    end_init(&server, "server", SPDY_SERVER, flow_control);
}

static void stop(void)
{
    struct end *both[] = {&client, &server};
    for (size_t i = 0; i < 2; i++) {
        spdy_free(both[i]->spdy);
        buf_done(&both[i]->wire);
        buf_done(&both[i]->got);
    }
}

static void carry(struct end *from, struct end *to, size_t piece)
{
    struct buf bytes = from->wire;
    buf_init(&from->wire, 0);
    for (size_t at = 0; at < bytes.len; at += piece) {
        size_t n = bytes.len - at < piece ? bytes.len - at : piece;
        char *exact = xmemdup(bytes.data + at, n);
        to->result = spdy_feed(to->spdy, exact, n);
        free(exact);
    }
    buf_done(&bytes);
}

static void pump(size_t piece)
{
    while (client.wire.len || server.wire.len) {
        carry(&client, &server, piece);
        carry(&server, &client, piece);
    }
}

TEST(the_dictionary_is_the_protocols)
{
    const struct buf *d = spdy_dictionary();
    T_INT(d->len, 1423);
    T_INT(adler32(adler32(0, NULL, 0), (const Bytef *)d->data, (uInt)d->len), 0xe3c6a7c2);
}

static const struct http_header stdin_headers[] = {{"streamType", "stdin"}, {"X-Empty", ""}, {NULL, NULL}};
static const struct http_header reply_headers[] = {{"status", "200 OK"}, {NULL, NULL}};

static void converse(size_t piece)
{
    start(true);
    T_INT(spdy_open(client.spdy, stdin_headers), 1);
    T_INT(spdy_open(client.spdy, reply_headers), 3);
    pump(piece);
    spdy_reply(server.spdy, 1, reply_headers);
    spdy_reply(server.spdy, 3, NULL);
    spdy_write(client.spdy, 1, "hello", 5, true);
    pump(piece);
    spdy_write(server.spdy, 1, "to you", 6, false);
    spdy_write(server.spdy, 1, "", 0, true);
    spdy_write(server.spdy, 1, "too late", 8, false);
    spdy_ping(client.spdy);
    spdy_ping(server.spdy);
    spdy_ping(server.spdy);
    pump(piece);
    spdy_reset(server.spdy, 3, SPDY_CANCEL);
    spdy_go_away(server.spdy);
    pump(piece);
    T_STR(buf_str(&story), "server opened 1 streamtype=stdin x-empty=; server opened 3 status=200 OK; "
                           "server fin 1 after 5; client replied 1 status=200 OK; client replied 3; "
                           "client fin 1 after 6; client pong 1; server pong 2; server pong 4; "
                           "client reset 3 5; client told to go; ");
    T_STR(buf_str(&server.got), "hello");
    T_STR(buf_str(&client.got), "to you");
    stop();
}

TEST(a_conversation)
{
    converse(SIZE_MAX / 2);
}

TEST(a_conversation_byte_by_byte)
{
    converse(1);
}

#define BIG 300000

static char *pattern(void)
{
    char *bytes = xmalloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        bytes[i] = (char)(i * 31 >> 3);
    return bytes;
}

static bool same(const struct buf *got, const char *want, size_t len)
{
    return got->len == len && memcmp(got->data, want, len) == 0;
}

TEST(windows_hold_back_until_the_peer_has_consumed)
{
    _cleanup_free_ char *bytes = pattern();
    start(true);
    server.hungry = false;
    spdy_open(client.spdy, NULL);
    spdy_write(client.spdy, 1, bytes, BIG, true);
    pump(1000);
    T_INT(server.got.len, SPDY_WINDOW);
    T_INT(spdy_pending(client.spdy), BIG - SPDY_WINDOW);
    server.hungry = true;
    spdy_consumed(server.spdy, 1, SPDY_WINDOW);
    pump(1000);
    T_INT(spdy_pending(client.spdy), 0);
    T_TRUE(same(&server.got, bytes, BIG));
    T_STR(buf_str(&story), "server opened 1; client drained 1; server fin 1 after 300000; ");
    stop();
}

TEST(streams_share_the_sessions_window)
{
    _cleanup_free_ char *bytes = pattern();
    start(true);
    server.hungry = false;
    spdy_open(client.spdy, NULL);
    spdy_open(client.spdy, NULL);
    spdy_write(client.spdy, 1, bytes, 60000, false);
    spdy_write(client.spdy, 3, bytes, 60000, false);
    pump(SIZE_MAX / 2);
    T_INT(server.got.len, SPDY_WINDOW);
    /* what a reset stream had been sent still counts for the session */
    spdy_reset(server.spdy, 1, SPDY_CANCEL);
    spdy_consumed(server.spdy, 1, 60000);
    pump(SIZE_MAX / 2);
    T_INT(server.got.len, 120000);
    stop();
}

TEST(without_flow_control_nothing_waits)
{
    _cleanup_free_ char *bytes = pattern();
    start(false);
    server.hungry = false;
    spdy_open(client.spdy, NULL);
    spdy_write(client.spdy, 1, bytes, BIG, true);
    T_INT(spdy_pending(client.spdy), 0);
    pump(SIZE_MAX / 2);
    T_TRUE(same(&server.got, bytes, BIG));
    T_INT(server.result, 0);
    stop();
}

TEST(a_peer_that_ignores_the_window_is_stopped)
{
    _cleanup_free_ char *bytes = pattern();
    start(true);
    server.hungry = false;
    spdy_free(client.spdy);
    client.spdy = spdy_new(SPDY_CLIENT, false, &handler, &client);
    spdy_open(client.spdy, NULL);
    spdy_write(client.spdy, 1, bytes, BIG, false);
    pump(SIZE_MAX / 2);
    T_INT(server.result, -1);
    T_STR(buf_str(&story), "server opened 1; client told to go; ");
    stop();
}

TEST(streams_have_a_limit)
{
    start(false);
    for (int i = 0; i < SPDY_STREAMS_MAX; i++)
        T_INT(spdy_open(client.spdy, NULL), 2 * i + 1);
    T_INT(spdy_open(client.spdy, NULL), 0);
    pump(SIZE_MAX / 2);
    /* room at the client, none at the server */
    spdy_reset(client.spdy, 1, SPDY_CANCEL);
    client.wire.len = 0;
    T_INT(spdy_open(client.spdy, NULL), 2 * SPDY_STREAMS_MAX + 1);
    buf_clear(&story);
    pump(SIZE_MAX / 2);
    T_STR(buf_str(&story), "client reset 1025 3; ");
    stop();
}

/* Frames as bytes; all but the first end the session. */
TEST(broken_frames)
{
#define FRAME(bytes, want)                                                                                             \
    {                                                                                                                  \
        bytes, sizeof(bytes) - 1, want                                                                                 \
    }
    static const struct {
        const char *bytes;
        size_t len;
        int want;
    } cases[] = {
        FRAME("\x80\x03\x00\x63\x00\x00\x00\x02xx", 0),                                /* unknown type */
        FRAME("\x80\x03\x00\x04\x00\x00\x00\x0c\0\0\0\1\0\0\0\7\0\0\1\0", 0),          /* settings */
        FRAME("\0\0\0\x09\x01\0\0\3abc", 0),                                           /* data, no such stream */
        FRAME("\x80\x03\x00\x03\x00\x00\x00\x08\0\0\0\x09\0\0\0\1", 0),                /* reset, no such stream */
        FRAME("\x80\x02\x00\x06\x00\x00\x00\x04\0\0\0\1", -1),                         /* version 2 */
        FRAME("\x80\x03\x00\x06\x00\x00\x00\x02\0\1", -1),                             /* short ping */
        FRAME("\x80\x03\x00\x01\x00\x00\x00\x04\0\0\0\1", -1),                         /* short SYN_STREAM */
        FRAME("\x80\x03\x00\x01\x00\x00\x00\x0e\0\0\0\1\0\0\0\0\0\0rubb", -1),         /* not zlib */
        FRAME("\x80\x03\x00\x06\x00\x01\x00\x00", -1),                                 /* huge control frame */
        FRAME("\x80\x03\x00\x09\x00\x00\x00\x08\0\0\0\0\0\0\0\0", -1),                 /* window by 0 */
        FRAME("\x80\x03\x00\x09\x00\x00\x00\x08\0\0\0\0\x7f\xff\xff\xff", -1),         /* window too large */
        FRAME("\x80\x03\x00\x04\x00\x00\x00\x04\0\0\0\1", -1),                         /* settings cut short */
        FRAME("\x80\x03\x00\x04\x00\x00\x00\x0c\0\0\0\1\0\0\0\7\xff\xff\xff\xff", -1), /* window negative */
        FRAME("GET / HTTP/1.1\r\n\r\n", 0),                                            /* reads as a data frame */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        start(true);
        int result = spdy_feed(server.spdy, cases[i].bytes, cases[i].len);
        if (result != cases[i].want)
            T_FAIL("case %zu: got %d, want %d", i, result, cases[i].want);
        stop();
    }
}

static int decode(const struct http_header *headers, size_t n_bombs)
{
    struct spdy_headers out = {0}, in = {0};
    struct buf block = BUF_INIT(0), text;
    struct http_header got[SPDY_HEADERS_MAX + 1];
    struct http_header *many = xcalloc(n_bombs + 2, sizeof(*many));
    for (size_t i = 0; i < n_bombs; i++)
        many[i] = headers[0];
    spdy_headers_encode(&out, n_bombs ? many : headers, &block);
    int rc = spdy_headers_decode(&in, block.data, block.len, &text, got);
    spdy_headers_done(&out);
    spdy_headers_done(&in);
    buf_done(&block);
    buf_done(&text);
    free(many);
    return rc;
}

TEST(header_blocks_have_limits)
{
    _cleanup_free_ char *zeros = xcalloc(1, SPDY_BLOCK_MAX + 1);
    memset(zeros, '0', SPDY_BLOCK_MAX);
    const struct http_header bomb[] = {{"bomb", zeros}, {NULL, NULL}}, nameless[] = {{"", "x"}, {NULL, NULL}};
    const struct http_header small[] = {{"a", "b"}, {NULL, NULL}};
    T_INT(decode(small, 0), 0);
    T_INT(decode(bomb, 0), -1);
    T_INT(decode(nameless, 0), -1);
    T_INT(decode(small, SPDY_HEADERS_MAX), 0);
    T_INT(decode(small, SPDY_HEADERS_MAX + 1), -1);
}

int main(void)
{
    RUN(the_dictionary_is_the_protocols);
    RUN(a_conversation);
    RUN(a_conversation_byte_by_byte);
    RUN(windows_hold_back_until_the_peer_has_consumed);
    RUN(streams_share_the_sessions_window);
    RUN(without_flow_control_nothing_waits);
    RUN(a_peer_that_ignores_the_window_is_stopped);
    RUN(streams_have_a_limit);
    RUN(broken_frames);
    RUN(header_blocks_have_limits);
    buf_done(&story);
    return DONE();
}
