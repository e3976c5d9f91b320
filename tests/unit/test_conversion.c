/* server/conversion.h: a definition of two versions between which a webhook converts, served from the same loop. v1 has
 * spec.hostPort, v2 has spec.host and spec.port. */
#include <signal.h>

#include "base/file.h"
#include "server_world.h"

#define CRDS "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
#define CRD CRDS "/tabs.test.io"
#define V1 "/apis/test.io/v1/namespaces/default/tabs"
#define V2 "/apis/test.io/v2/namespaces/default/tabs"

static struct {
    struct http_server *http;
    SSL_CTX *tls;
    int port;
    char *ca; /* base64 */
    int asked;
    const char *refusal; /* says that it cannot; or NULL */
    bool renames;        /* does what it may not */
} hook;

/* --- the webhook --- */

static json_t *converted(const json_t *object, const char *to)
{
    json_t *doc = json_deep_copy(object), *spec = jget(doc, "spec");
    if (streq(to, "test.io/v2")) {
        const char *both = jstr_or(spec, "hostPort", ":0"), *colon = strchr(both, ':');
        jset(spec, "host", json_stringn(both, (size_t)(colon - both)));
        jset_int(spec, "port", atoi(colon + 1));
        json_object_del(spec, "hostPort");
    } else {
        jset(spec, "hostPort", json_sprintf("%s:%d", jstr_or(spec, "host", ""), (int)jint(spec, "port", 0)));
        json_object_del(spec, "host");
        json_object_del(spec, "port");
    }
    jset_str(doc, "apiVersion", to);
    jset_str(doc, "metadata.labels.converted", "yes");
    jset_str(doc, "metadata.generateName", "not-mine-");
    if (hook.renames)
        jset_str(doc, "metadata.name", "other");
    return doc;
}

static void serve(void *arg, struct http_exchange *x)
{
    size_t len, i;
    struct err err;
    const char *body = http_body(x, &len);
    json_t *object, *objects = json_array();
    (void)arg;
    _cleanup_json_ json_t *review = jparse(body, len, &err);
    T_STR(jstr(review, "apiVersion"), "apiextensions.k8s.io/v1");
    hook.asked++;
    json_array_foreach(jget(review, "request.objects"), i, object)
        json_array_append_new(objects, converted(object, jstr(review, "request.desiredAPIVersion")));
    json_t *result = hook.refusal ? json_pack("{s:s, s:s}", "status", "Failed", "message", hook.refusal)
                                  : json_pack("{s:s}", "status", "Success");
    _cleanup_json_ json_t *doc =
        json_pack("{s:s, s:s, s:{s:s, s:o, s:o}}", "apiVersion", "apiextensions.k8s.io/v1", "kind", "ConversionReview",
                  "response", "uid", jstr(review, "request.uid"), "result", result, "convertedObjects", objects);
    _cleanup_free_ char *text = jprint(doc);
    http_reply(x, 200, "application/json", text, strlen(text));
}

static char *definition(const char *conversion)
{
    return xasprintf(
        "{\"metadata\":{\"name\":\"tabs.test.io\"},\"spec\":{\"group\":\"test.io\",\"scope\":\"Namespaced\",\"names\":{"
        "\"plural\":\"tabs\",\"singular\":\"tab\",\"kind\":\"Tab\",\"listKind\":\"TabList\"},\"conversion\":%s,"
        "\"versions\":["
        "{\"name\":\"v1\",\"served\":true,\"storage\":true,\"subresources\":{\"status\":{}},\"schema\":{"
        "\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{"
        "\"hostPort\":{\"type\":\"string\"}}},\"status\":{\"type\":\"object\",\"properties\":{\"up\":{\"type\":"
        "\"boolean\"}}}}}}},"
        "{\"name\":\"v2\",\"served\":true,\"storage\":false,\"subresources\":{\"status\":{}},\"schema\":{"
        "\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{"
        "\"host\":{\"type\":\"string\"},\"port\":{\"type\":\"integer\",\"maximum\":65535,\"default\":80}}},"
        "\"status\":{\"type\":\"object\",\"properties\":{\"up\":{\"type\":\"boolean\"}}}}}}}]}}",
        conversion);
}

