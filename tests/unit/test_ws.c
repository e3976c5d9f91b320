/* http: WebSocket framing. */
#include "base/alloc.h"
#include "base/buf.h"
#include "http/ws.h"
#include "t.h"

static struct buf sent, story;

static void on_send(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    buf_add(&sent, bytes, len);
}

static void on_piece(void *arg, bool first, const void *bytes, size_t len)
{
    (void)arg;
    if (first)
        buf_addc(&story, '|');
    buf_add(&story, bytes, len);
}

static const struct ws_handler handler = {.send = on_send, .piece = on_piece};

/* A client's frame with a mask of 1, 2, 3, 4. */
static void put_frame(struct buf *b, int first_byte, const char *payload, size_t len)
{
    buf_addc(b, (char)first_byte);
    if (len < 126) {
        buf_addc(b, (char)(0x80 | len));
    } else {
        buf_addc(b, (char)(0x80 | 126));
        buf_addc(b, (char)(len >> 8));
        buf_addc(b, (char)len);
    }
    buf_add(b, "\1\2\3\4", 4);
    for (size_t i = 0; i < len; i++)
        buf_addc(b, (char)(payload[i] ^ (char)(i % 4 + 1)));
}

static int feed_in_pieces(struct ws *w, const struct buf *b, size_t piece)
{
    int rc = 0;
    for (size_t at = 0; at < b->len && rc == 0; at += piece) {
        size_t n = b->len - at < piece ? b->len - at : piece;
        char *exact = xmemdup(b->data + at, n);
        rc = ws_feed(w, exact, n);
        free(exact);
    }
    return rc;
}

static const size_t pieces[] = {1, 2, 3, 7, 100000};

TEST(accept_keys)
{
    char out[WS_ACCEPT_SIZE];
    T_STR(ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", out), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
    T_STR(ws_accept_key("", out), NULL);
    T_STR(ws_accept_key("dGhlIHNhbXBsZSBub25j", out), NULL);
    T_STR(ws_accept_key("not base64 at all!!!!!!!", out), NULL);
}

TEST(messages_fragments_and_pings)
{
    _cleanup_free_ char *large = xmalloc(3001);
    memset(large, 'x', 3000);
    large[3000] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct buf in = BUF_INIT(0), want = BUF_INIT(0);
        struct ws *w = ws_new(&handler, NULL);
        buf_clear(&sent);
        buf_clear(&story);
        put_frame(&in, 0x82, "hello", 5);
        put_frame(&in, 0x02, "frag", 4);
        put_frame(&in, 0x89, "ping", 4); /* between the fragments */
        put_frame(&in, 0x80, "ment", 4);
        put_frame(&in, 0x82, "", 0);
        put_frame(&in, 0x82, large, 3000);
        T_INT(feed_in_pieces(w, &in, pieces[i]), 0);
        buf_addf(&want, "|hello|fragment||%s", large);
        T_STR(buf_str(&story), want.data);
        T_INT(sent.len, 6);
        T_TRUE(sent.len == 6 && memcmp(sent.data, "\x8a\x04ping", 6) == 0);
        ws_free(w);
        buf_done(&in);
        buf_done(&want);
    }
}

TEST(writing)
{
    struct ws *w = ws_new(&handler, NULL);
    buf_clear(&sent);
    ws_write(w, false, "\1out", 4);
    ws_write(w, true, "text", 4);
    ws_ping(w);
    ws_close(w);
    ws_write(w, false, "late", 4);
    T_INT(sent.len, 18);
    T_TRUE(sent.len == 18 && memcmp(sent.data, "\x82\4\1out\x81\4text\x89\0\x88\2\x03\xe8", 18) == 0);
    ws_free(w);
}

TEST(the_end)
{
    static const struct {
        int first_byte;
        bool masked;
        const char *payload;
    } cases[] = {
        {0x88, true, "\x03\xe8"}, /* close */
        {0x83, true, "x"},        /* reserved opcode */
        {0xc2, true, "x"},        /* reserved bit */
        {0x80, true, "x"},        /* continues nothing */
        {0x09, true, "x"},        /* fragmented ping */
        {0x82, false, "x"},       /* not masked */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf in = BUF_INIT(0);
        struct ws *w = ws_new(&handler, NULL);
        buf_clear(&sent);
        if (cases[i].masked)
            put_frame(&in, cases[i].first_byte, cases[i].payload, strlen(cases[i].payload));
        else
            buf_add(&in, "\x82\1x", 3);
        T_INT(feed_in_pieces(w, &in, 1), -1);
        if (sent.len < 2 || sent.data[0] != '\x88')
            T_FAIL("case %zu: no close frame", i);
        ws_free(w);
        buf_done(&in);
    }
}

int main(void)
{
    RUN(accept_keys);
    RUN(messages_fragments_and_pings);
    RUN(writing);
    RUN(the_end);
    buf_done(&sent);
    buf_done(&story);
    return DONE();
}
