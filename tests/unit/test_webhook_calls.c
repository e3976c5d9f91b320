/* server/webhooks.h: requests that wait for webhooks, which are served from the same loop, over HTTPS. */
#include <signal.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/str.h"
#include "server/inflight.h"
#include "server_world.h"

#define HOOKS "/apis/admissionregistration.k8s.io/v1"
#define CONFIGMAPS "/api/v1/namespaces/default/configmaps"

static struct {
    struct http_server *http;
    SSL_CTX *tls;
    int port;
    char *ca;           /* base64 */
    int asked;          /* questions so far */
    char operation[16]; /* of the last one */
    char about[80];     /* and what it was about: "deployments/scale Scale" */
    bool silent;        /* does not answer */
    bool refuses_deletion;
} hook;

static void answer_review(struct http_exchange *x, const json_t *review)
{
    const json_t *object = jget(review, "request.object");
    const char *data = jstr_or(object, "data.do", "");
    bool refuses =
        streq(data, "refuse") || (hook.refuses_deletion && streq(jstr_or(review, "request.operation", ""), "DELETE"));
    json_t *response = json_pack("{s:s, s:b}", "uid", jstr(review, "request.uid"), "allowed", !refuses);
    if (refuses)
        jset(response, "status", json_pack("{s:s, s:i}", "message", "not this one", "code", 403));
    if (streq(http_path(x), "/mutate") && streq(data, "change")) {
        static const char ops[] = "[{\"op\":\"add\",\"path\":\"/data/changed\",\"value\":\"yes\"}]";
        _cleanup_free_ char *patch = base64_encode(ops, strlen(ops));
        jset_str(response, "patch", patch);
        jset_str(response, "patchType", "JSONPatch");
    }
    if (streq(http_path(x), "/more") && jhas(object, "spec.replicas")) {
        _cleanup_free_ char *ops = xasprintf("[{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":%d}]",
                                             (int)jint(object, "spec.replicas", 0) + 1);
        _cleanup_free_ char *patch = base64_encode(ops, strlen(ops));
        jset_str(response, "patch", patch);
        jset_str(response, "patchType", "JSONPatch");
    }
    if (streq(data, "warn"))
        jset(response, "warnings", json_pack("[s]", "careful"));
    _cleanup_json_ json_t *answer_doc = json_pack("{s:s, s:s, s:o}", "apiVersion", "admission.k8s.io/v1", "kind",
                                                  "AdmissionReview", "response", response);
    _cleanup_free_ char *text = jprint(answer_doc);
    http_reply(x, 200, "application/json", text, strlen(text));
}

/* Who asked has given up. */
static void forget(void *arg)
{
    (void)arg;
}

static void serve(void *arg, struct http_exchange *x)
{
    size_t len;
    struct err err;
    const char *body = http_body(x, &len);
    (void)arg;
    _cleanup_json_ json_t *review = jparse(body, len, &err);
    T_TRUE(review);
    hook.asked++;
    snprintf(hook.operation, sizeof(hook.operation), "%s", jstr_or(review, "request.operation", ""));
    snprintf(hook.about, sizeof(hook.about), "%s/%s %s", jstr_or(review, "request.resource.resource", ""),
             jstr_or(review, "request.subResource", ""), jstr_or(review, "request.object.kind", "-"));
    if (hook.silent)
        http_on_gone(x, forget, NULL);
    else
        answer_review(x, review);
}

TEST(a_webhook_to_ask)
{
    struct err err;
    size_t len;
    hook.tls = tls_server_ctx(world.pki.server_cert, world.pki.server_key, NULL, &err);
    hook.http = http_server_new(&world.loop, hook.tls, serve, NULL);
    T_INT(http_server_listen(hook.http, -1, "::", 0, &hook.port, &err), 0);
    _cleanup_free_ char *pem = file_read(world.pki.ca_cert, 65536, &len, &err);
    hook.ca = base64_encode(pem, len);
}

static const char *hook_host = "127.0.0.1";

static int configure(const char *kind, const char *name, const char *path, const char *more)
{
    _cleanup_free_ char *target = xasprintf(HOOKS "/%swebhookconfigurations", kind);
    _cleanup_free_ char *body = xasprintf(
        "{\"metadata\":{\"name\":\"%s\"},\"webhooks\":[{\"name\":\"%s.test.io\",\"clientConfig\":{\"url\":"
        "\"https://%s:%d%s\",\"caBundle\":\"%s\"},\"rules\":[{\"operations\":[\"CREATE\",\"UPDATE\",\"DELETE\"],"
        "\"apiGroups\":[\"\"],\"apiVersions\":[\"v1\"],\"resources\":[\"configmaps\"]}],\"sideEffects\":\"None\","
        "\"admissionReviewVersions\":[\"v1\"]%s}]}",
        name, name, hook_host, hook.port, path, hook.ca, more);
    return post(target, body);
}

