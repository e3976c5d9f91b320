/* http: server, client and duplex streams over loopback, plain and TLS. Every test runs the loop until its story is
 * over; a watchdog ends a story that hangs. */
#include <signal.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"
#include "t.h"

static uv_loop_t loop;
static uv_timer_t watchdog;
static struct buf story; /* what happened, in order */

#define BIG_SIZE (8 << 20)
static char *big; /* more than socket buffers hold */

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "hangs; so far: %s\n", buf_str(&story));
    abort();
}

/* --- a server whose path says what to do --- */

struct world {
    struct http_server *server;
    int port;
    SSL_CTX *server_tls, *client_tls;
    struct http_exchange *parked;
    struct duplex *duplex;
    int answers_left; /* the server goes when all have come */
};
static struct world world;

static void gone(void *arg)
{
    (void)arg;
    buf_adds(&story, "gone; ");
    world.parked = NULL;
    http_server_free(world.server);
}

static void echo_data(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    if (len)
        duplex_write(world.duplex, bytes, len);
    else
        duplex_shutdown(world.duplex);
}

static void echo_closed(void *arg)
{
    (void)arg;
    buf_adds(&story, "server closed; ");
    world.duplex = NULL;
}

static const struct duplex_handler echo = {.data = echo_data, .closed = echo_closed};

static void release(void *arg)
{
    buf_addf(&story, "released %s; ", (const char *)arg);
}

static void serve(void *arg, struct http_exchange *x)
{
    (void)arg;
    size_t len;
    const char *path = http_path(x), *body = http_body(x, &len);
    if (streq(path, "/hello")) {
        http_add_header(x, "X-Method", http_method(x));
        http_add_header(x, "X-Query", http_query(x));
        http_add_header(x, "X-Bad", "a\r\nInjected: yes");
        http_reply(x, 200, "text/plain", "hello", 5);
    } else if (streq(path, "/echo")) {
        http_reply(x, 201, "text/plain", body, len);
    } else if (streq(path, "/big")) {
        http_reply_shared(x, 200, "text/plain", big, BIG_SIZE, release, (void *)"big");
    } else if (streq(path, "/stream")) {
        http_stream_start(x, 200, "text/plain");
        http_stream_write(x, "one ", 4);
        http_stream_write(x, "two", 3);
        http_stream_end(x);
    } else if (streq(path, "/watch")) {
        http_stream_start(x, 200, "text/plain");
        http_stream_write(x, "first", 5);
        http_on_gone(x, gone, NULL);
    } else if (streq(path, "/park")) {
        world.parked = x;
    } else if (streq(path, "/cut")) {
        http_abort(x);
    } else if (streq(path, "/upgrade")) {
        static const struct http_header headers[] = {{"Connection", "Upgrade"}, {"Upgrade", "echo"}, {NULL, NULL}};
        world.duplex = http_upgrade(x, headers);
        duplex_start(world.duplex, &echo, NULL);
    } else if (streq(path, "/who")) {
        X509 *cert = http_peer_cert(x);
        char name[64] = "nobody";
        if (cert)
            X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
        http_add_header(x, "X-Ip", http_peer_ip(x));
        http_reply(x, 200, NULL, name, strlen(name));
    } else {
        http_reply(x, 404, NULL, "", 0);
    }
}

