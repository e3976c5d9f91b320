/* server: the whole way of a request over a store on disk, through both doors: HTTPS on loopback and in-process. */
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

static void on_alarm(uv_timer_t *timer)
{
    (void)timer;
    fprintf(stderr, "no answer within the time limit\n");
    abort();
}

static void run_until(const bool *done)
{
    uv_timer_start(&world.alarm, on_alarm, TIME_LIMIT_MS, 0);
    while (!*done)
        uv_run(&world.loop, UV_RUN_ONCE);
    uv_timer_stop(&world.alarm);
}

static void start_server(void)
{
    struct err err;
    static const char *const masters[] = {"system:masters", NULL};
    const struct server_config config = {.cluster_cidr = "10.244.0.0/16",
                                         .service_cidr = "10.96.0.0/16",
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

static void stop_server(void)
{
    client_free(world.client);
    server_free(world.server);
    store_close(world.store);
    while (uv_run(&world.loop, UV_RUN_NOWAIT))
        ;
}

static void make_world(void)
{
    struct err err;
    static const char *const names[] = {"localhost", "127.0.0.1", NULL};
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
    char warning[300];
    bool done;
    bool may_be_cut; /* the server goes before the answer is complete */
    json_t *doc;
};

static void on_head(void *arg, int code, const struct http_header *headers)
{
    struct reply *r = arg;
    r->code = code;
    for (; headers->name; headers++)
        if (strcasecmp(headers->name, "Warning") == 0)
            snprintf(r->warning, sizeof(r->warning), "%s", headers->value);
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    buf_add(&((struct reply *)arg)->body, bytes, len);
}

static void on_done(void *arg, const struct err *err)
{
    struct reply *r = arg;
    if (err && !r->may_be_cut)
        T_FAIL("request failed: %s", err->msg);
    r->done = true;
}

static const struct http_call_handler reply_handler = {.head = on_head, .data = on_data, .done = on_done};

static struct http_call *call(struct reply *r, SSL_CTX *who, const char *method, const char *target, const char *accept,
                              const char *content_type, const char *body)
{
    const struct http_header headers[] = {
        {"Accept", accept ? accept : "*/*"}, {content_type ? "Content-Type" : NULL, content_type}, {0}};
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

static int ask_as(SSL_CTX *who, const char *method, const char *target, const char *accept, const char *content_type,
                  const char *body)
{
    json_decref(answer.doc);
    buf_done(&answer.body);
    answer = (struct reply){0};
    call(&answer, who, method, target, accept, content_type, body);
    run_until(&answer.done);
    answer.doc = json_loadb(buf_str(&answer.body), answer.body.len, JSON_DECODE_ANY, NULL);
    return answer.code;
}

static int get(const char *target)
{
    return ask_as(world.admin, "GET", target, NULL, NULL, NULL);
}

static int post(const char *target, const char *body)
{
    return ask_as(world.admin, "POST", target, NULL, "application/json", body);
}

static int put(const char *target, const char *body)
{
    return ask_as(world.admin, "PUT", target, NULL, "application/json", body);
}

static int merge(const char *target, const char *body)
{
    return ask_as(world.admin, "PATCH", target, NULL, PATCH_MERGE, body);
}

static int delete (const char *target, const char *body)
{
    return ask_as(world.admin, "DELETE", target, NULL, "application/json", body);
}

static const char *text(const char *path)
{
    return jstr(answer.doc, path);
}

#define PODS "/api/v1/namespaces/default/pods"
#define MAPS "/api/v1/namespaces/default/configmaps"
#define SERVICES "/api/v1/namespaces/default/services"
#define DEPLOYMENTS "/apis/apps/v1/namespaces/default/deployments"
#define POD_SPEC "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}"

/* --- the tests --- */

TEST(a_cluster_has_its_own_objects)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"first\"}}"), 201); /* they are durable before this is */
    T_INT(get("/api/v1/namespaces"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 4);
    T_INT(get(SERVICES "/kubernetes"), 200);
    T_STR(text("spec.clusterIP"), "10.96.0.1");
    T_INT(get("/api/v1/namespaces/default/endpoints/kubernetes"), 200);
    T_STR(jstr(json_array_get(jget(json_array_get(jget(answer.doc, "subsets"), 0), "addresses"), 0), "ip"), ADDRESS);
    T_INT(get("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns"), 200);
    T_INT(get("/api/v1/namespaces/kube-system/services/kube-dns"), 200);
    T_STR(text("spec.clusterIP"), "10.96.0.10");
}

TEST(one_object_through_its_life)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"life\"},\"data\":{\"a\":\"1\"}}"), 201);
    T_STR(text("kind"), "ConfigMap");
    T_STR(text("apiVersion"), "v1");
    T_STR(text("metadata.namespace"), "default");
    T_TRUE(strlen(jstr_or(answer.doc, "metadata.uid", "")) == 36);
    T_TRUE(text("metadata.creationTimestamp") != NULL);
    _cleanup_free_ char *rv1 = xstrdup(jstr_or(answer.doc, "metadata.resourceVersion", ""));
    _cleanup_free_ char *uid = xstrdup(jstr_or(answer.doc, "metadata.uid", ""));

    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"life\"}}"), 409);
    T_STR(text("reason"), "AlreadyExists");
    T_STR(text("message"), "configmaps \"life\" already exists");

    T_INT(put(MAPS "/life", "{\"metadata\":{\"name\":\"life\"},\"data\":{\"a\":\"1\"}}"), 200);
    T_STR(text("metadata.resourceVersion"), rv1); /* nothing changed, nothing written */
    T_INT(put(MAPS "/life", "{\"metadata\":{\"name\":\"life\"},\"data\":{\"a\":\"2\"}}"), 200);
    T_TRUE(!streq(jstr_or(answer.doc, "metadata.resourceVersion", ""), rv1));
    T_STR(text("metadata.uid"), uid);

    _cleanup_free_ char *stale =
        xasprintf("{\"metadata\":{\"name\":\"life\",\"resourceVersion\":\"%s\"},\"data\":{\"a\":\"3\"}}", rv1);
    T_INT(put(MAPS "/life", stale), 409);
    T_STR(text("reason"), "Conflict");
    T_STR(text("message"),
          "Operation cannot be fulfilled on configmaps \"life\": the object has been modified; please apply "
          "your changes to the latest version and try again");

    T_INT(merge(MAPS "/life", "{\"data\":{\"a\":null,\"b\":\"4\"}}"), 200);
    T_JSON(jget(answer.doc, "data"), "{\"b\":\"4\"}");
    T_INT(ask_as(world.admin, "PATCH", MAPS "/life", NULL, "application/json-patch+json",
                 "[{\"op\":\"add\",\"path\":\"/data/c\",\"value\":\"5\"}]"),
          200);
    T_JSON(jget(answer.doc, "data"), "{\"b\":\"4\",\"c\":\"5\"}");

    T_INT(delete (MAPS "/life", "{\"preconditions\":{\"uid\":\"other\"}}"), 409);
    T_INT(delete (MAPS "/life", NULL), 200);
    T_STR(text("kind"), "Status");
    T_STR(text("status"), "Success");
    T_STR(text("details.kind"), "configmaps");
    T_STR(text("details.uid"), uid);
    T_INT(get(MAPS "/life"), 404);
    T_STR(text("message"), "configmaps \"life\" not found");
}