TEST(validating_webhooks_may_refuse)
{
    T_INT(configure("validating", "v", "/validate", ""), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"good\"},\"data\":{\"do\":\"warn\"}}"), 201);
    T_STR(answer.warning, "299 - \"careful\"");
    T_STR(hook.operation, "CREATE");
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"bad\"},\"data\":{\"do\":\"refuse\"}}"), 403);
    T_STR(text("message"), "admission webhook \"v.test.io\" denied the request: not this one");
    T_INT(get(CONFIGMAPS "/bad"), 404);
    T_INT(merge(CONFIGMAPS "/good", "{\"data\":{\"do\":\"refuse\"}}"), 403);
    T_STR(hook.operation, "UPDATE");
    T_INT(merge(CONFIGMAPS "/good", "{\"data\":{\"do\":\"fine\"}}"), 200);
    int asked = hook.asked;
    T_INT(post("/api/v1/namespaces/default/secrets", "{\"metadata\":{\"name\":\"s\"}}"), 201);
    T_INT(hook.asked, asked); /* not its business */
    T_INT(delete (CONFIGMAPS "/good", NULL), 200);
    T_STR(hook.operation, "DELETE");
    T_INT(get(CONFIGMAPS "/good"), 404);
}

TEST(mutating_webhooks_come_first)
{
    T_INT(configure("mutating", "m", "/mutate", ""), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"c\"},\"data\":{\"do\":\"change\"}}"), 201);
    T_STR(text("data.changed"), "yes");
    T_INT(post(CONFIGMAPS "?dryRun=All", "{\"metadata\":{\"name\":\"d\"},\"data\":{\"do\":\"change\"}}"), 201);
    T_STR(text("data.changed"), "yes");
    T_INT(put(CONFIGMAPS "/c", "{\"metadata\":{\"name\":\"c\"},\"data\":{\"do\":\"change\",\"x\":\"1\"}}"), 200);
    T_STR(text("data.changed"), "yes");
    T_INT(delete (HOOKS "/mutatingwebhookconfigurations/m", NULL), 200);
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/v", NULL), 200);
}

/* A mutating webhook for everything about the named resources; what it wants is in the configuration's own name. */
static int configure_for(const char *resources, const char *path)
{
    _cleanup_free_ char *body = xasprintf(
        "{\"metadata\":{\"name\":\"x\"},\"webhooks\":[{\"name\":\"x.test.io\",\"clientConfig\":{\"url\":"
        "\"https://127.0.0.1:%d%s\",\"caBundle\":\"%s\"},\"rules\":[{\"operations\":[\"*\"],\"apiGroups\":[\"*\"],"
        "\"apiVersions\":[\"*\"],\"resources\":[%s]}],\"sideEffects\":\"None\",\"admissionReviewVersions\":[\"v1\"]}]}",
        hook.port, path, hook.ca, resources);
    return post(HOOKS "/mutatingwebhookconfigurations", body);
}

#define PODS "/api/v1/namespaces/default/pods"
#define SCALE "/apis/apps/v1/namespaces/default/deployments/d/scale"

TEST(what_acts_on_an_object_is_asked_about)
{
    T_INT(post(PODS, "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"),
          201);
    T_INT(post("/apis/apps/v1/namespaces/default/deployments",
               "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{"
               "\"metadata\":"
               "{\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"),
          201);
    T_INT(configure_for("\"pods/*\",\"*/scale\",\"serviceaccounts/token\"", "/more"), 201);
    T_INT(post(PODS "/p/binding", "{\"metadata\":{\"name\":\"p\"},\"target\":{\"kind\":\"Node\",\"name\":\"n\"}}"),
          201);
    T_STR(hook.about, "pods/binding Binding");
    T_STR(hook.operation, "CREATE");
    T_INT(put(SCALE, "{\"spec\":{\"replicas\":3}}"), 200);
    T_STR(hook.about, "deployments/scale Scale");
    T_STR(hook.operation, "UPDATE");
    T_INT((int)jint(answer.doc, "spec.replicas", 0), 4); /* one more than was asked for */
    T_INT(merge(SCALE, "{\"spec\":{\"replicas\":1}}"), 200);
    T_INT((int)jint(answer.doc, "spec.replicas", 0), 2);
    T_INT(get(PODS "/p/exec?command=ls&stdout=true"), 404); /* its node is not there */
    T_STR(hook.about, "pods/exec PodExecOptions");
    T_STR(hook.operation, "CONNECT");
    T_INT(post(PODS "/p/eviction", "{\"metadata\":{\"name\":\"p\"}}"), 201);
    T_STR(hook.about, "pods/eviction Eviction");
    T_INT(delete (HOOKS "/mutatingwebhookconfigurations/x", NULL), 200);
}

