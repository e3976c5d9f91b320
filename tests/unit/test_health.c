/* proxy/health, proxy/healthz: what is said at a Service's healthCheckNodePort, and of the proxy itself, over the
 * loopback interface of a namespace of the test's own. Needs root. */
#include <sched.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/http.h"
#include "json/json.h"
#include "proxy/health.h"
#include "proxy/healthz.h"
#include "t.h"
#include "doc.h"

static uv_loop_t loop;
static bool healthy = true;

static bool proxy_is_healthy(void *arg)
{
    (void)arg;
    return healthy;
}

struct answer {
    int code; /* 0: nobody there */
    char weight[8];
    struct buf body;
    bool done;
};

static void on_head(void *arg, int code, const struct http_header *headers)
{
    struct answer *a = arg;
    a->code = code;
    for (; headers->name; headers++)
        if (strcasecmp(headers->name, "X-Load-Balancing-Endpoint-Weight") == 0)
            snprintf(a->weight, sizeof(a->weight), "%s", headers->value);
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    buf_add(&((struct answer *)arg)->body, bytes, len);
}

static void on_done(void *arg, const struct err *err)
{
    (void)err;
    ((struct answer *)arg)->done = true;
}

static struct answer ask_at(const char *ip, int port, const char *target)
{
    static const struct http_call_handler handler = {.head = on_head, .data = on_data, .done = on_done};
    const struct http_call_spec spec = {
        .netns_fd = -1, .ip = ip, .port = port, .method = "GET", .target = target, .timeout_ms = 10000};
    struct answer a = {.body = BUF_INIT(0)};
    http_call_start(&loop, &spec, &handler, &a);
    while (!a.done)
        uv_run(&loop, UV_RUN_ONCE);
    return a;
}

static struct answer ask_for(int port, const char *target)
{
    return ask_at("127.0.0.1", port, target);
}

static void expect_at(const char *ip, int port, int code, const char *weight, const char *body)
{
    struct answer a = ask_at(ip, port, "/healthz");
    T_INT(a.code, code);
    T_STR(a.weight, weight);
    if (body) {
        struct err err;
        _cleanup_json_ json_t *doc = jparse(buf_str(&a.body), a.body.len, &err);
        T_JSON(doc, body);
    }
    buf_done(&a.body);
}

/* At the node's address, and by whoever is on the node. */
static void expect(int port, int code, const char *weight, const char *body)
{
    expect_at("127.0.0.2", port, code, weight, body);
    expect_at("127.0.0.1", port, code, weight, body);
}

/* A port that is free: health checks name theirs. */
static int free_port(void)
{
    struct err err;
    int port = 0;
    struct http_server *s = http_server_new(&loop, NULL, NULL, NULL);
    T_INT(http_server_listen(s, -1, "127.0.0.1", 0, &port, &err), 0);
    http_server_free(s);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    return port;
}

