/* server/aggregator.h: a group of somebody else's behind a Service, over HTTPS, in a network of our own in which the
 * Service's address is on the loopback. */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "base/file.h"
#include "server/authn.h"
#include "server_world.h"

#define API_SERVICES "/apis/apiregistration.k8s.io/v1/apiservices"
#define IP "10.96.5.5"
#define PORT 7443
#define GROUP "wardle.example.com"
#define NAME "v1alpha1." GROUP
#define PATH "/apis/" GROUP "/v1alpha1"
#define DISCOVERY "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

static struct {
    struct http_server *http;
    SSL_CTX *tls;
    int asked;      /* but for discovery */
    char who[64];   /* by whose certificate */
    char as[200];   /* "USER GROUP,GROUP KEY=VALUE" */
    char line[200]; /* "METHOD /path?query" */
    char body[100];
    bool had_token;
} other;

/* --- the other server --- */

static void note_identity(const struct http_exchange *x)
{
    struct buf as = BUF_INIT(sizeof(other.as) - 1);
    const char *group;
    buf_adds(&as, str_or(http_get_header(x, "X-Remote-User"), "-"));
    for (size_t i = 0; (group = http_get_header_nth(x, "X-Remote-Group", i)); i++)
        buf_addf(&as, "%c%s", i ? ',' : ' ', group);
    for (const struct http_header *h = http_headers(x); h->name; h++)
        if (strncasecmp(h->name, "X-Remote-Extra-", 15) == 0)
            buf_addf(&as, " %s=%s", h->name + 15, h->value);
    snprintf(other.as, sizeof(other.as), "%s", buf_str(&as));
    buf_done(&as);
    struct user *peer = user_from_cert(http_peer_cert(x));
    snprintf(other.who, sizeof(other.who), "%s", peer->name);
    user_free(peer);
    other.had_token = http_get_header(x, "Authorization") != NULL;
}

static void serve(void *arg, struct http_exchange *x)
{
    static const char resources[] =
        "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"" GROUP "/v1alpha1\",\"resources\":["
        "{\"name\":\"flunders\",\"singularName\":\"flunder\",\"namespaced\":true,\"kind\":\"Flunder\",\"verbs\":"
        "[\"get\",\"list\"],\"shortNames\":[\"fl\"]},"
        "{\"name\":\"flunders/status\",\"singularName\":\"\",\"namespaced\":true,\"kind\":\"Flunder\",\"verbs\":"
        "[\"get\"]}]}";
    static const char flunder[] = "{\"kind\":\"Flunder\",\"metadata\":{\"name\":\"f\"}}";
    size_t len;
    const char *body = http_body(x, &len);
    (void)arg;
    if (streq(http_path(x), PATH)) {
        http_reply(x, 200, "application/json", resources, strlen(resources));
        return;
    }
    other.asked++;
    note_identity(x);
    snprintf(other.line, sizeof(other.line), "%s %s%s%s", http_method(x), http_path(x), *http_query(x) ? "?" : "",
             http_query(x));
    snprintf(other.body, sizeof(other.body), "%.*s", (int)len, str_or(body, ""));
    http_reply(x, 200, "application/json", flunder, strlen(flunder));
}

static void start_other(void)
{
    struct err err;
    char *cert, *key;
    T_INT(pki_ensure_node(&world.pki, "sample.default.svc", IP, &cert, &key, &err), 0);
    other.tls = tls_server_ctx(cert, key, world.pki.front_proxy_ca, &err);
    other.http = http_server_new(&world.loop, other.tls, serve, NULL);
    T_INT(http_server_listen(other.http, -1, IP, PORT, NULL, &err), 0);
    free(cert);
    free(key);
}

/* --- questions --- */

static const char *available(const char *member)
{
    T_INT(get(API_SERVICES "/" NAME), 200);
    return jstr_or(jfind(jget(answer.doc, "status.conditions"), "type", "Available"), member, "");
}

static void await(bool (*holds)(void))
{
    int64_t limit = clock_mono_ms() + TIME_LIMIT_MS;
    while (!holds() && clock_mono_ms() < limit)
        ;
    T_TRUE(holds());
}

static bool is_available(void)
{
    return streq(available("status"), "True");
}

static bool no_service(void)
{
    return streq(available("reason"), "ServiceNotFound");
}

static bool no_endpoints(void)
{
    return streq(available("reason"), "EndpointsNotFound");
}

static bool not_asked(void)
{
    return streq(available("reason"), "FailedDiscoveryCheck");
}

