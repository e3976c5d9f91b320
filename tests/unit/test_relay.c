/* server: the proxy subresources, by way of a node whose "agent" is a server of ours. */
#include "server/relay.h"

#include "server_world.h"

/* --- what is behind --- */

static struct {
    struct http_server *http;
    int port;
    size_t got; /* bytes of bodies */
} backend;

static void echo(void *arg, const void *bytes, size_t len)
{
    struct duplex *d = arg;
    if (len)
        duplex_write(d, bytes, len);
    else
        duplex_close(d);
}

static void nothing(void *arg)
{
    (void)arg;
}

static const struct duplex_handler echo_handler = {.data = echo, .closed = nothing};

static void on_piece(void *arg, const void *bytes, size_t len)
{
    (void)arg, (void)bytes;
    backend.got += len;
}

static void on_piece_end(void *arg)
{
    char text[40];
    int n = snprintf(text, sizeof(text), "%zu bytes", backend.got);
    http_reply(arg, 200, "text/plain", text, (size_t)n);
}

static const struct http_body_handler body_handler = {.data = on_piece, .end = on_piece_end};

static void say_request(struct http_exchange *x)
{
    static const char *const shown[] = {"Host",          "Connection",      "X-Mine",  "X-Hop",
                                        "Authorization", "X-Forwarded-For", "Upgrade", "X-Forwarded-Uri"};
    struct buf out = BUF_INIT(0);
    buf_addf(&out, "%s %s?%s\n", http_method(x), http_path(x), http_query(x));
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        if (http_get_header(x, shown[i]))
            buf_addf(&out, "%s=%s\n", shown[i], http_get_header(x, shown[i]));
    http_add_header(x, "Access-Control-Allow-Origin", "*");
    http_reply(x, strcmp(http_path(x), "/teapot") == 0 ? 418 : 200, "text/x-echo", out.data, out.len);
    buf_done(&out);
}

static void on_request(void *arg, struct http_exchange *x)
{
    static const struct http_header accepted[] = {{"Connection", "Upgrade"}, {"Upgrade", "echo"}, {0}};
    (void)arg;
    if (http_get_header(x, "Upgrade")) {
        struct duplex *d = http_upgrade(x, accepted);
        duplex_start(d, &echo_handler, d);
    } else if (http_body_flows(x)) {
        backend.got = 0;
        http_body_start(x, &body_handler, x);
    } else if (strcmp(http_path(x), "/moved") == 0) {
        http_add_header(x, "Location", "/there/");
        http_reply(x, 302, NULL, "", 0);
    } else {
        say_request(x);
    }
}

static bool always(void *arg, const char *target)
{
    (void)arg, (void)target;
    return true;
}

#define NODE_PROXY "/api/v1/nodes/n2:%d/proxy"

static char *behind(const char *rest)
{
    return xasprintf(NODE_PROXY "%s", backend.port, rest);
}

TEST(a_node_appears)
{
    struct err err;
    backend.http = http_server_new(&world.loop, NULL, on_request, NULL);
    http_server_set_streams(backend.http, always);
    T_INT(http_server_listen(backend.http, -1, "127.0.0.1", 0, &backend.port, &err), 0);
    T_INT(post("/api/v1/nodes", "{\"metadata\":{\"name\":\"n2\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
                                "\"address\":\"127.0.0.1\"}]}}"),
          201);
}

TEST(requests_and_answers_pass)
{
    _cleanup_free_ char *plain = behind("/a%20b/c?x=1&dryRun=no"), *root = behind(""), *query = behind("?q=%2F");
    T_INT(get(plain), 200);
    _cleanup_free_ char *want =
        xasprintf("GET /a%%20b/c?x=1&dryRun=no\nHost=127.0.0.1:%d\nConnection=close\nX-Forwarded-For=127.0.0.1\n"
                  "X-Forwarded-Uri=/api/v1/nodes/n2:%d/proxy/a%%20b/c\n",
                  world.port, backend.port);
    T_STR(buf_str(&answer.body), want);
    T_INT(get(root), 301);
    T_INT(get(query), 301);
    T_INT(ask_as(world.admin, "DELETE", root, NULL, NULL, NULL), 200);
    T_TRUE(str_after(buf_str(&answer.body), "DELETE /?\n") != NULL);
    T_INT(ask_as(world.admin, "OPTIONS", plain, NULL, NULL, NULL), 200);
    T_TRUE(str_after(buf_str(&answer.body), "OPTIONS /a%20b/c") != NULL);
    T_INT(ask_as(world.admin, "HEAD", plain, NULL, NULL, NULL), 200);
    T_INT(answer.body.len, 0);
    _cleanup_free_ char *teapot = behind("/teapot"), *moved = behind("/moved");
    T_INT(get(teapot), 418);
    T_INT(get(moved), 302);
    T_INT(ask_as(world.admin, "OPTIONS", "/api/v1/nodes/n2", NULL, NULL, NULL), 405);
}

TEST(bodies_larger_than_any_object_stream)
{
    enum { SIZE = 8 << 20 }; /* the API itself takes 3 MiB */
    _cleanup_free_ char *target = behind("/upload"), *body = xmalloc(SIZE + 1);
    memset(body, 'x', SIZE);
    body[SIZE] = '\0';
    T_INT(ask_as(world.admin, "PUT", target, NULL, "application/octet-stream", body), 200);
    T_STR(buf_str(&answer.body), "8388608 bytes");
    T_INT(ask_as(world.admin, "POST", target, NULL, NULL, "small"), 200);
    T_STR(buf_str(&answer.body), "5 bytes");
}