TEST(definitions_say_who_converts)
{
    _cleanup_free_ char *none = definition("{\"strategy\":\"Webhook\"}"),
                        *both = definition("{\"strategy\":\"Webhook\",\"webhook\":{\"clientConfig\":{},"
                                           "\"conversionReviewVersions\":[\"v9\"]}}"),
                        *idle = definition("{\"strategy\":\"None\",\"webhook\":{\"clientConfig\":{}}}");
    T_INT(post(CRDS, none), 422);
    T_TRUE(strstr(text("message"),
                  "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook"));
    T_TRUE(strstr(text("message"), "spec.conversion.conversionReviewVersions: Required value"));
    T_INT(post(CRDS, both), 422);
    T_TRUE(strstr(text("message"), "exactly one of url or service is required"));
    T_TRUE(strstr(text("message"), "must include at least one of v1, v1beta1"));
    T_INT(post(CRDS, idle), 422);
    T_TRUE(strstr(text("message"), "should not be set when strategy is not set to Webhook"));
}

TEST(a_definition_with_a_webhook)
{
    struct err err;
    size_t len;
    hook.tls = tls_server_ctx(world.pki.server_cert, world.pki.server_key, NULL, &err);
    hook.http = http_server_new(&world.loop, hook.tls, serve, NULL);
    T_INT(http_server_listen(hook.http, -1, "127.0.0.1", 0, &hook.port, &err), 0);
    _cleanup_free_ char *pem = file_read(world.pki.ca_cert, 65536, &len, &err);
    hook.ca = base64_encode(pem, len);
    _cleanup_free_ char *conversion =
        xasprintf("{\"strategy\":\"Webhook\",\"webhook\":{\"conversionReviewVersions\":[\"v1\"],\"clientConfig\":{"
                  "\"url\":\"https://127.0.0.1:%d/convert\",\"caBundle\":\"%s\"}}}",
                  hook.port, hook.ca);
    _cleanup_free_ char *body = definition(conversion);
    T_INT(post(CRDS, body), 201);
    T_INT(merge(CRD "/status", "{\"status\":{\"acceptedNames\":{\"plural\":\"tabs\",\"singular\":\"tab\",\"kind\":"
                               "\"Tab\",\"listKind\":\"TabList\"},\"storedVersions\":[\"v1\"],\"conditions\":[{"
                               "\"type\":\"Established\",\"status\":\"True\"}]}}"),
          200);
}

TEST(each_version_is_read_and_written)
{
    T_INT(post(V1, "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"hostPort\":\"one:1\"}}"), 201);
    T_STR(text("spec.hostPort"), "one:1");
    T_INT(hook.asked, 0);
    T_INT(get(V2 "/a"), 200);
    T_STR(text("apiVersion"), "test.io/v2");
    T_JSON(jget(answer.doc, "spec"), "{\"host\":\"one\",\"port\":1}");
    T_STR(text("metadata.labels.converted"), "yes");
    T_STR(text("metadata.generateName"), NULL); /* not the webhook's to change */
    T_TRUE(text("metadata.uid"));
    T_INT(post(V2, "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"host\":\"two\"}}"), 201);
    T_STR(text("apiVersion"), "test.io/v2");
    T_JSON(jget(answer.doc, "spec"), "{\"host\":\"two\",\"port\":80}"); /* the default of its version */
    int asked = hook.asked;
    T_INT(get(V1 "/b"), 200);
    T_STR(text("spec.hostPort"), "two:80");
    T_INT(hook.asked, asked);
    T_INT(post(V2 "?dryRun=All", "{\"metadata\":{\"name\":\"dry\"},\"spec\":{\"host\":\"x\"}}"), 201);
    T_STR(text("spec.host"), "x");
    T_INT(post(V2, "{\"metadata\":{\"name\":\"bad\"},\"spec\":{\"port\":65536}}"), 422);
    T_STR(text("message"), "Tab.test.io \"bad\" is invalid: spec.port: Invalid value: 65536: spec.port in body should "
                           "be less than or equal to 65535");
    T_INT(post(V2, "{\"metadata\":{\"generateName\":\"g-\"},\"spec\":{\"host\":\"g\"}}"), 201);
    T_TRUE(str_after(text("metadata.name"), "g-"));
    _cleanup_free_ char *generated = xasprintf(V2 "/%s", text("metadata.name"));
    T_INT(delete (generated, NULL), 200);
}

