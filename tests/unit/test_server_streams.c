/* server: what goes on for longer than an answer: watches, the way through to the agents, the in-process door. */
#include "base/str.h"
#include "server_world.h"

TEST(watches_tell_changes)
{
    struct reply stream = {0};
    T_INT(post("/api/v1/namespaces/kube-node-lease/configmaps",
               "{\"metadata\":{\"name\":\"a\",\"labels\":{\"on\":\"1\"}}}"),
          201);
    struct http_call *c =
        call(&stream, world.admin, "GET",
             "/api/v1/namespaces/kube-node-lease/configmaps?watch=true&labelSelector=on%3D1", NULL, NULL, NULL);
    T_EVENT(&stream, "ADDED", "a");
    T_INT(stream.code, 200);
    merge("/api/v1/namespaces/kube-node-lease/configmaps/a", "{\"data\":{\"k\":\"v\"}}");
    T_EVENT(&stream, "MODIFIED", "a");
    post("/api/v1/namespaces/kube-node-lease/configmaps", "{\"metadata\":{\"name\":\"other\"}}");
    post(MAPS, "{\"metadata\":{\"name\":\"elsewhere\",\"labels\":{\"on\":\"1\"}}}");
    merge("/api/v1/namespaces/kube-node-lease/configmaps/a", "{\"metadata\":{\"labels\":{\"on\":\"0\"}}}");
    T_EVENT(&stream, "DELETED", "a");
    merge("/api/v1/namespaces/kube-node-lease/configmaps/a", "{\"metadata\":{\"labels\":{\"on\":\"1\"}}}");
    T_EVENT(&stream, "ADDED", "a");
    delete ("/api/v1/namespaces/kube-node-lease/configmaps/a", NULL);
    T_EVENT(&stream, "DELETED", "a");
    http_call_cancel(c);
    buf_done(&stream.body);
}

TEST(watches_begin_where_a_list_ended)
{
    struct reply stream = {0};
    T_INT(get(MAPS), 200);
    _cleanup_free_ char *target =
        xasprintf(MAPS "?watch=1&resourceVersion=%s&timeoutSeconds=1", text("metadata.resourceVersion"));
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"since\"}}"), 201);
    call(&stream, world.admin, "GET", target, NULL, NULL, NULL);
    T_EVENT(&stream, "ADDED", "since");
    run_until(&stream.done); /* the time is up: a proper end */
    buf_done(&stream.body);
}

TEST(watches_of_tables_and_initial_events)
{
    struct reply stream = {0};
    struct http_call *c = call(&stream, world.admin, "GET", "/api/v1/namespaces?watch=1",
                               "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", NULL, NULL);
    _cleanup_json_ json_t *first = next_event(&stream), *second = next_event(&stream);
    T_STR(jstr(first, "object.kind"), "Table");
    T_TRUE(json_array_size(jget(first, "object.columnDefinitions")) > 0);
    T_INT(json_array_size(jget(second, "object.columnDefinitions")), 0);
    T_INT(json_array_size(jget(second, "object.rows")), 1);
    http_call_cancel(c);
    buf_done(&stream.body);

    struct reply initial = {0};
    c = call(&initial, world.admin, "GET",
             "/api/v1/"
             "namespaces?fieldSelector=metadata.name%3Ddefault&watch=1&sendInitialEvents=true&allowWatchBookmarks=true&"
             "resourceVersionMatch=NotOlderThan",
             NULL, NULL, NULL);
    T_EVENT(&initial, "ADDED", "default");
    _cleanup_json_ json_t *bookmark = next_event(&initial);
    T_STR(jstr(bookmark, "type"), "BOOKMARK");
    T_STR(
        json_string_value(json_object_get(jget(bookmark, "object.metadata.annotations"), "k8s.io/initial-events-end")),
        "true");
    http_call_cancel(c);
    buf_done(&initial.body);
}

