/* http: the HTTP/2 engine against nghttp2's own client, in memory. */
#include <nghttp2/nghttp2.h>

#include "base/alloc.h"
#include "http/h2.h"
#include "t.h"

#define BIG_SIZE (3 << 20)
static char *big;

static struct {
    struct h2 *h2;
    nghttp2_session *client;
    struct buf story;
    struct h2_stream *parked;
    uint64_t now;
    size_t got; /* bytes of answers */
    int code;   /* of the last answer */
    uint32_t closed_with, goaway;
    bool quiet; /* the client's window stays as it is */
} world;

/* --- the server's side --- */

static void on_request(void *arg, struct h2_stream *s)
{
    static const struct http_header headers[] = {{"X-Answer", "yes"}};
    (void)arg;
    buf_addf(&world.story, "%s %s %zu; ", s->method, s->target, s->body.len);
    if (strcmp(s->target, "/park") == 0) {
        world.parked = s;
    } else if (strcmp(s->target, "/stream") == 0) {
        h2_start(s, 200, headers, 1);
        h2_write(s, "one ", 4);
        world.parked = s;
    } else if (strcmp(s->target, "/fields") == 0) {
        for (const struct http_header *h = s->headers; h->name; h++)
            buf_addf(&world.story, "%s=%s; ", h->name, h->value);
        h2_reply(s, 200, headers, 1, "", 0, NULL, NULL);
    } else if (strcmp(s->target, "/big") == 0) {
        h2_reply(s, 200, headers, 1, big, BIG_SIZE, NULL, NULL);
    } else {
        h2_reply(s, 200, headers, 1, "hello", 5, NULL, NULL);
    }
}

static void on_refused(void *arg, struct h2_stream *s, int code, const char *why)
{
    (void)arg;
    buf_addf(&world.story, "refused %d; ", code);
    h2_reply(s, code, NULL, 0, why, strlen(why), NULL, NULL);
}

static void on_drained(void *arg, struct h2_stream *s)
{
    (void)arg;
    (void)s;
    buf_adds(&world.story, "drained; ");
}

static void on_closed(void *arg, struct h2_stream *s)
{
    (void)arg;
    if (s == world.parked)
        world.parked = NULL;
    buf_adds(&world.story, "closed; ");
}

/* --- the client's --- */

static int client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)session;
    (void)arg;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        world.goaway = frame->goaway.error_code;
    return 0;
}

static int client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                         const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    (void)session, (void)frame, (void)name_len, (void)value_len, (void)flags, (void)arg;
    if (strcmp((const char *)name, ":status") == 0)
        world.code = atoi((const char *)value);
    return 0;
}

static int client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *arg)
{
    (void)flags, (void)bytes, (void)arg;
    world.got += len;
    if (!world.quiet)
        nghttp2_session_consume(session, id, len);
    return 0;
}

static int client_closed(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)session, (void)id, (void)arg;
    world.closed_with = code;
    return 0;
}