TEST(updates_and_patches)
{
    T_INT(put(V2 "/b", "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"host\":\"deux\",\"port\":2}}"), 200);
    T_JSON(jget(answer.doc, "spec"), "{\"host\":\"deux\",\"port\":2}");
    T_INT(merge(V2 "/b", "{\"spec\":{\"port\":3}}"), 200);
    T_JSON(jget(answer.doc, "spec"), "{\"host\":\"deux\",\"port\":3}");
    T_INT(ask_as(world.admin, "PATCH", V2 "/b", NULL, "application/json-patch+json",
                 "[{\"op\":\"test\",\"path\":\"/spec/port\",\"value\":3},{\"op\":\"replace\",\"path\":\"/spec/host\","
                 "\"value\":\"zwei\"}]"),
          200);
    T_INT(merge(V2 "/b/status", "{\"status\":{\"up\":true}}"), 200);
    T_JSON(jget(answer.doc, "status"), "{\"up\":true}");
    T_INT(get(V1 "/b"), 200);
    T_STR(text("spec.hostPort"), "zwei:3");
    T_INT(jint(answer.doc, "metadata.generation", 0), 4);
    T_INT(merge(V2 "/b", "{\"spec\":{\"port\":-1,\"host\":7}}"), 422);
    T_INT(merge(V2 "/nobody", "{}"), 404);
    T_INT(ask_as(world.admin, "PATCH", V2 "/b?fieldManager=m", NULL, "application/apply-patch+yaml",
                 "{\"apiVersion\":\"test.io/v2\",\"kind\":\"Tab\",\"metadata\":{\"name\":\"b\"}}"),
          400);
    T_INT(ask_as(world.admin, "PATCH", V1 "/b?fieldManager=m&force=true", NULL, "application/apply-patch+yaml",
                 "{\"apiVersion\":\"test.io/v1\",\"kind\":\"Tab\",\"metadata\":{\"name\":\"b\"},\"spec\":{\"hostPort\":"
                 "\"zwei:3\"}}"),
          200);
}

TEST(lists_and_watches)
{
    T_INT(get(V2), 200);
    T_STR(text("apiVersion"), "test.io/v2");
    const json_t *items = jget(answer.doc, "items");
    T_INT(json_array_size(items), 2);
    T_STR(jstr(json_array_get(items, 0), "spec.host"), "one");
    T_STR(jstr(json_array_get(items, 1), "spec.host"), "zwei");
    struct reply stream = {0};
    struct http_call *c = call(&stream, world.admin, "GET", V2 "?watch=1", NULL, NULL, NULL);
    T_EVENT(&stream, "ADDED", "a");
    T_EVENT(&stream, "ADDED", "b");
    T_INT(merge(V1 "/a", "{\"spec\":{\"hostPort\":\"uno:11\"}}"), 200);
    T_INT(post(V1, "{\"metadata\":{\"name\":\"c\"},\"spec\":{\"hostPort\":\"three:3\"}}"), 201);
    T_INT(delete (V1 "/c", NULL), 200);
    _cleanup_json_ json_t *changed = next_event(&stream);
    T_STR(jstr(changed, "type"), "MODIFIED");
    T_JSON(jget(changed, "object.spec"), "{\"host\":\"uno\",\"port\":11}");
    T_EVENT(&stream, "ADDED", "c");
    T_EVENT(&stream, "DELETED", "c");
    hook.refusal = "out of order";
    T_INT(merge(V1 "/a", "{\"spec\":{\"hostPort\":\"eins:11\"}}"), 200);
    _cleanup_json_ json_t *failed = next_event(&stream);
    T_STR(jstr(failed, "type"), "ERROR");
    T_STR(jstr(failed, "object.message"), "conversion webhook for test.io/v1, Kind=Tab failed: out of order");
    run_until(&stream.done);
    buf_done(&stream.body);
    (void)c;
}