static void world_start(SSL_CTX *server_tls, SSL_CTX *client_tls, int answers)
{
    struct err err = {0};
    buf_clear(&story);
    world = (struct world){.server_tls = server_tls, .client_tls = client_tls, .answers_left = answers};
    world.server = http_server_new(&loop, server_tls, serve, NULL);
    if (http_server_listen(world.server, -1, "127.0.0.1", 0, &world.port, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    uv_timer_start(&watchdog, on_watchdog, 20000, 0);
    uv_unref((uv_handle_t *)&watchdog);
}

static void run(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_timer_stop(&watchdog);
}

/* --- a client that writes down what it gets --- */

struct call {
    struct buf body;
    struct duplex *duplex;
    size_t taken;
};

static void answer_over(void)
{
    if (--world.answers_left == 0)
        http_server_free(world.server);
}

static void on_head(void *arg, int code, const struct http_header *headers)
{
    (void)arg;
    buf_addf(&story, "%d ", code);
    for (; headers->name; headers++)
        if (str_after(headers->name, "X-") || streq(headers->name, "Injected"))
            buf_addf(&story, "[%s=%s] ", headers->name, headers->value);
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct call *c = arg;
    buf_add(&c->body, bytes, len);
}

static void on_done(void *arg, const struct err *err)
{
    struct call *c = arg;
    if (err)
        buf_addf(&story, "error %s; ", err->msg);
    else if (c->body.len == BIG_SIZE)
        buf_addf(&story, "big %s; ", memcmp(c->body.data, big, BIG_SIZE) == 0 ? "equal" : "different");
    else
        buf_addf(&story, "body %s; ", buf_str(&c->body));
    buf_done(&c->body);
    answer_over();
}

static const struct http_call_handler plain_call = {.head = on_head, .data = on_data, .done = on_done};

static struct http_call *call_body(const char *method, const char *target, const void *body, size_t len, struct call *c)
{
    struct http_call_spec spec = {.netns_fd = -1,
                                  .ip = "127.0.0.1",
                                  .port = world.port,
                                  .tls = world.client_tls,
                                  .server_name = world.client_tls ? "localhost" : NULL,
                                  .method = method,
                                  .target = target,
                                  .body = body,
                                  .len = len,
                                  .timeout_ms = 10000};
    *c = (struct call){0};
    return http_call_start(&loop, &spec, &plain_call, c);
}

static void call(const char *method, const char *target, struct call *c)
{
    call_body(method, target, NULL, 0, c);
}

/* --- packed answers --- */

static void on_packed(void *arg, const struct err *err)
{
    struct call *c = arg;
    z_stream z = {.next_in = (Bytef *)c->body.data, .avail_in = (uInt)c->body.len};
    _cleanup_free_ char *plain = xmalloc(BIG_SIZE + 1);
    z.next_out = (Bytef *)plain;
    z.avail_out = BIG_SIZE + 1;
    inflateInit2(&z, 15 + 16);
    if (err || inflate(&z, Z_FINISH) != Z_STREAM_END || z.total_out != BIG_SIZE || memcmp(plain, big, BIG_SIZE) != 0)
        buf_adds(&story, "broken; ");
    else
        buf_adds(&story, "packed; ");
    inflateEnd(&z);
    buf_done(&c->body);
    answer_over();
}

TEST(large_answers_are_packed_for_who_wants_it)
{
    static const struct http_header headers[] = {{"Accept-Encoding", "gzip"}, {NULL, NULL}};
    static const struct http_call_handler handler = {.data = on_data, .done = on_packed};
    struct call c = {0};
    world_start(NULL, NULL, 1);
    struct http_call_spec spec = {
        .netns_fd = -1, .ip = "127.0.0.1", .port = world.port, .method = "GET", .target = "/big", .headers = headers};
    http_call_start(&loop, &spec, &handler, &c);
    run();
    T_STR(buf_str(&story), "released big; packed; ");
}

/* --- certificates, made anew --- */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, (char *)value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

static struct identity make_identity(const char *name, const struct identity *ca, const char *alt_name)
{
    struct identity id = {EVP_EC_gen("P-256"), X509_new()};
    X509 *c = id.cert;
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), rand());
    X509_gmtime_adj(X509_getm_notBefore(c), -60);
    X509_gmtime_adj(X509_getm_notAfter(c), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(c, X509_get_subject_name(ca ? ca->cert : c));
    X509_set_pubkey(c, id.key);
    add_extension(c, ca ? ca->cert : c, NID_basic_constraints, ca ? "CA:FALSE" : "critical,CA:TRUE");
    if (alt_name)
        add_extension(c, ca->cert, NID_subject_alt_name, alt_name);
    X509_sign(c, ca ? ca->key : id.key, EVP_sha256());
    return id;
}

static void identity_done(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

static char directory[] = "/tmp/c8s-test-http-XXXXXX";

static char *path_of(const char *name, const char *kind)
{
    return xasprintf("%s/%s.%s", directory, name, kind);
}

static void save(const char *name, const struct identity *id)
{
    _cleanup_free_ char *cert = path_of(name, "crt"), *key = path_of(name, "key");
    FILE *f = fopen(cert, "w");
    PEM_write_X509(f, id->cert);
    fclose(f);
    f = fopen(key, "w");
    PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

static SSL_CTX *client_ctx(const char *identity, const char *ca)
{
    struct err err = {0};
    _cleanup_free_ char *cert = path_of(str_or(identity, "none"), "crt"),
                        *key = path_of(str_or(identity, "none"), "key");
    _cleanup_free_ char *ca_path = path_of(str_or(ca, "none"), "crt");
    SSL_CTX *ctx = tls_client_ctx(identity ? cert : NULL, identity ? key : NULL, ca ? ca_path : NULL, &err);
    if (!ctx)
        T_FAIL("%s", err.msg);
    return ctx;
}

static SSL_CTX *server_tls, *client_tls, *anonymous_tls, *foreign_tls, *wrong_ca_tls, *no_ca_tls, *slow_tls, *fast_tls;

static void make_certificates(void)
{
    struct err err = {0};
    if (!mkdtemp(directory))
        abort();
    struct identity ca = make_identity("ca", NULL, NULL), other_ca = make_identity("other-ca", NULL, NULL);
    struct identity server = make_identity("server", &ca, "DNS:localhost,IP:127.0.0.1");
    struct identity client = make_identity("alice", &ca, NULL), foreign = make_identity("mallory", &other_ca, NULL);
    save("ca", &ca);
    save("other-ca", &other_ca);
    save("server", &server);
    save("client", &client);
    save("foreign", &foreign);
    _cleanup_free_ char *cert = path_of("server", "crt"), *key = path_of("server", "key"),
                        *client_ca = path_of("ca", "crt");
    server_tls = tls_server_ctx(cert, key, client_ca, &err);
    client_tls = client_ctx("client", "ca");
    anonymous_tls = client_ctx(NULL, "ca");
    foreign_tls = client_ctx("foreign", "ca");
    wrong_ca_tls = client_ctx(NULL, "other-ca");
    no_ca_tls = client_ctx(NULL, NULL);
    slow_tls = client_ctx(NULL, "ca");
    fast_tls = client_ctx(NULL, "ca");
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(slow_tls), time(NULL) - 86400);
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(fast_tls), time(NULL) + 86400);
    T_TRUE(!tls_server_ctx("/nowhere", "/nowhere", NULL, &err));
    T_TRUE(strstr(err.msg, "/nowhere"));
    identity_done(&ca);
    identity_done(&other_ca);
    identity_done(&server);
    identity_done(&client);
    identity_done(&foreign);
}

static void remove_certificates(void)
{
    static const char *const names[] = {"ca", "other-ca", "server", "client", "foreign"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _cleanup_free_ char *cert = path_of(names[i], "crt"), *key = path_of(names[i], "key");
        unlink(cert);
        unlink(key);
    }
    rmdir(directory);
    SSL_CTX *all[] = {server_tls, client_tls, anonymous_tls, foreign_tls, wrong_ca_tls, no_ca_tls, slow_tls, fast_tls};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        SSL_CTX_free(all[i]);
}

/* --- one request, one answer --- */

struct exchange_case {
    const char *method, *target, *body, *want;
};

static void check_exchanges(SSL_CTX *server, SSL_CTX *client)
{
    static const struct exchange_case cases[] = {
        {"GET", "/hello?a=b", NULL, "200 [X-Method=GET] [X-Query=a=b] body hello; "},
        {"HEAD", "/hello", NULL, "200 [X-Method=HEAD] [X-Query=] body ; "},
        {"POST", "/echo", "content", "201 body content; "},
        {"POST", "/echo", "", "201 body ; "},
        {"GET", "/stream", NULL, "200 body one two; "},
        {"HEAD", "/stream", NULL, "200 body ; "},
        {"GET", "/nowhere", NULL, "404 body ; "},
        {"GET", "/cut", NULL, NULL},
        {"GET", "bad", NULL, "400 body bad request target\n; "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct call c;
        world_start(server, client, 1);
        call_body(cases[i].method, cases[i].target, cases[i].body, cases[i].body ? strlen(cases[i].body) : 0, &c);
        run();
        if (cases[i].want)
            T_STR(buf_str(&story), cases[i].want);
        else
            T_TRUE(str_after(buf_str(&story), "error "));
    }
}

TEST(exchanges_plain)
{
    check_exchanges(NULL, NULL);
}

TEST(exchanges_over_tls)
{
    check_exchanges(server_tls, client_tls);
}

static void check_big(SSL_CTX *server, SSL_CTX *client)
{
    struct call c;
    world_start(server, client, 1);
    call("GET", "/big", &c);
    run();
    T_TRUE(strstr(buf_str(&story), "released big; "));
    T_TRUE(strstr(buf_str(&story), "big equal; "));
    world_start(server, client, 1);
    call("HEAD", "/big", &c);
    run();
    T_STR(buf_str(&story), "released big; 200 body ; ");
    world_start(server, client, 1);
    call_body("POST", "/echo", big, HTTP_BODY_MAX, &c);
    run();
    T_INT(strlen(buf_str(&story)), HTTP_BODY_MAX + strlen("201 body ; "));
    world_start(server, client, 1);
    call_body("POST", "/echo", big, HTTP_BODY_MAX + 1, &c);
    run();
    T_STR(buf_str(&story), "413 body request body too large\n; ");
}

TEST(big_bodies)
{
    check_big(NULL, NULL);
    check_big(server_tls, client_tls);
}

TEST(certificates)
{
    const struct {
        SSL_CTX *client;
        const char *want;
    } cases[] = {
        {client_tls, "200 [X-Ip=127.0.0.1] body alice; "},
        {anonymous_tls, "200 [X-Ip=127.0.0.1] body nobody; "},
        {foreign_tls, "200 [X-Ip=127.0.0.1] body nobody; "},
        {no_ca_tls, "200 [X-Ip=127.0.0.1] body nobody; "},
        {wrong_ca_tls, "error TLS: unable to get local issuer certificate; "},
        {slow_tls, "error TLS: certificate is not yet valid (the clocks of the two machines?); "},
        {fast_tls, "error TLS: certificate has expired (the clocks of the two machines?); "},
        {NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct call c;
        world_start(server_tls, cases[i].client, 1);
        call("GET", "/who", &c);
        run();
        if (cases[i].want)
            T_STR(buf_str(&story), cases[i].want);
        else
            T_TRUE(str_after(buf_str(&story), "error "));
    }
}

TEST(nobody_listens)
{
    struct call c;
    world_start(NULL, NULL, 1);
    world.port = 1;
    call("GET", "/", &c);
    run();
    T_STR(buf_str(&story), "error connect: Connection refused; ");
}

/* --- many on one connection; raw bytes --- */

struct raw {
    int fd;
    uv_poll_t poll;
    struct buf got;
    const char *until; /* the server goes when this has come */
};

static void on_raw_closed(uv_handle_t *handle)
{
    struct raw *r = handle->data;
    close(r->fd);
}

static void on_raw_readable(uv_poll_t *poll, int status, int events)
{
    struct raw *r = poll->data;
    char bytes[4096];
    (void)status;
    (void)events;
    ssize_t n = recv(r->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0)
        buf_add(&r->got, bytes, (size_t)n);
    if (n > 0 && !(r->until && strstr(r->got.data, r->until)))
        return;
    uv_close((uv_handle_t *)poll, on_raw_closed);
    http_server_free(world.server);
}

static void raw_start(struct raw *r, const char *bytes, const char *until)
{
    struct sockaddr_in address;
    *r = (struct raw){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .until = until};
    uv_ip4_addr("127.0.0.1", world.port, &address);
    if (connect(r->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        send(r->fd, bytes, strlen(bytes), 0) != (ssize_t)strlen(bytes))
        T_FAIL("raw connection: %m");
    uv_poll_init(&loop, &r->poll, r->fd);
    r->poll.data = r;
    uv_poll_start(&r->poll, UV_READABLE, on_raw_readable);
}

static void check_raw(const char *bytes, const char *until, const char *want)
{
    struct raw r;
    world_start(NULL, NULL, 0);
    raw_start(&r, bytes, until);
    run();
    T_STR(buf_str(&r.got), want);
    buf_done(&r.got);
}

#define OK_AB "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nab"

TEST(pipelined_requests_are_answered_in_order)
{
    check_raw(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /x HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        NULL,
        OK_AB "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
              "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab");
}

TEST(raw_exchanges)
{
    static const struct {
        const char *bytes, *until, *want;
    } cases[] = {
        {"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", NULL,
         "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
        {"GET /stream HTTP/1.0\r\n\r\n", NULL,
         "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\none two"},
        {"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n0\r\n\r\n",
         "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none "
         "\r\n3\r\ntwo\r\n0\r\n\r\n"},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", "\r\n\r\n",
         "HTTP/1.1 100 Continue\r\n\r\n"},
        {"rubbish\r\n\r\n", NULL,
         "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "
         "17\r\n\r\n"
         "bad request line\n"},
        {"GET /cut HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", NULL, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_raw(cases[i].bytes, cases[i].until, cases[i].want);
}

static void answer_parked(uv_timer_t *timer)
{
    if (!world.parked)
        return;
    http_reply(TAKE(world.parked), 200, NULL, "late", 4);
    uv_close((uv_handle_t *)timer, NULL);
}

/* The next request waits for the answer, and is then handled from the loop. */
TEST(late_answers_keep_the_order)
{
    struct raw r;
    uv_timer_t timer;
    world_start(NULL, NULL, 0);
    raw_start(&r, "GET /park HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", "404 Not Found");
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, answer_parked, 1, 1);
    run();
    T_STR(buf_str(&r.got), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
                           "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    buf_done(&r.got);
}

/* --- the peer goes away --- */

static void first_piece(void *arg, const void *bytes, size_t len)
{
    (void)bytes;
    (void)len;
    struct http_call **call_to_cancel = arg;
    http_call_cancel(*call_to_cancel);
}

static void not_called(void *arg, const struct err *err)
{
    (void)arg;
    (void)err;
    T_FAIL("done was called");
}

static void check_gone(SSL_CTX *server, SSL_CTX *client)
{
    static const struct http_call_handler handler = {.data = first_piece, .done = not_called};
    world_start(server, client, 0);
    struct http_call_spec spec = {
        .netns_fd = -1, .ip = "127.0.0.1", .port = world.port, .tls = client, .method = "GET", .target = "/watch"};
    struct http_call *watch;
    watch = http_call_start(&loop, &spec, &handler, &watch);
    run();
    T_STR(buf_str(&story), "gone; ");
}

TEST(a_watcher_that_goes_is_noticed)
{
    check_gone(NULL, NULL);
    check_gone(server_tls, no_ca_tls);
}

/* --- upgrades --- */

/* client ── front server ══splice══ echo server: everything, with half-close, through the middle */
struct front {
    struct http_server *server;
    struct http_exchange *exchange;
    struct duplex *duplex; /* the client's, while bytes flow */
    size_t most_pending;
    int port;
};
static struct front front;

static void client_data(void *arg, const void *bytes, size_t len)
{
    struct call *c = arg;
    c->taken += len;
    if (c->taken > BIG_SIZE / 2)
        front.duplex = NULL;
    else if (front.duplex && duplex_pending(front.duplex) > front.most_pending)
        front.most_pending = duplex_pending(front.duplex);
    if (len) {
        if (memcmp(bytes, big + (c->taken - len), len) != 0)
            T_FAIL("bytes differ near %zu", c->taken);
        return;
    }
    buf_addf(&story, "end after %zu; ", c->taken);
    http_server_free(world.server);
}

static void client_closed(void *arg)
{
    (void)arg;
    http_server_free(TAKE(front.server));
    buf_adds(&story, "client closed; ");
}

static void client_upgraded(void *arg, const struct http_header *headers, struct duplex *d)
{
    static const struct duplex_handler handler = {.data = client_data, .closed = client_closed};
    struct call *c = arg;
    (void)headers;
    c->duplex = d;
    duplex_start(d, &handler, c);
    duplex_write(d, big, BIG_SIZE);
    duplex_shutdown(d);
}

static void check_upgrade(SSL_CTX *server, SSL_CTX *client)
{
    static const struct http_call_handler handler = {.upgraded = client_upgraded, .done = not_called};
    static const struct http_header headers[] = {{"Connection", "Upgrade"}, {"Upgrade", "echo"}, {NULL, NULL}};
    struct call c = {0};
    world_start(server, client, 0);
    struct http_call_spec spec = {.netns_fd = -1,
                                  .ip = "127.0.0.1",
                                  .port = world.port,
                                  .tls = client,
                                  .method = "GET",
                                  .target = "/upgrade",
                                  .headers = headers};
    http_call_start(&loop, &spec, &handler, &c);
    run();
    _cleanup_free_ char *want = xasprintf("end after %d; ", BIG_SIZE);
    if (!strstr(buf_str(&story), want))
        T_FAIL("%s", buf_str(&story));
    T_TRUE(strstr(buf_str(&story), "client closed; "));
    T_TRUE(strstr(buf_str(&story), "server closed; "));
}

TEST(upgrade_with_half_close)
{
    check_upgrade(NULL, NULL);
    check_upgrade(server_tls, client_tls);
}

static void back_upgraded(void *arg, const struct http_header *headers, struct duplex *back)
{
    (void)arg;
    front.duplex = http_upgrade(front.exchange, headers);
    duplex_splice(front.duplex, back);
}

static void front_serve(void *arg, struct http_exchange *x)
{
    static const struct http_call_handler handler = {.upgraded = back_upgraded, .done = not_called};
    (void)arg;
    front.exchange = x;
    struct http_call_spec spec = {.netns_fd = -1,
                                  .ip = "127.0.0.1",
                                  .port = world.port,
                                  .tls = world.client_tls,
                                  .method = "GET",
                                  .target = "/upgrade",
                                  .headers = http_headers(x)};
    http_call_start(&loop, &spec, &handler, NULL);
}

static void check_splice(SSL_CTX *server, SSL_CTX *client)
{
    static const struct http_call_handler handler = {.upgraded = client_upgraded, .done = not_called};
    static const struct http_header headers[] = {{"Connection", "Upgrade"}, {"Upgrade", "echo"}, {NULL, NULL}};
    struct call c = {0};
    struct err err;
    world_start(server, client, 0);
    front = (struct front){0};
    front.server = http_server_new(&loop, NULL, front_serve, NULL);
    T_INT(http_server_listen(front.server, -1, "127.0.0.1", 0, &front.port, &err), 0);
    struct http_call_spec spec = {.netns_fd = -1,
                                  .ip = "127.0.0.1",
                                  .port = front.port,
                                  .method = "GET",
                                  .target = "/upgrade",
                                  .headers = headers};
    http_call_start(&loop, &spec, &handler, &c);
    run();
    T_TRUE(front.most_pending < 512 << 10); /* it holds back instead of gathering */
    _cleanup_free_ char *want = xasprintf("end after %d; ", BIG_SIZE);
    if (!strstr(buf_str(&story), want))
        T_FAIL("%s", buf_str(&story));
    T_TRUE(strstr(buf_str(&story), "client closed; "));
    T_TRUE(strstr(buf_str(&story), "server closed; "));
}

TEST(splice_joins_two)
{
    check_splice(NULL, NULL);
    check_splice(server_tls, client_tls);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    uv_timer_init(&loop, &watchdog);
    big = xmalloc(BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++)
        big[i] = (char)('a' + (i * 7 + i / 1000) % 26);
    make_certificates();
    RUN(exchanges_plain);
    RUN(exchanges_over_tls);
    RUN(big_bodies);
    RUN(large_answers_are_packed_for_who_wants_it);
    RUN(certificates);
    RUN(nobody_listens);
    RUN(pipelined_requests_are_answered_in_order);
    RUN(raw_exchanges);
    RUN(late_answers_keep_the_order);
    RUN(a_watcher_that_goes_is_noticed);
    RUN(upgrade_with_half_close);
    RUN(splice_joins_two);
    remove_certificates();
    free(big);
    buf_done(&story);
    uv_close((uv_handle_t *)&watchdog, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
    return DONE();
}