static bool core_is_back(void)
{
    return get(API_SERVICES "/v1.apps") == 200;
}

/* --- tests --- */

TEST(what_is_served_here_is_local)
{
    T_INT(get(API_SERVICES "/v1."), 200);
    T_JSON(jget(answer.doc, "metadata.labels"), "{\"kube-aggregator.kubernetes.io/automanaged\":\"onstart\"}");
    T_STR(jstr(jfind(jget(answer.doc, "status.conditions"), "type", "Available"), "reason"), "Local");
    T_INT(delete (API_SERVICES "/v1.apps", NULL), 200);
    await(core_is_back);
    T_STR(jstr(jfind(jget(answer.doc, "status.conditions"), "type", "Available"), "status"), "True");
}

#define SPEC(more) "\"spec\":{\"group\":\"" GROUP "\",\"version\":\"v1alpha1\"," more "}"
#define BEHIND(more)                                                                                                   \
    SPEC("\"groupPriorityMinimum\":2000,\"versionPriority\":200,\"service\":{\"name\":\"sample\",\"namespace\":"       \
         "\"default\",\"port\":7443}" more)

TEST(api_services_are_checked)
{
    T_INT(post(API_SERVICES, "{\"metadata\":{\"name\":\"x\"}," BEHIND("") "}"), 422);
    T_STR(text("message"),
          "APIService.apiregistration.k8s.io \"x\" is invalid: metadata.name: Invalid value: \"x\": must "
          "be `spec.version+\".\"+spec.group`: \"" NAME "\"");
    T_INT(post(API_SERVICES, "{\"metadata\":{\"name\":\"" NAME "\"}," SPEC("\"versionPriority\":2000") "}"), 422);
    T_TRUE(strstr(text("message"), "spec.groupPriorityMinimum: Invalid value"));
    T_TRUE(strstr(text("message"), "spec.versionPriority: Invalid value: 2000: must be positive and less than 1000"));
    T_INT(post(API_SERVICES, "{\"metadata\":{\"name\":\"" NAME "\"}," BEHIND(",\"caBundle\":\"eA==\","
                                                                             "\"insecureSkipTLSVerify\":true") "}"),
          422);
    T_TRUE(strstr(text("message"), "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is"));
}

TEST(what_is_missing_is_told)
{
    struct err err;
    _cleanup_free_ char *pem = file_read(world.pki.ca_cert, 65536, NULL, &err), *ca = base64_encode(pem, strlen(pem));
    _cleanup_free_ char *body =
        xasprintf("{\"metadata\":{\"name\":\"" NAME "\"}," BEHIND(",\"caBundle\":\"%s\"") "}", ca);
    T_INT(post(API_SERVICES, body), 201);
    await(no_service);
    T_STR(available("message"), "service/sample in \"default\" is not present");
    T_INT(get(PATH "/flunders"), 503);
    T_STR(text("reason"), "ServiceUnavailable");
    T_INT(post("/api/v1/namespaces/default/services",
               "{\"metadata\":{\"name\":\"sample\"},\"spec\":{\"clusterIP\":\"" IP "\",\"ports\":[{\"port\":7443}]}}"),
          201);
    await(no_endpoints);
    T_INT(post("/api/v1/namespaces/default/endpoints",
               "{\"metadata\":{\"name\":\"sample\"},\"subsets\":[{\"addresses\":[{\"ip\":\"10.244.0.9\"}],\"ports\":"
               "[{\"port\":7443}]}]}"),
          201);
    await(not_asked);
    T_TRUE(strstr(available("message"), "failing or missing response from https://" IP ":7443" PATH ": "));
    start_other();
    await(is_available);
    T_STR(available("message"), "all checks passed");
}

TEST(requests_are_passed_on_with_a_name)
{
    T_INT(get(PATH "/namespaces/default/flunders/f?x=1"), 200);
    T_STR(text("kind"), "Flunder");
    T_STR(other.line, "GET " PATH "/namespaces/default/flunders/f?x=1");
    T_STR(other.who, "front-proxy-client");
    T_STR(other.as, "kubernetes-admin system:masters,system:authenticated");
    T_INT(post(PATH "/namespaces/default/flunders", "{\"a\":1}"), 200);
    T_STR(other.body, "{\"a\":1}");
    extra_header = (struct http_header){"X-Remote-User", "root"}; /* nobody says himself who he is */
    T_INT(get(PATH "/flunders"), 200);
    T_STR(other.as, "kubernetes-admin system:masters,system:authenticated");
    extra_header = (struct http_header){0};
}