TEST(a_watcher_that_does_not_read_is_cut_off)
{
    enum { SIZE = 1 << 20, WRITES = 28 }; /* more than may wait here and fits into the sockets */
    struct reply stream = {.may_be_cut = true};
    struct http_call *c = call(
        &stream, world.admin, "GET",
        "/api/v1/namespaces/kube-node-lease/configmaps?watch=1&fieldSelector=metadata.name%3Dbig", NULL, NULL, NULL);
    T_INT(post("/api/v1/namespaces/kube-node-lease/configmaps", "{\"metadata\":{\"name\":\"big\"}}"), 201);
    T_EVENT(&stream, "ADDED", "big");
    http_call_pause(c, true);
    _cleanup_free_ char *filling = xmalloc(SIZE);
    memset(filling, 'x', SIZE);
    for (int i = 0; i < WRITES; i++) {
        _cleanup_free_ char *body = xasprintf("{\"data\":{\"a\":\"%d%.*s\"}}", i, SIZE - 4096, filling);
        T_INT(merge("/api/v1/namespaces/kube-node-lease/configmaps/big", body), 200);
    }
    T_INT(get("/metrics"), 200);
    T_TRUE(strstr(buf_str(&answer.body), "apiserver_terminated_watchers_total 1\n") != NULL);
    http_call_cancel(c);
    buf_done(&stream.body);
    T_INT(delete ("/api/v1/namespaces/kube-node-lease/configmaps/big", NULL), 200);
}

/* --- through to the agents --- */

/* A node's agent: it says what it was asked, sends a long log, or echoes an upgraded connection. */
static struct agent {
    struct http_server *http;
    SSL_CTX *tls;
    int port;
} agent;

#define LONG_LOG (3 << 20)

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

static void serve_agent(void *arg, struct http_exchange *x)
{
    (void)arg;
    char subject[200] = "";
    if (http_peer_cert(x))
        X509_NAME_oneline(X509_get_subject_name(http_peer_cert(x)), subject, sizeof(subject));
    if (http_get_header(x, "Upgrade")) {
        static const struct http_header headers[] = {{"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}, {0}};
        struct duplex *d = http_upgrade(x, headers);
        duplex_start(d, &echo_handler, d);
    } else if (strstr(http_query(x), "previous")) {
        static const char why[] = "previous terminated container \"c\" in pod \"far\" not found";
        http_reply(x, 400, "text/plain", why, strlen(why));
    } else if (strstr(http_query(x), "tailLines")) {
        _cleanup_free_ char *text_asked = xasprintf("%s?%s by %s", http_path(x), http_query(x), subject);
        http_reply(x, 200, "text/plain", text_asked, strlen(text_asked));
    } else {
        _cleanup_free_ char *log = xmalloc(LONG_LOG);
        memset(log, '.', LONG_LOG);
        http_reply(x, 200, "text/plain", log, LONG_LOG);
    }
}

TEST(an_agent_appears)
{
    struct err err;
    _cleanup_free_ char *cert = NULL, *key = NULL;
    T_INT(pki_ensure_node(&world.pki, "n2", "127.0.0.1", &cert, &key, &err), 0);
    agent.tls = tls_server_ctx(cert, key, world.pki.ca_cert, &err);
    agent.http = http_server_new(&world.loop, agent.tls, serve_agent, NULL);
    T_INT(http_server_listen(agent.http, -1, "127.0.0.1", 0, &agent.port, &err), 0);
    _cleanup_free_ char *node = xasprintf("{\"metadata\":{\"name\":\"n2\"},\"status\":{\"addresses\":[{\"type\":"
                                          "\"InternalIP\",\"address\":\"127.0.0.1\"}],"
                                          "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":%d}}}}",
                                          agent.port);
    T_INT(post("/api/v1/nodes", node), 201);
    T_INT(
        post(PODS,
             "{\"metadata\":{\"name\":\"far\"},\"spec\":{\"nodeName\":\"n2\",\"containers\":[{\"name\":\"c\",\"image\":"
             "\"i\"}]}}"),
        201);
}