static void start(void)
{
    static const struct h2_handler handler = {
        .request = on_request, .refused = on_refused, .drained = on_drained, .closed = on_closed};
    nghttp2_session_callbacks *c;
    nghttp2_option *o;
    buf_clear(&world.story);
    world.parked = NULL;
    world.now = 1000;
    world.got = 0;
    world.code = 0;
    world.closed_with = world.goaway = 999;
    world.quiet = false;
    world.h2 = h2_new(&handler, NULL);
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, client_frame);
    nghttp2_session_callbacks_set_on_header_callback(c, client_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, client_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, client_closed);
    nghttp2_option_new(&o);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_session_client_new2(&world.client, c, NULL, o);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(world.client, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void stop(void)
{
    h2_free(world.h2);
    nghttp2_session_del(world.client);
}

/* Until neither side has anything to say. */
static void talk(void)
{
    for (bool moved = true; moved;) {
        const uint8_t *bytes;
        ssize_t n;
        moved = false;
        while ((n = nghttp2_session_mem_send(world.client, &bytes)) > 0) {
            h2_feed(world.h2, bytes, (size_t)n, world.now);
            moved = true;
        }
        struct buf out = BUF_INIT(0);
        h2_output(world.h2, &out, 64 << 10, world.now);
        if (out.len) {
            moved = true;
            nghttp2_session_mem_recv(world.client, (const uint8_t *)out.data, out.len);
        }
        buf_done(&out);
    }
}

static size_t body_left;

static ssize_t client_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    (void)session, (void)id, (void)source, (void)arg;
    size_t n = body_left < room ? body_left : room;
    memset(to, 'b', n);
    body_left -= n;
    if (!body_left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int32_t ask(const char *method, const char *path, size_t body)
{
    const nghttp2_nv fields[] = {field(":method", method), field(":scheme", "https"), field(":authority", "c8s"),
                                 field(":path", path), field("x-a", "b")};
    nghttp2_data_provider provider = {.read_callback = client_body};
    body_left = body;
    return nghttp2_submit_request(world.client, NULL, fields, ARRAY_LEN(fields), body ? &provider : NULL, NULL);
}

/* --- stories --- */

TEST(a_request_and_its_answer)
{
    start();
    ask("GET", "/a?b=c", 0);
    talk();
    T_INT(world.code, 200);
    T_INT(world.got, 5);
    T_INT(world.closed_with, NGHTTP2_NO_ERROR);
    ask("POST", "/body", 100000);
    talk();
    T_STR(buf_str(&world.story), "GET /a?b=c 0; closed; POST /body 100000; closed; ");
    T_INT(h2_streams(world.h2), 0);
    stop();
}

TEST(blanks_around_a_value_are_not_its_own)
{
    const nghttp2_nv fields[] = {
        field(":method", "GET"),   field(":scheme", "https"),         field(":authority", "c8s"),
        field(":path", "/fields"), field("authorization", "Bearer "), field("x-a", " \tb c\t "),
        field("x-b", " ")};
    start();
    nghttp2_submit_request(world.client, NULL, fields, ARRAY_LEN(fields), NULL, NULL);
    talk();
    T_INT(world.code, 200);
    T_STR(buf_str(&world.story), "GET /fields 0; Host=c8s; authorization=Bearer; x-a=b c; x-b=; closed; ");
    stop();
}

TEST(answers_wait_for_the_window)
{
    start();
    world.quiet = true;
    int32_t id = ask("GET", "/big", 0);
    talk();
    T_INT(world.got, 65535);
    T_INT(h2_streams(world.h2), 1);
    world.quiet = false;
    nghttp2_session_consume(world.client, id, 65535);
    talk();
    T_INT(world.got, BIG_SIZE);
    T_STR(buf_str(&world.story), "GET /big 0; closed; ");
    stop();
}

TEST(pieces_leave_at_once_and_are_told)
{
    start();
    ask("GET", "/stream", 0);
    talk();
    T_INT(world.got, 4);
    h2_write(world.parked, "two", 3);
    T_INT(h2_pending(world.parked), 3);
    talk();
    T_INT(world.got, 7);
    h2_end(world.parked);
    talk();
    T_STR(buf_str(&world.story), "GET /stream 0; drained; drained; closed; ");
    stop();
}

TEST(either_side_may_give_up)
{
    start();
    int32_t id = ask("GET", "/park", 0);
    talk();
    nghttp2_submit_rst_stream(world.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    talk();
    T_TRUE(!world.parked);
    ask("GET", "/stream", 0);
    talk();
    h2_write(world.parked, big, BIG_SIZE);
    h2_reset(world.parked);
    T_INT(h2_pending(world.parked), 0);
    talk();
    T_INT(world.closed_with, NGHTTP2_CANCEL);
    ask("GET", "/park", 0);
    talk();
    buf_clear(&world.story);
    stop(); /* with a stream in progress */
    T_STR(buf_str(&world.story), "closed; ");
}

TEST(what_does_not_move_is_given_up)
{
    start();
    world.quiet = true;
    ask("GET", "/big", 0);
    ask("GET", "/park", 0);
    talk();
    h2_sweep(world.h2, world.now + 29000, 30000);
    talk();
    T_INT(h2_streams(world.h2), 2);
    h2_sweep(world.h2, world.now + 31000, 30000);
    talk();
    T_INT(h2_streams(world.h2), 1); /* the handler's time is its own */
    T_INT(world.closed_with, NGHTTP2_CANCEL);
    stop();
}

TEST(large_requests_are_refused)
{
    start();
    ask("POST", "/", HTTP_BODY_MAX + 1);
    talk();
    T_INT(world.code, 413);
    T_INT(world.closed_with, NGHTTP2_NO_ERROR);
    T_INT(h2_streams(world.h2), 0);
    nghttp2_nv fields[H1_HEADERS_MAX + 10] = {field(":method", "GET"), field(":scheme", "https"),
                                              field(":authority", "c8s"), field(":path", "/")};
    for (size_t i = 4; i < ARRAY_LEN(fields); i++)
        fields[i] = field("x-a", "b");
    nghttp2_submit_request(world.client, NULL, fields, ARRAY_LEN(fields), NULL, NULL);
    talk();
    T_INT(world.code, 431);
    T_STR(buf_str(&world.story), "refused 413; closed; refused 431; closed; ");
    stop();
}

TEST(floods_end_the_connection)
{
    start();
    for (int i = 0; i < 3 * H2_IDLE_FRAMES_BURST; i++) {
        nghttp2_submit_ping(world.client, NGHTTP2_FLAG_NONE, NULL);
        if (i % 100 == 0)
            talk();
    }
    T_INT(world.goaway, NGHTTP2_ENHANCE_YOUR_CALM);
    T_TRUE(h2_over(world.h2));
    stop();

    start();
    for (int i = 0; i < 2 * H2_RESETS_BURST && !h2_over(world.h2); i++) {
        int32_t id = ask("GET", "/park", 0);
        talk();
        nghttp2_submit_rst_stream(world.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        talk();
    }
    T_TRUE(h2_over(world.h2));
    T_TRUE(world.goaway != 999 && world.goaway != NGHTTP2_NO_ERROR);
    stop();
}

/* As Go's client does while its program reads a long log in small pieces. */
TEST(a_reader_may_tell_of_every_few_bytes)
{
    start();
    for (size_t read = 0; read < 24 * (1 << 20); read += BIG_SIZE) {
        ask("GET", "/big", 0);
        for (int i = 0; i < 4; i++)
            talk();
        world.now += 500;
        for (size_t told = 0; told < BIG_SIZE; told += 4096) {
            nghttp2_submit_window_update(world.client, NGHTTP2_FLAG_NONE, 0, 1);
            nghttp2_submit_window_update(world.client, NGHTTP2_FLAG_NONE, 0, 1); /* its stream is over */
        }
        talk();
    }
    T_TRUE(!h2_over(world.h2));
    stop();
}

TEST(pings_now_and_then_are_answered_for_ever)
{
    start();
    for (int i = 0; i < 3 * H2_IDLE_FRAMES_BURST; i++) {
        nghttp2_submit_ping(world.client, NGHTTP2_FLAG_NONE, NULL);
        world.now += 1000;
        talk();
    }
    T_TRUE(!h2_over(world.h2));
    h2_goaway(world.h2);
    talk();
    T_INT(world.goaway, NGHTTP2_NO_ERROR);
    stop();
}

TEST(what_is_no_http2_ends)
{
    start();
    T_TRUE(!h2_feed(world.h2, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 1));
    stop();
}

int main(void)
{
    big = xcalloc(1, BIG_SIZE);
    RUN(a_request_and_its_answer);
    RUN(blanks_around_a_value_are_not_its_own);
    RUN(answers_wait_for_the_window);
    RUN(pieces_leave_at_once_and_are_told);
    RUN(either_side_may_give_up);
    RUN(what_does_not_move_is_given_up);
    RUN(large_requests_are_refused);
    RUN(floods_end_the_connection);
    RUN(a_reader_may_tell_of_every_few_bytes);
    RUN(pings_now_and_then_are_answered_for_ever);
    RUN(what_is_no_http2_ends);
    buf_done(&world.story);
    free(big);
    return DONE();
}