TEST(who_may_not_ask_is_refused_here)
{
    int asked = other.asked;
    T_INT(ask_as(world.anonymous, "GET", PATH "/flunders", NULL, NULL, NULL), 403);
    T_STR(text("message"),
          "flunders." GROUP " is forbidden: User \"system:anonymous\" cannot list resource \"flunders\" "
          "in API group \"" GROUP "\" at the cluster scope");
    T_INT(other.asked, asked);
}

TEST(clients_find_it)
{
    T_INT(get("/apis"), 200);
    const json_t *group = jfind(jget(answer.doc, "groups"), "name", GROUP);
    T_STR(jstr(group, "preferredVersion.groupVersion"), GROUP "/v1alpha1");
    T_INT(get("/apis/" GROUP), 200);
    T_STR(text("kind"), "APIGroup");
    T_INT(get(PATH), 200);
    T_STR(text("kind"), "APIResourceList");
    T_INT(ask_as(world.admin, "GET", "/apis", DISCOVERY, NULL, NULL), 200);
    const json_t *items = jget(answer.doc, "items"), *last = json_array_get(items, json_array_size(items) - 1);
    T_STR(jstr(last, "metadata.name"), GROUP);
    T_JSON(jget(last, "versions"),
           "[{\"version\":\"v1alpha1\",\"freshness\":\"Current\",\"resources\":[{\"resource\":\"flunders\","
           "\"responseKind\":{\"group\":\"" GROUP "\",\"version\":\"v1alpha1\",\"kind\":\"Flunder\"},\"scope\":"
           "\"Namespaced\",\"singularResource\":\"flunder\",\"verbs\":[\"get\",\"list\"],\"shortNames\":[\"fl\"],"
           "\"subresources\":[{\"subresource\":\"status\",\"responseKind\":{\"group\":\"" GROUP "\",\"version\":"
           "\"v1alpha1\",\"kind\":\"Flunder\"},\"verbs\":[\"get\"]}]}]}]");
    T_INT(get("/openapi/v3"), 200);
    T_STR(jstr(json_object_get(jget(answer.doc, "paths"), "apis/" GROUP "/v1alpha1"), "serverRelativeURL"),
          "/openapi/v3" PATH);
    T_INT(get("/openapi/v3" PATH), 200);
    T_STR(other.line, "GET /openapi/v3" PATH);
}

TEST(what_goes_away_is_not_offered)
{
    T_INT(delete ("/api/v1/namespaces/default/services/sample", NULL), 200);
    await(no_service);
    T_INT(get(PATH "/flunders"), 503);
    T_INT(ask_as(world.admin, "GET", "/apis", DISCOVERY, NULL, NULL), 200);
    const json_t *items = jget(answer.doc, "items"), *last = json_array_get(items, json_array_size(items) - 1);
    T_STR(jstr(json_array_get(jget(last, "versions"), 0), "freshness"), "Stale");
    T_INT(delete (API_SERVICES "/" NAME, NULL), 200);
    T_INT(get(PATH "/flunders"), 404);
    T_INT(get(PATH), 404);
    T_INT(get("/apis/" GROUP), 404);
}

/* Whoever installs a server of metrics gets it instead of ours, and ours again without it. */
TEST(others_may_take_the_place_of_ours)
{
#define METRICS "/v1beta1.metrics.k8s.io"
    T_INT(merge(API_SERVICES METRICS, "{\"spec\":{\"service\":{\"name\":\"nobody\",\"namespace\":\"default\"}}}"), 200);
    T_INT(get("/apis/metrics.k8s.io/v1beta1/nodes"), 503);
    T_INT(delete (API_SERVICES METRICS, NULL), 200);
    T_INT(get("/apis/metrics.k8s.io/v1beta1/nodes"), 200);
    T_STR(text("kind"), "NodeMetricsList");
}

TEST(the_world_ends)
{
    http_server_free(other.http);
    SSL_CTX_free(other.tls);
    end_world();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up && ip addr add " IP "/32 dev lo") != 0) {
        perror("test_aggregator needs root and a network of its own");
        return 1;
    }
    make_world();
    RUN(what_is_served_here_is_local);
    RUN(api_services_are_checked);
    RUN(what_is_missing_is_told);
    RUN(requests_are_passed_on_with_a_name);
    RUN(who_may_not_ask_is_refused_here);
    RUN(clients_find_it);
    RUN(what_goes_away_is_not_offered);
    RUN(others_may_take_the_place_of_ours);
    RUN(the_world_ends);
    return DONE();
}
