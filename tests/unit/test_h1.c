/* http: the HTTP/1.1 parser. Each case is fed whole and split at every byte; both must tell the same story. */
#include "base/alloc.h"
#include "http/h1.h"
#include "t.h"

/* The story of some bytes, as text: "HEAD GET /x 1 [Host=a]; BODY abc; END; BAD 400 why". */
static void tell(struct h1 *p, enum h1_event event, struct buf *story, struct buf *body)
{
    if (event != H1_BODY && body->len) {
        buf_addf(story, "BODY %s; ", buf_str(body));
        buf_clear(body);
    }
    switch (event) {
    case H1_HEAD:
        if (p->is_response)
            buf_addf(story, "HEAD %d", p->code);
        else
            buf_addf(story, "HEAD %s %s", p->method, p->target);
        for (size_t i = 0; i < p->n_headers; i++)
            buf_addf(story, " [%s=%s]", p->headers[i].name, p->headers[i].value);
        buf_addf(story, "%s%s%s; ", p->keep_alive ? "" : " close", p->upgrade ? " upgrade" : "",
                 p->expects_continue ? " continue" : "");
        break;
    case H1_BODY:
        buf_add(body, p->body, p->body_len);
        break;
    case H1_END:
        buf_adds(story, "END; ");
        break;
    case H1_BAD:
        buf_addf(story, "BAD %d %s; ", p->bad_code, p->bad_why);
        break;
    case H1_NEED_MORE:
        break;
    }
}

static void feed(struct h1 *p, const char *bytes, size_t len, struct buf *story, struct buf *body)
{
    for (;;) {
        enum h1_event event = h1_feed(p, &bytes, &len);
        if (event == H1_NEED_MORE || (event == H1_BAD && strstr(buf_str(story), "BAD")))
            return;
        tell(p, event, story, body);
        if (event == H1_END)
            h1_next(p);
    }
}

static char *story_of(const char *bytes, size_t split, bool response, bool to_head, bool eof)
{
    struct h1 p;
    struct buf story = BUF_INIT(0), body = BUF_INIT(0);
    if (response)
        h1_init_response(&p, to_head);
    else
        h1_init_request(&p);
    size_t len = strlen(bytes);
    /* pieces of their own, exactly sized, so that ASan sees overreads */
    char *first = xmemdup(bytes, split ? split : 1), *second = xmemdup(bytes + split, len - split ? len - split : 1);
    feed(&p, first, split, &story, &body);
    feed(&p, second, len - split, &story, &body);
    if (eof && !strstr(buf_str(&story), "BAD"))
        tell(&p, h1_feed_eof(&p), &story, &body);
    if (body.len)
        buf_addf(&story, "BODY %s; ", body.data);
    free(first);
    free(second);
    buf_done(&body);
    h1_done(&p);
    return buf_take(&story);
}

struct message {
    const char *bytes, *want;
};

static void check(const struct message *cases, size_t n, bool response, bool to_head, bool eof)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t split = 0; split <= strlen(cases[i].bytes); split++) {
            _cleanup_free_ char *got = story_of(cases[i].bytes, split, response, to_head, eof);
            if (strcmp(got, cases[i].want) != 0) {
                T_FAIL("case %zu split at %zu:\n   got  %s\n   want %s", i, split, got, cases[i].want);
                break;
            }
        }
    }
}

