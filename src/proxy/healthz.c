/* See healthz.h. */
#include "proxy/healthz.h"

#define LOG_AREA "proxy"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "http/http.h"
#include "json/json.h"

#define TO_BE_DELETED "ToBeDeletedByClusterAutoscaler"

struct healthz {
    struct http_server *health, *mode;
    bool (*rules_follow)(void *arg);
    void *arg;
    bool eligible;
    int64_t healthy_at; /* wall clock, µs: when it last was */
};

static void not_found(struct http_exchange *x)
{
    static const char text[] = "404 page not found\n";
    http_reply(x, 404, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}

static void answer_health(void *arg, struct http_exchange *x)
{
    struct healthz *h = arg;
    bool is_healthz = streq(http_path(x), "/healthz");
    char now[TIME_TEXT_SIZE], updated[TIME_TEXT_SIZE];
    if (!is_healthz && !streq(http_path(x), "/livez")) {
        not_found(x);
        return;
    }
    bool follow = h->rules_follow(h->arg);
    if (follow)
        h->healthy_at = clock_wall_usec();
    _cleanup_free_ char *body =
        xasprintf("{\"lastUpdated\": \"%s\",\"currentTime\": \"%s\"%s}", time_format_micro(h->healthy_at, updated),
                  time_format_micro(clock_wall_usec(), now),
                  !is_healthz   ? ""
                  : h->eligible ? ", \"nodeEligible\": true"
                                : ", \"nodeEligible\": false");
    http_add_header(x, "X-Content-Type-Options", "nosniff");
    http_reply(x, follow && (h->eligible || !is_healthz) ? 200 : 503, "application/json", body, strlen(body));
}

static void answer_mode(void *arg, struct http_exchange *x)
{
    static const struct {
        const char *path, *text;
    } answers[] = {{"/proxyMode", "nftables"}, {"/healthz", "ok"}};
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (streq(http_path(x), answers[i].path)) {
            http_add_header(x, "X-Content-Type-Options", "nosniff");
            http_reply(x, 200, "text/plain; charset=utf-8", answers[i].text, strlen(answers[i].text));
            return;
        }
    not_found(x);
}

void healthz_set_node(struct healthz *h, const json_t *node)
{
    h->eligible = !jget(node, "metadata.deletionTimestamp") && !jfind(jget(node, "spec.taints"), "key", TO_BE_DELETED);
}

static struct http_server *serve(struct healthz *h, uv_loop_t *loop, const struct healthz_config *config,
                                 http_handler_fn *answer, const char *ip, int port)
{
    struct http_server *s = http_server_new(loop, NULL, answer, h);
    struct err err;
    if (http_server_listen(s, config->netns_fd, ip, port, NULL, &err) < 0)
        log_warn("node %s: %s: nobody is told how the Service proxy is", config->node_name, err.msg);
    return s;
}

struct healthz *healthz_new(uv_loop_t *loop, const struct healthz_config *config)
{
    struct healthz *h = NEW(struct healthz);
    *h = (struct healthz){
        .rules_follow = config->rules_follow, .arg = config->arg, .eligible = true, .healthy_at = clock_wall_usec()};
    h->health = serve(h, loop, config, answer_health, config->v6 ? "::" : "0.0.0.0", HEALTHZ_PORT);
    h->mode = serve(h, loop, config, answer_mode, "127.0.0.1", PROXY_MODE_PORT);
    return h;
}

void healthz_free(struct healthz *h)
{
    if (!h)
        return;
    http_server_free(h->health);
    http_server_free(h->mode);
    free(h);
}