TEST(logs_come_from_the_agent)
{
    T_INT(get(PODS "/far/log?container=c&tailLines=5&follow=true"), 200);
    T_STR(buf_str(&answer.body),
          "/containerLogs/default/far/c?tailLines=5&follow=true by /O=system:masters/CN=kube-apiserver-kubelet-client");
    T_INT(get(PODS "/far/log"), 200);
    T_INT(answer.body.len, LONG_LOG);
    T_INT(get(PODS "/far/log?previous=true"), 400);
    T_STR(text("reason"), "BadRequest");
    T_STR(text("message"), "previous terminated container \"c\" in pod \"far\" not found");
}

static struct {
    struct duplex *duplex;
    struct buf received;
    bool upgraded, enough, closed;
} joined;

static void on_joined_data(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    buf_add(&joined.received, bytes, len);
    joined.enough = joined.received.len >= strlen("hello, agent");
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

TEST(exec_is_joined_byte_for_byte)
{
    static const struct http_header headers[] = {
        {"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}, {"X-Stream-Protocol-Version", "v4.channel.k8s.io"}, {0}};
    static const struct http_call_handler handler = {.upgraded = on_upgraded, .done = on_done};
    const struct http_call_spec spec = {.netns_fd = -1,
                                        .ip = "127.0.0.1",
                                        .port = world.port,
                                        .tls = world.admin,
                                        .server_name = "127.0.0.1",
                                        .method = "POST",
                                        .headers = headers,
                                        .target = PODS "/far/exec?command=sh&command=-c&stdin=true&stdout=true"};
    struct reply refused = {0};
    http_call_start(&world.loop, &spec, &handler, &refused);
    run_until(&joined.upgraded);
    duplex_write(joined.duplex, "hello, ", 7);
    duplex_write(joined.duplex, "agent", 5);
    run_until(&joined.enough);
    T_STR(buf_str(&joined.received), "hello, agent");
    duplex_shutdown(joined.duplex);
    run_until(&joined.closed);
    buf_done(&joined.received);
}

TEST(an_agent_that_is_gone_is_an_error)
{
    http_server_free(agent.http);
    SSL_CTX_free(agent.tls);
    T_INT(get(PODS "/far/log"), 500);
    T_TRUE(str_after(text("message"), "Internal error occurred: error dialing backend: ") != NULL);
    T_INT(get(PODS "/far/exec?stdout=1"), 400);
    T_STR(text("message"), "you must specify at least one command for the container");
    T_INT(post(PODS "/far/eviction", "{\"metadata\":{\"name\":\"far\"},\"deleteOptions\":{\"gracePeriodSeconds\":0}}"),
          201);
    T_INT(get(PODS "/far"), 404);
}

/* --- the other door --- */

struct local_answer {
    int code;
    json_t *body;
    size_t n;
    uint64_t rv;
    bool done;
};

static void on_local(void *arg, int code, const json_t *body)
{
    struct local_answer *a = arg;
    a->code = code;
    a->body = body ? json_deep_copy(body) : NULL;
    a->done = true;
}

static void on_local_list(void *arg, int code, struct object *const *objs, size_t n, uint64_t rv)
{
    struct local_answer *a = arg;
    a->code = code;
    a->n = n;
    a->rv = rv;
    for (size_t i = 0; i < n; i++) /* the store's own */
        T_TRUE(store_get(world.store, objs[i]->kind, objs[i]->ns, objs[i]->name) == objs[i]);
    a->done = true;
}

static char local_events[400];
static bool local_event_came;
static int local_ended_code;

static void on_local_event(void *arg, enum client_event type, struct object *obj, uint64_t rv)
{
    static const char *const names[] = {"+", "~", "-", "b"};
    (void)arg, (void)rv;
    size_t n = strlen(local_events);
    snprintf(local_events + n, sizeof(local_events) - n, "%s%s ", names[type], obj->name);
    local_event_came = true;
}

static void on_local_ended(void *arg, int code)
{
    (void)arg;
    local_ended_code = code;
    local_event_came = true;
}

static const struct client_watch_handler local_handler = {on_local_event, on_local_ended};

TEST(the_local_door_answers_from_the_loop)
{
    struct local_answer created = {0}, listed = {0}, missing = {0};
    _cleanup_json_ json_t *doc = json_pack("{s:{s:s}}", "metadata", "name", "inside");
    world.client->ops->request(world.client, "POST", "/api/v1/namespaces/kube-public/secrets", "application/json", doc,
                               on_local, &created);
    T_TRUE(!created.done);
    run_until(&created.done);
    T_INT(created.code, 201);
    T_STR(jstr(created.body, "metadata.name"), "inside");
    json_decref(created.body);
    world.client->ops->list(world.client, &kind_secret, "/api/v1/secrets", on_local_list, &listed);
    T_TRUE(!listed.done);
    run_until(&listed.done);
    T_INT(listed.code, 200);
    T_INT(listed.n, 1);
    T_TRUE(listed.rv > 0);
    world.client->ops->request(world.client, "GET", "/api/v1/namespaces/default/secrets/none", NULL, NULL, on_local,
                               &missing);
    run_until(&missing.done);
    T_INT(missing.code, 404);
    T_STR(jstr(missing.body, "message"), "secrets \"none\" not found");
    json_decref(missing.body);
}

TEST(the_local_door_watches)
{
    local_events[0] = '\0';
    struct client_watch *watch = world.client->ops->watch(
        world.client, &kind_secret, "/api/v1/namespaces/kube-public/secrets?watch=1", &local_handler, NULL);
    local_event_came = false;
    run_until(&local_event_came);
    T_INT(post("/api/v1/namespaces/kube-public/secrets", "{\"metadata\":{\"name\":\"second\"}}"), 201);
    T_INT(delete ("/api/v1/namespaces/kube-public/secrets/inside", NULL), 200);
    T_STR(local_events, "+inside +second -inside ");
    world.client->ops->watch_stop(watch);
    T_INT(delete ("/api/v1/namespaces/kube-public/secrets/second", NULL), 200);
    T_STR(local_events, "+inside +second -inside ");

    local_event_came = false;
    world.client->ops->watch(world.client, &kind_secret, "/api/v1/secrets?watch=1&resourceVersion=999999999",
                             &local_handler, NULL);
    run_until(&local_event_came);
    T_INT(local_ended_code, 504);
}

/* The last one: what it leaves behind, the_world_ends() must be able to take down. */
static struct reply unended = {.may_be_cut = true};

TEST(a_server_can_go_in_the_middle_of_things)
{
    call(&unended, world.admin, "GET", MAPS "?watch=1", NULL, NULL, NULL);
    _cleanup_json_ json_t *first = next_event(&unended);
    T_TRUE(first != NULL);
    _cleanup_json_ json_t *doc = json_pack("{s:{s:s}}", "metadata", "name", "last");
    world.client->ops->request(world.client, "POST", MAPS, "application/json", doc, NULL, NULL);
    world.client->ops->watch(world.client, &kind_secret, "/api/v1/secrets?watch=1", &local_handler, NULL);
}

TEST(the_world_ends)
{
    end_world();
    buf_done(&unended.body);
}

int main(void)
{
    make_world();
    RUN(watches_tell_changes);
    RUN(watches_begin_where_a_list_ended);
    RUN(watches_of_tables_and_initial_events);
    RUN(a_watcher_that_does_not_read_is_cut_off);
    RUN(an_agent_appears);
    RUN(logs_come_from_the_agent);
    RUN(exec_is_joined_byte_for_byte);
    RUN(an_agent_that_is_gone_is_an_error);
    RUN(the_local_door_answers_from_the_loop);
    RUN(the_local_door_watches);
    RUN(a_server_can_go_in_the_middle_of_things);
    RUN(the_world_ends);
    return DONE();
}