TEST(good_requests)
{
    static const struct message cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD GET / [Host=a]; END; "},
        {"GET /a?b=c%20d HTTP/1.1\r\nhost:a\r\nX-Y: \t v w \t\r\n\r\n",
         "HEAD GET /a?b=c%20d [host=a] [X-Y=v w]; END; "},
        {"GET http://a.b:80/x HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD GET /x [Host=a]; END; "},
        {"GET / HTTP/1.0\r\n\r\n", "HEAD GET / close; END; "},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HEAD GET / [Connection=keep-alive]; END; "},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n",
         "HEAD GET / [Host=a] [Connection=foo, Close] close; END; "},
        {"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
         "HEAD POST /p [Host=a] [Content-Length=5]; BODY hello; END; "},
        {"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HEAD POST /p [Host=a] [Content-Length=0]; END; "},
        {"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
         "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
         "HEAD POST /p [Host=a] [Transfer-Encoding=chunked]; BODY abc0123456789; END; "},
        {"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n03 \r\nabc\r\n000\r\nTrailer: x\r\nMore: "
         "y\r\n\r\n",
         "HEAD POST /p [Host=a] [Transfer-Encoding=Chunked]; BODY abc; END; "},
        {"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
         "HEAD PUT / [Host=a] [Expect=100-continue] [Content-Length=1] continue; BODY x; END; "},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n",
         "HEAD GET / [Host=a] [Upgrade=SPDY/3.1] [Connection=Upgrade] upgrade; END; "},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: SPDY/3.1\r\n\r\n", "HEAD GET / [Host=a] [Upgrade=SPDY/3.1]; END; "},
        {"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
         "HEAD GET /1 [Host=a]; END; HEAD GET /2 [Host=b]; END; "},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "HEAD GET / [Host=]; END; "},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\r\n\r\n", "HEAD GET / [Host=a] [X=\xc3\xa4]; END; "},
    };
    check(cases, ARRAY_LEN(cases), false, false, false);
}

#define HOST "Host: a\r\n"
#define CHUNKED "HEAD POST / [Host=a] [Transfer-Encoding=chunked]; "

TEST(bad_requests)
{
    static const struct message cases[] = {
        {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "BAD 400 empty line before the message; "},
        {"GET / HTTP/1.1\n" HOST "\n", "BAD 400 line without CRLF; "},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", "BAD 400 line without CRLF; "},
        {"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "BAD 400 control character in a header; "},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", "BAD 400 folded header; "},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "BAD 400 folded header; "},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "BAD 400 bad header name; "},
        {"GET / HTTP/1.1\r\n: a\r\n\r\n", "BAD 400 bad header name; "},
        {"GET / HTTP/1.1\r\nHost\r\n\r\n", "BAD 400 bad header name; "},
        {"GET / HTTP/1.1\r\nX: \x01\r\n\r\n", "BAD 400 control character in a header; "},
        {"GET / HTTP/1.1\r\n\r\n", "BAD 400 no Host header; "},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "BAD 400 more than one Host; "},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", "BAD 400 bad request target; "},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", "BAD 400 bad HTTP version; "},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", "BAD 400 bad HTTP version; "},
        {"GET / http/1.1\r\n" HOST "\r\n", "BAD 400 bad HTTP version; "},
        {"GET /\r\n\r\n", "BAD 400 bad request line; "},
        {"GET x HTTP/1.1\r\n" HOST "\r\n", "BAD 400 bad request target; "},
        {"GET http://a HTTP/1.1\r\n" HOST "\r\n", "BAD 400 bad request target; "},
        {"GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", "BAD 400 bad character in request target; "},
        {"G@T / HTTP/1.1\r\n" HOST "\r\n", "BAD 400 bad method; "},
        {"\x16\x03\x01\x02\r\n\r\n", "BAD 400 bad request line; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
         "BAD 400 more than one Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", "BAD 400 bad Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", "BAD 400 bad Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: -0\r\n\r\n", "BAD 400 bad Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", "BAD 400 bad Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", "BAD 400 bad Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", "BAD 400 bad Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", "BAD 400 bad Content-Length; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
         "BAD 400 both Content-Length and Transfer-Encoding; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         "BAD 400 more than one Transfer-Encoding; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", "BAD 400 unknown Transfer-Encoding; "},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "BAD 400 Transfer-Encoding in HTTP/1.0; "},
        {"PUT / HTTP/1.1\r\n" HOST "Expect: miracles\r\n\r\n", "BAD 417 unknown expectation; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx", CHUNKED "BAD 400 chunk without a size; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\n", CHUNKED "BAD 400 chunk without a size; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\nabc", CHUNKED "BAD 400 bad chunk size; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3;\nabc",
         CHUNKED "BAD 400 control character in a chunk extension; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x3\r\n", CHUNKED "BAD 400 bad chunk size; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-3\r\n",
         CHUNKED "BAD 400 chunk without a size; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\rxabc",
         CHUNKED "BAD 400 bad line end in a chunked body; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
         CHUNKED "BODY a; BAD 400 bad line end in a chunked body; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
         CHUNKED "BAD 400 chunk too large; "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n",
         CHUNKED "BAD 400 control character in a trailer; "},
    };
    check(cases, ARRAY_LEN(cases), false, false, false);
}