TEST(names_are_made_from_generateName)
{
    T_INT(post(MAPS, "{\"metadata\":{\"generateName\":\"made-\"}}"), 201);
    T_TRUE(str_after(jstr_or(answer.doc, "metadata.name", ""), "made-") != NULL);
    T_INT(strlen(jstr_or(answer.doc, "metadata.name", "")), strlen("made-") + 5);
}

TEST(a_dry_run_writes_nothing)
{
    T_INT(post(MAPS "?dryRun=All", "{\"metadata\":{\"name\":\"dry\"}}"), 201);
    T_STR(text("metadata.name"), "dry");
    T_INT(get(MAPS "/dry"), 404);
    T_INT(post(MAPS "?dryRun=Some", "{\"metadata\":{\"name\":\"dry\"}}"), 400);
}

TEST(errors_have_code_reason_and_words)
{
    static const struct {
        const char *method, *target, *content_type, *body;
        int code;
        const char *reason, *message;
    } cases[] = {
        {"GET", "/api/v1/namespaces/default/nothings", NULL, NULL, 404, "NotFound",
         "the server could not find the requested resource"},
        {"GET", "/nothing", NULL, NULL, 404, "NotFound", "the server could not find the requested resource"},
        {"GET", DEPLOYMENTS "/x", NULL, NULL, 404, "NotFound", "deployments.apps \"x\" not found"},
        {"GET", "/api/v1/namespaces/default/nodes", NULL, NULL, 404, "NotFound",
         "the server could not find the requested resource"},
        {"PUT", MAPS, "application/json", "{}", 405, "MethodNotAllowed",
         "the server does not allow this method on the requested resource"},
        {"POST", MAPS "/x", "application/json", "{}", 405, "MethodNotAllowed",
         "the server does not allow this method on the requested resource"},
        {"POST", MAPS, "application/json", "{\"metadata\":", 400, "BadRequest", NULL},
        {"POST", MAPS, "application/cbor", "k8s", 415, "UnsupportedMediaType",
         "the body of the request was in an unknown format - accepted media types include: application/json, "
         "application/yaml, application/vnd.kubernetes.protobuf"},
        {"PATCH", MAPS "/x", "application/apply-patch+yaml", "{}", 415, "UnsupportedMediaType",
         "the body of the request was in an unknown format - accepted media types include: "
         "application/json-patch+json, "
         "application/merge-patch+json, application/strategic-merge-patch+json"},
        {"POST", "/api/v1/namespaces/nowhere/configmaps", "application/json", "{\"metadata\":{\"name\":\"x\"}}", 404,
         "NotFound", "namespaces \"nowhere\" not found"},
        {"POST", MAPS, "application/json",
         "{\"apiVersion\":\"v2\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}", 400, "BadRequest",
         "the API version in the data (v2) does not match the expected API version (v1)"},
        {"POST", MAPS, "application/json", "{\"metadata\":{\"name\":\"x\",\"namespace\":\"other\"}}", 400, "BadRequest",
         "the namespace of the provided object does not match the namespace sent on the request"},
        {"PUT", SERVICES "/kubernetes", "application/json", "{\"metadata\":{\"name\":\"other\"}}", 400, "BadRequest",
         "the name of the object (other) does not match the name on the URL (kubernetes)"},
        {"POST", MAPS, "application/json", "{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"5\"}}", 400,
         "BadRequest", "resourceVersion should not be set on objects to be created"},
        {"POST", MAPS, "application/json", "{}", 422, "Invalid",
         "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required"},
        {"POST", MAPS "?fieldValidation=Strict", "application/json", "{\"metadata\":{\"name\":\"x\"},\"dota\":{}}", 400,
         "BadRequest",
         "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dota\""},
        {"GET", PODS "?fieldSelector=spec.nothing%3Dx", NULL, NULL, 400, "BadRequest",
         "field label not supported: spec.nothing"},
        {"GET", PODS "?limit=many", NULL, NULL, 400, "BadRequest", NULL},
        {"GET", PODS "?continue=nonsense", NULL, NULL, 400, "BadRequest",
         "continue key is not valid: unable to read the token"},
        {"GET", PODS "?resourceVersion=999999999", NULL, NULL, 504, "Timeout", NULL},
        {"DELETE", "/api/v1/namespaces/default", NULL, NULL, 403, "Forbidden",
         "namespaces \"default\" is forbidden: this namespace may not be deleted"},
        {"GET", PODS "/x/log", NULL, NULL, 404, "NotFound", "pods \"x\" not found"},
        {"POST", "/api/v1/namespaces/default/serviceaccounts/default/token", "application/json", "{}", 404, "NotFound",
         "the server could not find the requested resource"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int code = ask_as(world.admin, cases[i].method, cases[i].target, NULL, cases[i].content_type, cases[i].body);
        if (code != cases[i].code)
            T_FAIL("%s %s: got %d: %s", cases[i].method, cases[i].target, code, buf_str(&answer.body));
        T_STR(text("reason"), cases[i].reason);
        T_INT(jint(answer.doc, "code", 0), cases[i].code);
        if (cases[i].message)
            T_STR(text("message"), cases[i].message);
    }
    T_INT(ask_as(world.admin, "GET", MAPS, "text/html", NULL, NULL), 406);
    T_STR(text("reason"), "NotAcceptable");
}

TEST(bodies_that_are_no_objects)
{
    T_INT(post(MAPS, ""), 400);
    T_TRUE(str_after(text("message"), "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
                                      "version/kind; json parse error: ") != NULL);
    T_TRUE(str_ends_with(text("message"), "(<empty>)"));
    T_INT(post(MAPS, "hello"), 400);
    T_TRUE(str_ends_with(text("message"), "(68656c6c6f)"));
    T_INT(post(MAPS, "[]"), 400);
    char *large = xmalloc(2 << 20);
    memset(large, 'x', 2 << 20);
    memcpy(large, "{\"metadata\":{\"name\":\"large\",\"annotations\":{\"a\":\"", 46);
    strcpy(large + (2 << 20) - 5, "\"}}}");
    T_TRUE(post(MAPS, large) >= 400);
    free(large);
    T_INT(get(MAPS "/large"), 404);
}

TEST(unknown_fields_are_warned_of)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"warned\"},\"dota\":{\"a\":\"1\"}}"), 201);
    T_STR(answer.warning, "299 - \"unknown field \\\"dota\\\"\"");
    T_TRUE(!jhas(answer.doc, "dota"));
}

