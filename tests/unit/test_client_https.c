/* client: the HTTPS transport against a server that says what the test wants, over plain HTTP on loopback. */
#include "base/alloc.h"
#include "base/str.h"
#include "client/https.h"
#include "http/http.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "t.h"

static uv_loop_t loop;
static struct http_server *server;
static struct client *client;
static struct http_exchange *stream; /* the watch that is open */
static char seen[256];               /* the last request: method, path, query, body */
static int running;                  /* exchanges held back by /slow */
static int most_running;
static struct http_exchange *held[64];

static void forget(void *arg)
{
    (void)arg; /* the exchange goes with its peer */
}

static void serve(void *arg, struct http_exchange *x)
{
    (void)arg;
    size_t len;
    http_on_gone(x, forget, NULL);
    const char *body = http_body(x, &len);
    snprintf(seen, sizeof(seen), "%s %s?%s %s %.*s", http_method(x), http_path(x), http_query(x),
             str_or(http_get_header(x, "Content-Type"), "-"), (int)len, body ? body : "");
    if (strstr(http_query(x), "watch=")) {
        http_stream_start(x, 200, "application/json");
        stream = x;
    } else if (strstr(http_path(x), "/slow")) {
        held[running++] = x;
        most_running = running > most_running ? running : most_running;
    } else if (strstr(http_path(x), "/absent")) {
        static const char text[] = "{\"kind\":\"Status\",\"code\":404}";
        http_reply(x, 404, "application/json", text, strlen(text));
    } else if (strstr(http_path(x), "/nonsense")) {
        http_reply(x, 200, "application/json", "{", 1);
    } else {
        static const char text[] =
            "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"42\"},\"items\":[{\"metadata\":{\"name\":"
            "\"x\","
            "\"namespace\":\"a\",\"resourceVersion\":\"7\"}},{\"metadata\":{\"name\":\"y\",\"namespace\":\"a\","
            "\"resourceVersion\":\"9\"}}]}";
        http_reply(x, 200, "application/json", text, strlen(text));
    }
}

static void setup(void)
{
    int port;
    struct err err;
    uv_loop_init(&loop);
    server = http_server_new(&loop, NULL, serve, NULL);
    if (http_server_listen(server, -1, "127.0.0.1", 0, &port, &err) < 0)
        T_FAIL("%s", err.msg);
    client = client_https_new(&loop, &(struct client_https_config){.netns_fd = -1, .ip = "127.0.0.1", .port = port});
    stream = NULL;
    running = most_running = 0;
}

static void teardown(void)
{
    client_free(client);
    http_server_free(server);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
}

static struct {
    int answers, code;
    char text[128];
} got;

static void take_answer(void *arg, int code, const json_t *body)
{
    (void)arg;
    got.answers++;
    got.code = code;
    snprintf(got.text, sizeof(got.text), "%s", jstr_or(body, "kind", ""));
}

static void take_list(void *arg, int code, struct object *const *objs, size_t n, uint64_t rv)
{
    (void)arg;
    got.answers++;
    got.code = code;
    snprintf(got.text, sizeof(got.text), "%zu %s %llu", n, n ? objs[n - 1]->bytes : "", (unsigned long long)rv);
}

static void wait_for(int answers)
{
    while (got.answers < answers)
        uv_run(&loop, UV_RUN_ONCE);
}

TEST(requests_and_lists)
{
    setup();
    got.answers = 0;
    _cleanup_json_ json_t *body = json_pack("{s:i}", "a", 1);
    client_patch(client, &kind_configmap, "a", "x", "status", PATCH_MERGE, body, take_answer, NULL);
    T_INT(got.answers, 0);
    wait_for(1);
    T_INT(got.code, 200);
    T_STR(seen, "PATCH /api/v1/namespaces/a/configmaps/x/status? application/merge-patch+json {\"a\":1}");
    client_get(client, &kind_configmap, "a", "absent", take_answer, NULL);
    wait_for(2);
    T_INT(got.code, 404);
    T_STR(got.text, "Status");
    client_get(client, &kind_configmap, "a", "nonsense", take_answer, NULL);
    wait_for(3);
    T_INT(got.code, 0);
    client->ops->list(client, &kind_configmap, "/api/v1/configmaps", take_list, NULL);
    wait_for(4);
    T_STR(got.text, "2 {\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"y\",\"namespace\":\"a\","
                    "\"resourceVersion\":\"9\"}} 42");
    teardown();
}