static bool chunks_drained;

static void on_chunks_drained(void *arg)
{
    (void)arg;
    chunks_drained = true;
}

TEST(bodies_of_unknown_length_come_in_chunks)
{
    static const struct http_call_handler handler = {
        .head = on_head, .data = on_data, .done = on_done, .drained = on_chunks_drained};
    _cleanup_free_ char *target = behind("/chunks");
    const struct http_call_spec spec = {.netns_fd = -1,
                                        .ip = "127.0.0.1",
                                        .port = world.port,
                                        .tls = world.admin,
                                        .server_name = "127.0.0.1",
                                        .method = "POST",
                                        .target = target,
                                        .streams_body = true,
                                        .body_length = -1};
    struct reply reply = {0};
    struct http_call *c = http_call_start(&world.loop, &spec, &handler, &reply);
    http_call_write(c, "one ", 4);
    run_until(&chunks_drained);
    http_call_write(c, "two", 3);
    http_call_end_body(c);
    run_until(&reply.done);
    T_STR(buf_str(&reply.body), "7 bytes");
    buf_done(&reply.body);
}

static struct {
    struct duplex *duplex;
    bool upgraded, answered, closed;
} joined;

static void on_joined_data(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    joined.answered |= len == 4 && memcmp(bytes, "ping", 4) == 0;
}

static void on_joined_closed(void *arg)
{
    (void)arg;
    joined.closed = true;
}

static const struct duplex_handler joined_handler = {.data = on_joined_data, .closed = on_joined_closed};

static void on_upgraded(void *arg, const struct http_header *headers, struct duplex *d)
{
    (void)arg, (void)headers;
    joined.duplex = d;
    joined.upgraded = true;
    duplex_start(d, &joined_handler, NULL);
}

TEST(upgrades_are_joined)
{
    static const struct http_header headers[] = {{"Connection", "Upgrade"}, {"Upgrade", "echo"}, {0}};
    static const struct http_call_handler handler = {.upgraded = on_upgraded, .done = on_done};
    _cleanup_free_ char *target = behind("/ws");
    const struct http_call_spec spec = {.netns_fd = -1,
                                        .ip = "127.0.0.1",
                                        .port = world.port,
                                        .tls = world.admin,
                                        .server_name = "127.0.0.1",
                                        .method = "GET",
                                        .headers = headers,
                                        .target = target};
    struct reply refused = {0};
    http_call_start(&world.loop, &spec, &handler, &refused);
    run_until(&joined.upgraded);
    duplex_write(joined.duplex, "ping", 4);
    run_until(&joined.answered);
    duplex_shutdown(joined.duplex);
    run_until(&joined.closed);
}

TEST(who_cannot_be_reached_is_an_error)
{
    T_INT(get("/api/v1/nodes/n2:1/proxy/"), 503);
    T_TRUE(str_after(text("message"), "error trying to reach service: ") != NULL);
    T_INT(get("/api/v1/nodes/nobody/proxy/"), 404);
    T_INT(get("/api/v1/nodes/ftp:n2:21/proxy/"), 400);
    T_STR(text("message"), "invalid node request \"ftp:n2:21\"");
    T_INT(get(SERVICES "/kubernetes:1/proxy/"), 503);
    T_STR(text("message"), "no service port 1 found for service \"kubernetes\"");
    T_INT(get(SERVICES "/https:kubernetes:443/proxy/"), 503); /* its endpoint is no pod */
    T_STR(text("message"), "no endpoints available for service \"https:kubernetes:443\"");
    T_INT(get(SERVICES "/none/proxy/"), 404);
    T_INT(post(PODS, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"),
          201);
    T_INT(merge(PODS "/p/status", "{\"status\":{\"podIP\":\"127.0.0.1\"}}"), 200);
    T_INT(get(PODS "/p:6443/proxy/"), 400);
    T_STR(text("message"), "address not allowed");
}

TEST(locations_lead_through_us)
{
    static const struct {
        const char *location, *want;
    } rows[] = {
        {"/a/b?c", "/p/a/b?c"},
        {"/", "/p/"},
        {"a/b", NULL},
        {"//other/x", NULL},
        {"http://host:1/x", "/p/x"},
        {"http://host:1", "/p/"},
        {"http://other/x", NULL},
        {"/p/already", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = relay_location(rows[i].location, "host:1", "/p");
        T_STR(got ? got : "as it is", rows[i].want ? rows[i].want : "as it is");
    }
}

TEST(headers_of_one_hop_stay)
{
    static const struct http_header in[] = {{"Connection", "close, X-Hop"}, {"X-Hop", "1"}, {"X-Hops", "2"},
                                            {"Authorization", "Bearer x"},  {"TE", "x"},    {0}};
    _cleanup_free_ struct http_header *out = relay_headers(in, false);
    T_STR(out[0].name, "X-Hops");
    T_TRUE(!out[1].name);
}

TEST(the_world_ends)
{
    http_server_free(backend.http);
    end_world();
}

int main(void)
{
    make_world();
    RUN(a_node_appears);
    RUN(requests_and_answers_pass);
    RUN(bodies_larger_than_any_object_stream);
    RUN(bodies_of_unknown_length_come_in_chunks);
    RUN(upgrades_are_joined);
    RUN(who_cannot_be_reached_is_an_error);
    RUN(locations_lead_through_us);
    RUN(headers_of_one_hop_stay);
    RUN(the_world_ends);
    return DONE();
}