TEST(yaml_is_read_too)
{
    T_INT(ask_as(world.admin, "POST", MAPS, NULL, "application/yaml",
                 "metadata:\n  name: from-yaml\ndata:\n  a: \"1\"\n"),
          201);
    T_STR(text("data.a"), "1");
}

TEST(anonymous_may_look_at_little)
{
    T_INT(ask_as(world.anonymous, "GET", "/healthz", NULL, NULL, NULL), 200);
    T_STR(buf_str(&answer.body), "ok");
    T_INT(ask_as(world.anonymous, "GET", "/version", NULL, NULL, NULL), 200);
    T_STR(text("major"), "1");
    T_INT(ask_as(world.anonymous, "GET", PODS, NULL, NULL, NULL), 403);
    T_STR(text("message"),
          "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the "
          "namespace \"default\"");
}

TEST(lists_come_in_pages)
{
    char body[200], target[600];
    for (int i = 0; i < 5; i++) {
        snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"page-%d\",\"labels\":{\"odd\":\"%d\"}}}", i, i % 2);
        T_INT(post("/api/v1/namespaces/kube-public/configmaps", body), 201);
    }
    T_INT(get("/api/v1/namespaces/kube-public/configmaps?limit=2"), 200);
    T_STR(text("kind"), "ConfigMapList");
    T_INT(json_array_size(jget(answer.doc, "items")), 2);
    T_INT(jint(answer.doc, "metadata.remainingItemCount", -1), 3);
    _cleanup_free_ char *rv = xstrdup(jstr_or(answer.doc, "metadata.resourceVersion", ""));
    size_t seen = 2;
    while (text("metadata.continue")) {
        _cleanup_free_ char *token = url_encode(text("metadata.continue"));
        snprintf(target, sizeof(target), "/api/v1/namespaces/kube-public/configmaps?limit=2&continue=%s", token);
        T_INT(get(target), 200);
        T_STR(text("metadata.resourceVersion"), rv);
        seen += json_array_size(jget(answer.doc, "items"));
    }
    T_INT(seen, 5);
    T_INT(get("/api/v1/namespaces/kube-public/configmaps?labelSelector=odd%3D1"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 2);
    T_INT(get("/api/v1/configmaps?fieldSelector=metadata.name%3Dpage-3"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 1);
    T_INT(delete ("/api/v1/namespaces/kube-public/configmaps?labelSelector=odd%3D1", NULL), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 2);
    T_INT(get("/api/v1/namespaces/kube-public/configmaps"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 3);
}

TEST(tables_and_metadata)
{
    T_INT(ask_as(world.admin, "GET", SERVICES, "application/json;as=Table;v=v1;g=meta.k8s.io,application/json", NULL,
                 NULL),
          200);
    T_STR(text("kind"), "Table");
    T_STR(text("apiVersion"), "meta.k8s.io/v1");
    T_TRUE(json_array_size(jget(answer.doc, "columnDefinitions")) > 0);
    T_TRUE(json_array_size(jget(answer.doc, "rows")) > 0);
    T_INT(ask_as(world.admin, "GET", SERVICES "/kubernetes",
                 "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", NULL, NULL),
          200);
    T_STR(text("kind"), "PartialObjectMetadata");
    T_STR(text("metadata.name"), "kubernetes");
    T_TRUE(!jhas(answer.doc, "spec"));
}

TEST(status_and_spec_have_doors_of_their_own)
{
    T_INT(post(DEPLOYMENTS,
               "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{"
               "\"metadata\":{\"labels\":{\"a\":\"b\"}}," POD_SPEC "}},\"status\":{\"replicas\":7}}"),
          201);
    T_TRUE(!jhas(answer.doc, "status.replicas"));
    T_INT(jint(answer.doc, "metadata.generation", 0), 1);
    T_INT(jint(answer.doc, "spec.replicas", 0), 1);
    T_INT(merge(DEPLOYMENTS "/d/status", "{\"status\":{\"replicas\":1},\"spec\":{\"replicas\":9}}"), 200);
    T_INT(jint(answer.doc, "status.replicas", 0), 1);
    T_INT(jint(answer.doc, "spec.replicas", 0), 1);
    T_INT(jint(answer.doc, "metadata.generation", 0), 1);
    T_INT(merge(DEPLOYMENTS "/d", "{\"status\":{\"replicas\":5},\"spec\":{\"replicas\":3}}"), 200);
    T_INT(jint(answer.doc, "status.replicas", 0), 1);
    T_INT(jint(answer.doc, "spec.replicas", 0), 3);
    T_INT(jint(answer.doc, "metadata.generation", 0), 2);
    T_INT(merge(DEPLOYMENTS "/d", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}"), 200);
    T_INT(jint(answer.doc, "metadata.generation", 0), 2);
}

TEST(scale_is_a_window_on_replicas)
{
    T_INT(get(DEPLOYMENTS "/d/scale"), 200);
    T_STR(text("kind"), "Scale");
    T_STR(text("apiVersion"), "autoscaling/v1");
    T_STR(text("status.selector"), "a=b");
    T_INT(jint(answer.doc, "spec.replicas", 0), 3);
    _cleanup_free_ char *scale = jprint(answer.doc);
    T_INT(merge(DEPLOYMENTS "/d/scale", "{\"spec\":{\"replicas\":2}}"), 200);
    T_STR(text("kind"), "Scale");
    T_INT(jint(answer.doc, "spec.replicas", 0), 2);
    T_INT(put(DEPLOYMENTS "/d/scale", scale), 409);
    T_STR(text("message"),
          "Operation cannot be fulfilled on deployments.apps \"d\": the object has been modified; please apply "
          "your changes to the latest version and try again");
    T_INT(merge(DEPLOYMENTS "/d/scale", "{\"spec\":{\"replicas\":-1}}"), 422);
    T_INT(get(DEPLOYMENTS "/d"), 200);
    T_INT(jint(answer.doc, "spec.replicas", 0), 2);
    T_INT(jint(answer.doc, "metadata.generation", 0), 3);
    T_INT(get(SERVICES "/kubernetes/scale"), 404);
}

TEST(pods_are_bound_once_and_stop_in_their_time)
{
    T_INT(post("/api/v1/nodes",
               "{\"metadata\":{\"name\":\"n1\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":"
               "\"172.31.255.2\"}]}}"),
          201);
    T_STR(text("spec.podCIDR"), "10.244.0.0/24");
    T_TRUE(json_array_size(jget(answer.doc, "status.addresses")) == 1);
    T_INT(post(PODS, "{\"metadata\":{\"name\":\"p\"}," POD_SPEC "}"), 201);
    T_STR(text("status.phase"), "Pending");
    T_STR(text("spec.serviceAccountName"), "default");
    T_INT(json_array_size(jget(answer.doc, "spec.tolerations")), 2);
    T_INT(get(PODS "/p/log"), 400);
    T_STR(text("message"), "pod p does not have a host assigned");
    T_INT(post(PODS "/p/binding", "{\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}"), 201);
    T_STR(text("status"), "Success");
    T_INT(post(PODS "/p/binding", "{\"target\":{\"kind\":\"Node\",\"name\":\"n2\"}}"), 409);
    T_STR(text("message"),
          "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n1\"");
    T_INT(get(PODS "/p"), 200);
    T_STR(text("spec.nodeName"), "n1");
    T_STR(jstr(jfind(jget(answer.doc, "status.conditions"), "type", "PodScheduled"), "status"), "True");
    T_INT(get(PODS "?fieldSelector=spec.nodeName%3Dn1"), 200);
    T_INT(json_array_size(jget(answer.doc, "items")), 1);
    T_INT(get(PODS "/p/log?container=other"), 400);
    T_STR(text("message"), "container other is not valid for pod p");

    T_INT(delete (PODS "/p", NULL), 200);
    T_STR(text("kind"), "Pod");
    T_INT(jint(answer.doc, "metadata.deletionGracePeriodSeconds", 0), 30);
    T_TRUE(text("metadata.deletionTimestamp") != NULL);
    T_INT(delete (PODS "/p", "{\"gracePeriodSeconds\":60}"), 200); /* it can only get shorter */
    T_INT(jint(answer.doc, "metadata.deletionGracePeriodSeconds", 0), 30);
    T_INT(delete (PODS "/p?gracePeriodSeconds=0", NULL), 200);
    T_INT(get(PODS "/p"), 404);

    T_INT(post(PODS, "{\"metadata\":{\"name\":\"unbound\"}," POD_SPEC "}"), 201);
    T_INT(delete (PODS "/unbound", NULL), 200);
    T_INT(get(PODS "/unbound"), 404);
}

TEST(which_container_must_be_clear)
{
    T_INT(
        post(PODS,
             "{\"metadata\":{\"name\":\"two\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"a\",\"image\":"
             "\"i\"},{\"name\":\"b\",\"image\":\"i\"}],\"initContainers\":[{\"name\":\"z\",\"image\":\"i\"}]}}"),
        201);
    T_INT(get(PODS "/two/log"), 400);
    T_STR(text("message"),
          "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: "
          "[z]");
    T_INT(get(PODS "/two/exec?command=ls"), 400);
    T_INT(delete (PODS "/two?gracePeriodSeconds=0", NULL), 200);
}

TEST(finalizers_hold_an_object)
{
    T_INT(post(MAPS, "{\"metadata\":{\"name\":\"held\",\"finalizers\":[\"example.com/hold\"]}}"), 201);
    T_INT(delete (MAPS "/held", NULL), 200);
    T_STR(text("kind"), "ConfigMap");
    T_TRUE(text("metadata.deletionTimestamp") != NULL);
    T_INT(get(MAPS "/held"), 200);
    T_INT(merge(MAPS "/held", "{\"metadata\":{\"finalizers\":null}}"), 200);
    T_INT(get(MAPS "/held"), 404);
    T_INT(delete (DEPLOYMENTS "/d", "{\"propagationPolicy\":\"Foreground\"}"), 200);
    T_JSON(jget(answer.doc, "metadata.finalizers"), "[\"foregroundDeletion\"]");
    T_INT(delete (DEPLOYMENTS "/d", "{\"propagationPolicy\":\"Orphan\"}"), 200);
    T_JSON(jget(answer.doc, "metadata.finalizers"), "[\"orphan\"]");
    T_INT(delete (DEPLOYMENTS "/d", "{\"propagationPolicy\":\"Background\"}"), 200);
    T_INT(get(DEPLOYMENTS "/d"), 404);
}

TEST(namespaces_end_by_their_finalizer)
{
    T_INT(post("/api/v1/namespaces", "{\"metadata\":{\"name\":\"brief\"}}"), 201);
    T_STR(text("status.phase"), "Active");
    T_JSON(jget(answer.doc, "spec.finalizers"), "[\"kubernetes\"]");
    T_STR(json_string_value(json_object_get(jget(answer.doc, "metadata.labels"), "kubernetes.io/metadata.name")),
          "brief");
    T_INT(delete ("/api/v1/namespaces/brief", NULL), 200);
    T_STR(text("status.phase"), "Terminating");
    _cleanup_json_ json_t *ending = json_deep_copy(answer.doc);
    T_INT(post("/api/v1/namespaces/brief/configmaps", "{\"metadata\":{\"name\":\"late\"}}"), 403);
    T_STR(text("message"),
          "configmaps \"late\" is forbidden: unable to create new content in namespace brief because it is "
          "being terminated");
    jset(ending, "spec.finalizers", json_array());
    _cleanup_free_ char *body = jprint(ending);
    T_INT(put("/api/v1/namespaces/brief/finalize", body), 200);
    T_INT(get("/api/v1/namespaces/brief"), 404);
}

TEST(services_get_what_they_need)
{
    T_INT(post(SERVICES,
               "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":"
               "30123}]}}"),
          201);
    _cleanup_free_ char *ip = xstrdup(jstr_or(answer.doc, "spec.clusterIP", ""));
    T_TRUE(str_after(ip, "10.96.") != NULL);
    T_INT(post(SERVICES,
               "{\"metadata\":{\"name\":\"s2\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":"
               "30123}]}}"),
          422);
    T_STR(text("message"),
          "Service \"s2\" is invalid: spec.ports[0].nodePort: Invalid value: 30123: provided port is already "
          "allocated");
    T_INT(put(SERVICES "/s",
              "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80}]}}"),
          200);
    T_STR(text("spec.clusterIP"), ip);
    T_INT(jint(json_array_get(jget(answer.doc, "spec.ports"), 0), "nodePort", 0), 30123);
    T_INT(delete (SERVICES "/s", NULL), 200);
    T_INT(post(SERVICES,
               "{\"metadata\":{\"name\":\"s2\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":80,\"nodePort\":"
               "30123}]}}"),
          201);
    T_INT(delete (SERVICES "/s2", NULL), 200);
}

/* --- watching over HTTPS --- */

/* Runs until the stream has n lines more, and returns the last line's document. */
static json_t *next_event(struct reply *stream)
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
             "/api/v1/nodes?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&"
             "resourceVersionMatch=NotOlderThan",
             NULL, NULL, NULL);
    T_EVENT(&initial, "ADDED", "n1");
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

TEST(a_restart_keeps_everything)
{
    T_INT(post(SERVICES, "{\"metadata\":{\"name\":\"kept\"},\"spec\":{\"ports\":[{\"port\":80}]}}"), 201);
    _cleanup_free_ char *body =
        xasprintf("{\"metadata\":{\"name\":\"thief\"},\"spec\":{\"clusterIP\":\"%s\",\"ports\":[{\"port\":80}]}}",
                  text("spec.clusterIP"));
    stop_server();
    start_server();
    T_INT(get(SERVICES "/kept"), 200);
    T_INT(post(SERVICES, body), 422);
    /* A revision from before is no longer remembered: list again. */
    struct reply stream = {0};
    call(&stream, world.admin, "GET", MAPS "?watch=1&resourceVersion=3", NULL, NULL, NULL);
    _cleanup_json_ json_t *event = next_event(&stream);
    T_STR(jstr(event, "type"), "ERROR");
    T_INT(jint(event, "object.code", 0), 410);
    T_STR(jstr(event, "object.reason"), "Expired");
    T_TRUE(str_after(jstr(event, "object.message"), "too old resource version: 3 (") != NULL);
    run_until(&stream.done);
    buf_done(&stream.body);
}

TEST(what_the_server_says_about_itself)
{
    T_INT(get("/api"), 200);
    T_STR(text("kind"), "APIVersions");
    T_INT(get("/apis"), 200);
    T_STR(text("kind"), "APIGroupList");
    T_INT(get("/apis/apps"), 200);
    T_INT(get("/apis/apps/v1"), 200);
    T_STR(text("kind"), "APIResourceList");
    T_INT(get("/apis/nothing/v1"), 404);
    T_INT(ask_as(world.admin, "GET", "/apis",
                 "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", NULL, NULL),
          200);
    T_STR(text("kind"), "APIGroupDiscoveryList");
    T_INT(get("/openapi/v2"), 200);
    T_STR(text("swagger"), "2.0");
    T_INT(get("/openapi/v3"), 200);
    T_INT(get("/openapi/v3/apis/apps/v1"), 200);
    T_INT(get("/readyz?verbose"), 200);
    T_TRUE(str_ends_with(buf_str(&answer.body), "readyz check passed\n"));
    T_INT(get("/metrics"), 200);
    T_TRUE(strstr(buf_str(&answer.body), "apiserver_storage_objects{resource=\"deployments.apps\"}") != NULL);
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
    stop_server();
    uv_close((uv_handle_t *)&world.alarm, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&world.loop), 0);
    SSL_CTX_free(world.admin);
    SSL_CTX_free(world.anonymous);
    pki_done(&world.pki);
    buf_done(&unended.body);
    buf_done(&answer.body);
    json_decref(answer.doc);
    _cleanup_free_ char *remove_all = xasprintf("rm -rf %s", world.dir);
    T_INT(system(remove_all), 0);
}

int main(void)
{
    make_world();
    RUN(a_cluster_has_its_own_objects);
    RUN(one_object_through_its_life);
    RUN(names_are_made_from_generateName);
    RUN(a_dry_run_writes_nothing);
    RUN(errors_have_code_reason_and_words);
    RUN(bodies_that_are_no_objects);
    RUN(unknown_fields_are_warned_of);
    RUN(yaml_is_read_too);
    RUN(anonymous_may_look_at_little);
    RUN(lists_come_in_pages);
    RUN(tables_and_metadata);
    RUN(status_and_spec_have_doors_of_their_own);
    RUN(scale_is_a_window_on_replicas);
    RUN(pods_are_bound_once_and_stop_in_their_time);
    RUN(which_container_must_be_clear);
    RUN(finalizers_hold_an_object);
    RUN(namespaces_end_by_their_finalizer);
    RUN(services_get_what_they_need);
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
    RUN(what_the_server_says_about_itself);
    RUN(a_restart_keeps_everything);
    RUN(a_server_can_go_in_the_middle_of_things);
    RUN(the_world_ends);
    return DONE();
}