TEST(each_of_a_collection_is_asked_about)
{
    T_INT(configure_for("\"configmaps\"", "/mutate"), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"m1\",\"labels\":{\"of\":\"us\"}}}"), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"m2\",\"labels\":{\"of\":\"us\"}}}"), 201);
    int asked = hook.asked;
    T_INT(delete (CONFIGMAPS "?labelSelector=of%3Dus&dryRun=All", NULL), 200);
    T_INT(hook.asked, asked + 2);
    T_INT(get(CONFIGMAPS "/m1"), 200);
    hook.refuses_deletion = true;
    T_INT(delete (CONFIGMAPS "?labelSelector=of%3Dus", NULL), 403);
    T_STR(text("message"), "admission webhook \"x.test.io\" denied the request: not this one");
    hook.refuses_deletion = false;
    T_INT(delete (CONFIGMAPS "?labelSelector=of%3Dus", NULL), 200);
    T_INT((int)json_array_size(jget(answer.doc, "items")), 2);
    T_STR(hook.operation, "DELETE");
    T_INT(get(CONFIGMAPS "/m1"), 404);
    T_INT(get(CONFIGMAPS "/m2"), 404);
    T_INT(delete (HOOKS "/mutatingwebhookconfigurations/x", NULL), 200);
}

TEST(silence_is_what_the_policy_says)
{
    hook.silent = true;
    T_INT(configure("validating", "f", "/validate", ",\"timeoutSeconds\":1"), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"f\"}}"), 500);
    _cleanup_free_ char *expected =
        xasprintf("Internal error occurred: failed calling webhook \"f.test.io\": failed to call webhook: Post "
                  "\"https://127.0.0.1:%d/validate?timeout=1s\": context deadline exceeded",
                  hook.port);
    T_STR(text("message"), expected);
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/f", NULL), 200);
    T_INT(configure("validating", "i", "/validate", ",\"timeoutSeconds\":1,\"failurePolicy\":\"Ignore\""), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"i\"}}"), 201);
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/i", NULL), 200);
    hook.silent = false;
}

/* What hangs counts; others, and who repairs clusters, are served meanwhile. */
TEST(a_user_with_too_much_under_way_is_told_to_wait)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    T_INT(post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
               "{\"metadata\":{\"name\":\"alice\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":"
               "\"ClusterRole\",\"name\":\"cluster-admin\"},\"subjects\":[{\"kind\":\"User\",\"apiGroup\":"
               "\"rbac.authorization.k8s.io\",\"name\":\"alice\"}]}"),
          201);
    hook.silent = true;
    T_INT(configure("validating", "h", "/validate", ",\"timeoutSeconds\":30"), 201);
    static struct reply hanging[INFLIGHT_MAX];
    static struct http_call *calls[INFLIGHT_MAX];
    int asked = hook.asked;
    extra_header = (struct http_header){"Impersonate-User", "alice"};
    for (int i = 0; i < INFLIGHT_MAX; i++)
        calls[i] = call(&hanging[i], world.admin, "POST", CONFIGMAPS, NULL, "application/json",
                        "{\"metadata\":{\"generateName\":\"hangs-\"}}");
    uv_timer_start(&world.alarm, on_alarm, 3 * TIME_LIMIT_MS, 0); /* 800 handshakes, under sanitizers too */
    while (hook.asked < asked + INFLIGHT_MAX)
        uv_run(&world.loop, UV_RUN_ONCE);
    uv_timer_stop(&world.alarm);
    T_INT(get(CONFIGMAPS), 429);
    T_STR(text("reason"), "TooManyRequests");
    T_STR(answer.retry_after, "1");
    extra_header = (struct http_header){0};
    T_INT(get(CONFIGMAPS), 200);
    for (int i = 0; i < INFLIGHT_MAX; i++)
        http_call_cancel(calls[i]);
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/h", NULL), 200);
    hook.silent = false;
}