TEST(who_cannot_convert_is_told)
{
    T_INT(get(V2 "/a"), 500);
    T_STR(text("message"), "conversion webhook for test.io/v1, Kind=Tab failed: out of order");
    T_INT(get(V2), 500);
    T_INT(get(V1 "/a"), 200);
    T_INT(put(V2 "/a", "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"host\":\"x\"}}"), 500);
    T_STR(text("message"), "conversion webhook for test.io/v2, Kind=Tab failed: out of order");
    T_INT(merge(V2 "/a", "{\"spec\":{\"host\":\"x\"}}"), 500);
    hook.refusal = NULL;
    hook.renames = true;
    T_INT(get(V2 "/a"), 500);
    T_STR(text("message"), "conversion webhook for test.io/v1, Kind=Tab failed: must have the same name: a != other");
    hook.renames = false;
    T_INT(get(V1 "/a"), 200);
    T_STR(text("spec.hostPort"), "eins:11");
}

/* What was written before keeps its version until it is written again. */
TEST(another_version_is_kept_from_now_on)
{
    T_INT(ask_as(world.admin, "PATCH", CRD, NULL, "application/json-patch+json",
                 "[{\"op\":\"replace\",\"path\":\"/spec/versions/0/storage\",\"value\":false},{\"op\":\"replace\","
                 "\"path\":\"/spec/versions/1/storage\",\"value\":true}]"),
          200);
    T_INT(post(V2, "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"host\":\"four\",\"port\":4}}"), 201);
    T_INT(get(V2), 200);
    const json_t *items = jget(answer.doc, "items");
    T_INT(json_array_size(items), 3);
    T_STR(jstr(json_array_get(items, 0), "spec.host"), "eins");
    T_STR(jstr(json_array_get(items, 2), "spec.host"), "four");
    T_INT(get(V1), 200);
    T_STR(jstr(json_array_get(jget(answer.doc, "items"), 0), "spec.hostPort"), "eins:11");
    T_STR(jstr(json_array_get(jget(answer.doc, "items"), 2), "spec.hostPort"), "four:4");
    T_INT(merge(V1 "/a", "{\"metadata\":{\"finalizers\":[\"test.io/stay\"]},\"spec\":{\"hostPort\":\"un:1\"}}"), 200);
    T_STR(text("spec.hostPort"), "un:1");
    T_INT(merge(V2 "/b", "{\"spec\":{\"port\":33}}"), 200);
    T_JSON(jget(answer.doc, "spec"), "{\"host\":\"zwei\",\"port\":33}");
    T_INT(delete (V2 "/a", NULL), 200);
    T_INT(merge(V2 "/a", "{\"metadata\":{\"finalizers\":[]}}"), 200);
    T_INT(get(V2 "/a"), 404);
}

/* A request that waits when the server goes is let go. */
TEST(the_world_ends)
{
    struct reply cut = {.may_be_cut = true};
    call(&cut, world.admin, "GET", V1 "/b", NULL, NULL, NULL);
    uv_run(&world.loop, UV_RUN_NOWAIT);
    http_server_free(hook.http);
    SSL_CTX_free(hook.tls);
    free(hook.ca);
    end_world();
    buf_done(&cut.body);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    make_world();
    RUN(definitions_say_who_converts);
    RUN(a_definition_with_a_webhook);
    RUN(each_version_is_read_and_written);
    RUN(updates_and_patches);
    RUN(lists_and_watches);
    RUN(who_cannot_convert_is_told);
    RUN(another_version_is_kept_from_now_on);
    RUN(the_world_ends);
    return DONE();
}
