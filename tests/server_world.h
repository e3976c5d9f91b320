/* For tests of the server: one over a store on disk, and questions to it over HTTPS on loopback. */
#pragma once
#include <openssl/ssl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "client/client.h"
#include "http/http.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "server/server.h"
#include "t.h"

#define ADDRESS "172.31.255.1" /* what the endpoints of the API carry; nothing listens there */
#define TIME_LIMIT_MS 20000    /* for one answer: only a broken server needs it */

static struct world {
    uv_loop_t loop;
    uv_timer_t alarm;
    char dir[64];
    struct pki pki;
    struct store *store;
    struct server *server;
    struct client *client;
    SSL_CTX *admin, *anonymous;
    int port;
} world;

/* --- setting up --- */

static inline void on_alarm(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "no answer within the time limit\n");
    abort();
}

static inline void run_until(const bool *done)
{
    uv_timer_start(&world.alarm, on_alarm, TIME_LIMIT_MS, 0);
    while (!*done)
        uv_run(&world.loop, UV_RUN_ONCE);
    uv_timer_stop(&world.alarm);
}

static inline void start_server(void)
{
    struct err err;
    static const char *const masters[] = {"system:masters", NULL};
    const struct server_config config = {.cluster_cidrs = "10.244.0.0/16",
                                         .service_cidrs = "10.96.0.0/16",
                                         .cluster_dns = "10.96.0.10",
                                         .cluster_domain = "cluster.local",
                                         .advertise_ip = ADDRESS,
                                         .port = 6443,
                                         .node_port_min = 30000,
                                         .node_port_max = 32767,
                                         .pki = &world.pki};
    _cleanup_free_ char *path = xasprintf("%s/state.db", world.dir);
    world.store = store_open(&world.loop, path, &err);
    world.server = world.store ? server_new(&world.loop, world.store, &config, &err) : NULL;
    if (!world.server || server_listen(world.server, -1, "127.0.0.1", 0, &world.port, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    world.client = server_local_client(world.server, "tester", masters);
}

static inline void stop_server(void)
{
    client_free(world.client);
    server_free(world.server);
    store_close(world.store);
    while (uv_run(&world.loop, UV_RUN_NOWAIT))
        ;
}

static inline void make_world(void)
{
    struct err err;
    static const char *const names[] = {"localhost", "127.0.0.1", "::1", NULL};
    uv_loop_init(&world.loop);
    uv_timer_init(&world.loop, &world.alarm);
    strcpy(world.dir, "/tmp/c8s-test-server-XXXXXX");
    if (!mkdtemp(world.dir) || pki_ensure(&world.pki, world.dir, names, &err) < 0)
        exit(1);
    world.admin = tls_client_ctx(world.pki.admin_cert, world.pki.admin_key, world.pki.ca_cert, &err);
    world.anonymous = tls_client_ctx(NULL, NULL, world.pki.ca_cert, &err);
    start_server();
}

/* --- asking over HTTPS --- */

struct reply {
    int code;
    struct buf body;
    char warning[300], retry_after[24];
    bool done;
    bool may_be_cut; /* the server goes before the answer is complete */
    json_t *doc;
};

static inline void on_head(void *arg, int code, const struct http_header *headers)
{
    struct reply *r = arg;
    r->code = code;
    for (; headers->name; headers++)
        if (strcasecmp(headers->name, "Warning") == 0)
            snprintf(r->warning, sizeof(r->warning), "%s", headers->value);
        else if (strcasecmp(headers->name, "Retry-After") == 0)
            snprintf(r->retry_after, sizeof(r->retry_after), "%s", headers->value);
}

static inline void on_data(void *arg, const void *bytes, size_t len)
{
    buf_add(&((struct reply *)arg)->body, bytes, len);
}

static inline void on_done(void *arg, const struct err *err)
{
    struct reply *r = arg;
    if (err && !r->may_be_cut)
        T_FAIL("request failed: %s", err->msg);
    r->done = true;
}

static const struct http_call_handler reply_handler = {.head = on_head, .data = on_data, .done = on_done};

static const char *bearer_header;       /* what questions carry as Authorization, when set */
static struct http_header extra_header; /* one more that they carry, when set */

static inline struct http_call *call(struct reply *r, SSL_CTX *who, const char *method, const char *target,
                                     const char *accept, const char *content_type, const char *body)
{
    const struct http_header headers[] = {
        {"Accept", accept ? accept : "*/*"},
        {bearer_header ? "Authorization" : "X-Nothing", bearer_header ? bearer_header : ""},
        {extra_header.name ? extra_header.name : "X-Nothing", extra_header.name ? extra_header.value : ""},
        {content_type ? "Content-Type" : NULL, content_type},
        {0}};
    const struct http_call_spec spec = {.netns_fd = -1,
                                        .ip = "127.0.0.1",
                                        .port = world.port,
                                        .tls = who,
                                        .server_name = "127.0.0.1",
                                        .method = method,
                                        .target = target,
                                        .headers = headers,
                                        .body = body,
                                        .len = body ? strlen(body) : 0};
    return http_call_start(&world.loop, &spec, &reply_handler, r);
}

/* The last answer; valid until the next question. */
static struct reply answer;

static inline int ask_as(SSL_CTX *who, const char *method, const char *target, const char *accept,
                         const char *content_type, const char *body)
{
    json_decref(answer.doc);
    buf_done(&answer.body);
    answer = (struct reply){0};
    call(&answer, who, method, target, accept, content_type, body);
    run_until(&answer.done);
    answer.doc = json_loadb(buf_str(&answer.body), answer.body.len, JSON_DECODE_ANY, NULL);
    return answer.code;
}

static inline int get(const char *target)
{
    return ask_as(world.admin, "GET", target, NULL, NULL, NULL);
}

static inline int post(const char *target, const char *body)
{
    return ask_as(world.admin, "POST", target, NULL, "application/json", body);
}

static inline int put(const char *target, const char *body)
{
    return ask_as(world.admin, "PUT", target, NULL, "application/json", body);
}

static inline int merge(const char *target, const char *body)
{
    return ask_as(world.admin, "PATCH", target, NULL, PATCH_MERGE, body);
}

static inline int delete (const char *target, const char *body)
{
    return ask_as(world.admin, "DELETE", target, NULL, "application/json", body);
}

static inline const char *text(const char *path)
{
    return jstr(answer.doc, path);
}

#define PODS "/api/v1/namespaces/default/pods"
#define MAPS "/api/v1/namespaces/default/configmaps"
#define SERVICES "/api/v1/namespaces/default/services"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/default/deployments"
#define POD_SPEC "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"

/* --- watching over HTTPS --- */

/* Runs until the stream has n lines more, and returns the last line's document. */
static inline json_t *next_event(struct reply *stream)
{
    uv_timer_start(&world.alarm, on_alarm, TIME_LIMIT_MS, 0);
    char *end;
    while (!stream->body.len || !(end = memchr(stream->body.data, '\n', stream->body.len))) {
        if (stream->done)
            return NULL;
        uv_run(&world.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&world.alarm);
    json_t *event = json_loadb(stream->body.data, (size_t)(end - stream->body.data), 0, NULL);
    buf_drop_front(&stream->body, (size_t)(end - stream->body.data) + 1);
    return event;
}

#define T_EVENT(stream, want_type, want_name)                                                                          \
    do {                                                                                                               \
        _cleanup_json_ json_t *event_ = next_event(stream);                                                            \
        T_STR(jstr(event_, "type"), want_type);                                                                        \
        T_STR(jstr(event_, "object.metadata.name"), want_name);                                                        \
    } while (0)

static inline void end_world(void)
{
    stop_server();
    uv_close((uv_handle_t *)&world.alarm, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&world.loop), 0);
    SSL_CTX_free(world.admin);
    SSL_CTX_free(world.anonymous);
    pki_done(&world.pki);
    buf_done(&answer.body);
    json_decref(answer.doc);
    _cleanup_free_ char *remove_all = xasprintf("rm -rf %s", world.dir);
    T_INT(system(remove_all), 0);
}