TEST(responses)
{
    static const struct message cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HEAD 200 [Content-Length=2]; BODY hi; END; "},
        {"HTTP/1.1 204 No Content\r\n\r\n", "HEAD 204; END; "},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HEAD 200 [Content-Length=0]; END; "},
        {"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "HEAD 304 [Content-Length=9]; END; "},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
         "HEAD 100; END; HEAD 201 [Transfer-Encoding=chunked]; BODY ok; END; "},
        {"HTTP/1.1 200 OK\r\n\r\nuntil close", "HEAD 200 close; BODY until close; END; "},
        {"HTTP/1.0 404 Not Found\r\n\r\n", "HEAD 404 close; END; "},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
         "HEAD 200 [Content-Length=3]; BODY hi; BAD 400 connection closed inside a message; "},
        {"HTTP/1.1 2000 OK\r\n\r\n", "BAD 400 bad status line; "},
        {"HTTP/1.1 099 OK\r\n\r\n", "BAD 400 bad status code; "},
        {"HTTX/1.1 200 OK\r\n\r\n", "BAD 400 bad HTTP version; "},
        {"ICY 200 OK\r\n\r\n", "BAD 400 bad status line; "},
        {"HTTP/1.1 -20 OK\r\n\r\n", "BAD 400 bad status code; "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool until_close = strstr(cases[i].want, " close;") || strstr(cases[i].want, "inside");
        check(&cases[i], 1, true, false, until_close);
    }
    static const struct message to_head[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD 200 [Content-Length=5]; END; "}};
    check(to_head, 1, true, true, false);
}

static char *head_with(size_t n_headers, size_t value_len)
{
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 0; i < n_headers; i++) {
        buf_addf(&b, "X-%zu: ", i);
        for (size_t k = 0; k < value_len; k++)
            buf_addc(&b, 'v');
        buf_adds(&b, "\r\n");
    }
    buf_adds(&b, "\r\n");
    return buf_take(&b);
}

TEST(limits)
{
    static const struct {
        size_t n_headers, value_len;
        int bad_code;
    } cases[] = {
        {H1_HEADERS_MAX - 1, 1, 0}, {H1_HEADERS_MAX, 1, 431}, {1, H1_HEAD_MAX - 100, 0}, {1, H1_HEAD_MAX, 431}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct h1 p;
        _cleanup_free_ char *text = head_with(cases[i].n_headers, cases[i].value_len);
        const char *in = text;
        size_t len = strlen(text);
        h1_init_request(&p);
        T_INT(h1_feed(&p, &in, &len), cases[i].bad_code ? H1_BAD : H1_HEAD);
        T_INT(p.bad_code, cases[i].bad_code);
        h1_done(&p);
    }
}

TEST(a_line_in_a_chunked_body_has_a_limit)
{
    struct h1 p;
    struct buf b = BUF_INIT(0);
    buf_adds(&b, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;");
    for (int i = 0; i < H1_LINE_MAX; i++)
        buf_addc(&b, 'x');
    const char *in = b.data;
    size_t len = b.len;
    h1_init_request(&p);
    T_INT(h1_feed(&p, &in, &len), H1_HEAD);
    T_INT(h1_feed(&p, &in, &len), H1_BAD);
    T_STR(p.bad_why, "line too long in a chunked body");
    h1_done(&p);
    buf_done(&b);
}

TEST(headers_and_their_tokens)
{
    struct h1 p;
    const char *in = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\n\r\n";
    size_t len = strlen(in);
    h1_init_request(&p);
    T_INT(h1_feed(&p, &in, &len), H1_HEAD);
    T_INT(p.n_headers, 3);
    T_STR(p.headers[1].value, "1");
    T_STR(p.headers[2].name, "x");
    T_TRUE(p.headers[p.n_headers].name == NULL);
    h1_done(&p);
    T_TRUE(h1_has_token("a, B ,c", "b"));
    T_TRUE(!h1_has_token("ab, c", "a"));
    T_TRUE(!h1_has_token("", "a"));
}

int main(void)
{
    RUN(good_requests);
    RUN(bad_requests);
    RUN(responses);
    RUN(limits);
    RUN(a_line_in_a_chunked_body_has_a_limit);
    RUN(headers_and_their_tokens);
    return DONE();
}