TEST(only_ready_pods_of_the_node_count)
{
    const struct ip local = {.family = AF_INET, .bytes = {127, 0, 0, 2}};
    const struct health_config config = {.netns_fd = -1,
                                         .node_name = "n1",
                                         .family = AF_INET,
                                         .ips = &local,
                                         .n_ips = 1,
                                         .proxy_is_healthy = proxy_is_healthy};
    struct health *h = health_new(&loop, &config);
    struct svc_endpoint endpoints[] = {
        {.ready = true, .serving = true, .node = "n1", .port = 1},
        {.ready = true, .serving = true, .node = "n1", .port = 2}, /* the same pod */
        {.ready = true, .serving = true, .node = "n2", .port = 1},
        {.serving = true, .terminating = true, .node = "n1", .port = 1},
    };
    struct svc_port port = {.name = "", .endpoints = endpoints, .n_endpoints = ARRAY_LEN(endpoints)};
    struct svc svc = {.ns = "a", .name = "web", .proxied = true, .ports = &port, .n_ports = 1};
    static const char *const ips[] = {"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"};
    for (size_t i = 0; i < ARRAY_LEN(ips); i++)
        ip_parse(ips[i], &endpoints[i].ip);
    int first = free_port();
    svc.health_check_node_port = (uint16_t)first;
    health_set(h, "a", "web", &svc);
    expect(first, 200, "1",
           "{\"service\":{\"namespace\":\"a\",\"name\":\"web\"},\"localEndpoints\":1,\"serviceProxyHealthy\":true}");
    healthy = false;
    expect(first, 503, "1",
           "{\"service\":{\"namespace\":\"a\",\"name\":\"web\"},\"localEndpoints\":1,\"serviceProxyHealthy\":false}");
    healthy = true;
    endpoints[0].ready = endpoints[1].ready = false;
    health_set(h, "a", "web", &svc);
    expect(first, 503, "0",
           "{\"service\":{\"namespace\":\"a\",\"name\":\"web\"},\"localEndpoints\":0,\"serviceProxyHealthy\":true}");
    int second = free_port();
    svc.health_check_node_port = (uint16_t)second;
    health_set(h, "a", "web", &svc);
    expect(second, 503, "0", NULL);
    expect(first, 0, "", NULL);
    health_set(h, "a", "web", NULL);
    expect(second, 0, "", NULL);
    health_free(h);
}

/* code 0: nobody there; part: of the body. */
static void says(int port, const char *target, int code, const char *part)
{
    struct answer a = ask_for(port, target);
    T_INT(a.code, code);
    if (!strstr(buf_str(&a.body), part))
        T_FAIL("%s: %s", target, buf_str(&a.body));
    buf_done(&a.body);
}

TEST(the_proxy_says_how_it_is)
{
    const struct healthz_config config = {.netns_fd = -1, .node_name = "n1", .rules_follow = proxy_is_healthy};
    struct healthz *h = healthz_new(&loop, &config);
    says(HEALTHZ_PORT, "/healthz", 200, "\"nodeEligible\": true}");
    says(HEALTHZ_PORT, "/livez", 200, "\"currentTime\": \"2");
    says(HEALTHZ_PORT, "/", 404, "404");
    says(PROXY_MODE_PORT, "/proxyMode", 200, "nftables");
    says(PROXY_MODE_PORT, "/healthz", 200, "ok");
    says(PROXY_MODE_PORT, "/metrics", 404, "404");

    _cleanup_json_ json_t *tainted = t_doc("{'spec':{'taints':[{'key':'ToBeDeletedByClusterAutoscaler'}]}}"),
                          *going = t_doc("{'metadata':{'deletionTimestamp':'2026-01-01T00:00:00Z'}}"),
                          *plain = t_doc("{'spec':{'taints':[{'key':'x'}]}}");
    healthz_set_node(h, tainted); /* nothing new is to be sent here, though the rules are right */
    says(HEALTHZ_PORT, "/healthz", 503, "\"nodeEligible\": false}");
    says(HEALTHZ_PORT, "/livez", 200, "lastUpdated");
    healthz_set_node(h, going);
    says(HEALTHZ_PORT, "/healthz", 503, "\"nodeEligible\": false}");
    healthz_set_node(h, plain);
    healthy = false;
    says(HEALTHZ_PORT, "/healthz", 503, "\"nodeEligible\": true}");
    says(HEALTHZ_PORT, "/livez", 503, "lastUpdated");
    healthy = true;
    says(HEALTHZ_PORT, "/healthz", 200, "lastUpdated");
    healthz_free(h);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    says(HEALTHZ_PORT, "/healthz", 0, "");
}

int main(void)
{
    if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up") != 0) {
        perror("test_health needs root and a namespace of its own");
        return 1;
    }
    uv_loop_init(&loop);
    RUN(only_ready_pods_of_the_node_count);
    RUN(the_proxy_says_how_it_is);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
    return DONE();
}