TEST(a_webhook_may_be_named_by_its_ipv6_address)
{
    hook_host = "[::1]";
    T_INT(configure("validating", "v6", "/validate", ""), 201);
    hook_host = "127.0.0.1";
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"bad\"},\"data\":{\"do\":\"refuse\"}}"), 403);
    T_STR(text("message"), "admission webhook \"v6.test.io\" denied the request: not this one");
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/v6", NULL), 200);
}

TEST(a_stranger_is_not_trusted)
{
    _cleanup_free_ char *ca = hook.ca;
    hook.ca = xstrdup("");
    T_INT(configure("validating", "s", "/validate", ""), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"s\"}}"), 500);
    T_TRUE(str_after(text("message"), "Internal error occurred: failed calling webhook \"s.test.io\"") != NULL);
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/s", NULL), 200);
    free(hook.ca);
    hook.ca = TAKE(ca);
}

#define CONDITION(expression) ",\"matchConditions\":[{\"name\":\"a\",\"expression\":\"" expression "\"}]"

TEST(configurations_are_checked)
{
    T_INT(configure("validating", "t", "/validate", ",\"timeoutSeconds\":31"), 422);
    T_TRUE(strstr(text("message"), "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 "
                                   "and 30 seconds") != NULL);
    T_INT(configure("validating", "t", "/validate", CONDITION("request.nosuch == 1")), 422);
    T_TRUE(strstr(text("message"), "webhooks[0].matchConditions[0].expression: Invalid value: \"request.nosuch == 1\": "
                                   "compilation failed: ERROR: <input>:1:8: undefined field 'nosuch'") != NULL);
    T_INT(configure("validating", "t", "/validate", CONDITION("1 + 1")), 422);
    T_TRUE(strstr(text("message"), "must evaluate to bool") != NULL);
}

TEST(conditions_decide_who_is_asked)
{
    T_INT(configure("validating", "c", "/validate",
                    CONDITION("object.metadata.name != 'skip-me' && request.operation == 'CREATE' && request.userInfo."
                              "username != ''")),
          201);
    int asked = hook.asked;
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"skip-me\"}}"), 201);
    T_INT(hook.asked, asked);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"ask-me\"}}"), 201);
    T_INT(hook.asked, asked + 1);
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/c", NULL), 200);
    T_INT(configure("validating", "c", "/validate", CONDITION("object.data.nosuch == 'a'")), 201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"torn\"}}"), 403);
    T_STR(text("message"),
          "configmaps \"torn\" is forbidden: expression 'object.data.nosuch == 'a'' resulted in error: no "
          "such key: data");
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/c", NULL), 200);
    T_INT(configure("validating", "c", "/validate",
                    ",\"failurePolicy\":\"Ignore\"" CONDITION("object.data.nosuch == 'a'")),
          201);
    T_INT(post(CONFIGMAPS, "{\"metadata\":{\"name\":\"torn\"}}"), 201);
    T_INT(hook.asked, asked + 1);
    T_INT(delete (HOOKS "/validatingwebhookconfigurations/c", NULL), 200);
}

/* A request that waits when the server goes is let go. */
TEST(the_world_ends)
{
    hook.silent = true;
    T_INT(configure("validating", "w", "/validate", ""), 201);
    _cleanup_json_ json_t *map =
        json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "ConfigMap", "metadata", "name", "waits");
    int asked = hook.asked;
    client_create(world.client, &kind_configmap, "default", map, NULL, NULL);
    uv_timer_start(&world.alarm, on_alarm, TIME_LIMIT_MS, 0);
    while (hook.asked == asked)
        uv_run(&world.loop, UV_RUN_ONCE);
    uv_timer_stop(&world.alarm);
    http_server_free(hook.http);
    SSL_CTX_free(hook.tls);
    free(hook.ca);
    end_world();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    make_world();
    RUN(a_webhook_to_ask);
    RUN(validating_webhooks_may_refuse);
    RUN(mutating_webhooks_come_first);
    RUN(what_acts_on_an_object_is_asked_about);
    RUN(each_of_a_collection_is_asked_about);
    RUN(silence_is_what_the_policy_says);
    RUN(a_user_with_too_much_under_way_is_told_to_wait);
    RUN(a_webhook_may_be_named_by_its_ipv6_address);
    RUN(a_stranger_is_not_trusted);
    RUN(configurations_are_checked);
    RUN(conditions_decide_who_is_asked);
    RUN(the_world_ends);
    return DONE();
}