TEST(a_burst_waits_its_turn)
{
    setup();
    got.answers = 0;
    for (int i = 0; i < 50; i++)
        client_get(client, &kind_configmap, "a", "slow", take_answer, NULL);
    while (got.answers < 50) {
        uv_run(&loop, UV_RUN_ONCE);
        if (running == 32 || running == 50 - got.answers)
            while (running)
                http_reply(held[--running], 200, "application/json", "{}", 2);
    }
    T_INT(most_running, 32);
    teardown();
}

TEST(no_answer_is_code_0)
{
    setup();
    got.answers = 0;
    http_server_free(server);
    uv_run(&loop, UV_RUN_NOWAIT);
    client_get(client, &kind_configmap, "a", "x", take_answer, NULL);
    wait_for(1);
    T_INT(got.code, 0);
    client_free(client);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
}

static char events[512];
static int ended_with;
static struct client_watch *stop_in_event;

static void take_event(void *arg, enum client_event type, struct object *obj, uint64_t rv)
{
    (void)arg;
    size_t n = strlen(events);
    snprintf(events + n, sizeof(events) - n, "%d:%s:%llu ", type, obj ? obj->name : "-", (unsigned long long)rv);
    if (stop_in_event)
        client->ops->watch_stop(stop_in_event);
}

static void take_end(void *arg, int code)
{
    (void)arg;
    ended_with = code;
}

static struct client_watch *watch(void)
{
    static const struct client_watch_handler handler = {take_event, take_end};
    events[0] = '\0';
    ended_with = -1;
    stop_in_event = NULL;
    struct client_watch *w =
        client->ops->watch(client, &kind_configmap, "/api/v1/configmaps?watch=true", &handler, NULL);
    while (!stream)
        uv_run(&loop, UV_RUN_ONCE);
    return w;
}

static void say(const char *text)
{
    http_stream_write(stream, text, strlen(text));
}

#define ADDED(name, rv)                                                                                                \
    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" rv "\"}}}\n"

TEST(watch_events_come_line_by_line)
{
    setup();
    watch();
    say(ADDED("one", "5") "{\"type\":\"DELETED\",\"obj");
    while (!strstr(events, "one"))
        uv_run(&loop, UV_RUN_ONCE);
    say("ect\":{\"metadata\":{\"name\":\"one\",\"resourceVersion\":\"6\"}}}\n{\"type\":\"BOOKMARK\",\"object\":{"
        "\"metadata\":{"
        "\"resourceVersion\":\"8\"}}}\n{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n" ADDED("late", "9"));
    while (ended_with < 0)
        uv_run(&loop, UV_RUN_ONCE);
    T_STR(events, "0:one:5 2:one:6 3:-:8 ");
    T_INT(ended_with, 410);
    teardown();
}

TEST(a_watch_that_the_server_ends_or_loses)
{
    setup();
    watch();
    http_stream_end(stream);
    while (ended_with < 0)
        uv_run(&loop, UV_RUN_ONCE);
    T_INT(ended_with, 200);
    stream = NULL;
    watch();
    http_abort(stream);
    while (ended_with < 0)
        uv_run(&loop, UV_RUN_ONCE);
    T_INT(ended_with, 0);
    teardown();
}

TEST(a_watch_can_be_stopped_in_its_own_event)
{
    setup();
    stop_in_event = watch();
    say(ADDED("one", "5") ADDED("two", "6"));
    while (!*events)
        uv_run(&loop, UV_RUN_ONCE);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    T_STR(events, "0:one:5 ");
    T_INT(ended_with, -1);
    teardown();
}

TEST(freeing_the_client_with_everything_open)
{
    setup();
    watch();
    client_get(client, &kind_configmap, "a", "slow", take_answer, NULL);
    while (!running)
        uv_run(&loop, UV_RUN_ONCE);
    int before = got.answers;
    teardown();
    T_INT(got.answers, before + 1); /* nobody is left waiting */
    T_INT(got.code, 0);
}

int main(void)
{
    RUN(requests_and_lists);
    RUN(a_burst_waits_its_turn);
    RUN(no_answer_is_code_0);
    RUN(watch_events_come_line_by_line);
    RUN(a_watch_that_the_server_ends_or_loses);
    RUN(a_watch_can_be_stopped_in_its_own_event);
    RUN(freeing_the_client_with_everything_open);
    return DONE();
}
