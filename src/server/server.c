/* See server.h. The parts of the server and their order of coming and going. */
#include "server/server.h"

#define LOG_AREA "server"
#include "base/log.h"
#include "http/http.h"
#include "server/aggregator.h"
#include "server/customresources.h"
#include "server/expire.h"
#include "server/renew.h"
#include "server/pipeline.h"
#include "server/admission_policies.h"
#include "server/quota_ledger.h"
#include "server/rbac.h"
#include "server/rules.h"
#include "server/submit.h"
#include "server/tokens.h"
#include "server/watch.h"
#include "server/watch_http.h"
#include "server/webhook_conditions.h"
#include "server/webhooks.h"

static void copy_config(struct server_config *to, const struct server_config *from)
{
    *to = *from;
    to->cluster_cidrs = xstrdup(from->cluster_cidrs);
    to->service_cidrs = xstrdup(from->service_cidrs);
    to->cluster_dns = xstrdup(from->cluster_dns);
    to->cluster_domain = xstrdup(from->cluster_domain);
    to->advertise_ip = xstrdup(from->advertise_ip);
}

static void free_config(struct server_config *c)
{
    free((char *)c->cluster_cidrs);
    free((char *)c->service_cidrs);
    free((char *)c->cluster_dns);
    free((char *)c->cluster_domain);
    free((char *)c->advertise_ip);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct server *s = handle->data;
    if (--s->open_handles)
        return;
    alloc_free(s->alloc);
    tokens_free(s->tokens);
    SSL_CTX_free(s->tls);
    SSL_CTX_free(s->agent_tls);
    SSL_CTX_free(s->proxy_tls);
    documents_forget(s);
    webhook_conditions_forget(s);
    map_done(&s->in_flight);
    frame_free(s->frame);
    rules_free(s->rules);
    free_config(&s->config);
    free(s);
}

/* Requests that wait for the disk get their answer from nobody now. */
static void abandon_requests(struct server *s)
{
    webhooks_done(s);
    submissions_orphan(s);
    metrics_orphan(s);
    LIST_EACH(it, &s->requests) {
        struct request *r = container_of(it, struct request, link);
        if (r->exchange)
            request_reply_status(r, status_new(STATUS_UNAVAILABLE, "the server is shutting down"));
        else
            request_free(r);
    }
}

void server_free(struct server *s)
{
    if (!s)
        return;
    aggregator_done(s);
    local_done(s);
    abandon_requests(s);
    customresources_done(s);
    alloc_unfollow(s);
    http_server_free(s->http);
    watches_done(s);
    quota_ledger_free(TAKE(s->quotas));
    rbac_free(TAKE(s->rbac));
    policies_free(TAKE(s->policies));
    uv_handle_t *const handles[] = {(uv_handle_t *)&s->run_queue, (uv_handle_t *)&s->watch_timer,
                                    (uv_handle_t *)&s->expire_timer, (uv_handle_t *)&s->aggregator_timer,
                                    (uv_handle_t *)&s->renew_timer};
    s->open_handles = ARRAY_LEN(handles);
    for (size_t i = 0; i < ARRAY_LEN(handles); i++)
        uv_close(handles[i], on_handle_closed);
}

static bool restore_node(void *arg, struct object *o)
{
    _cleanup_json_ json_t *doc = object_json(o);
    alloc_restore_node(arg, doc);
    if (!alloc_node_fits(arg, doc))
        log_warn("node %s has pod ranges of other address families than the cluster has now: its pods go on with those",
                 o->name);
    return true;
}

static int make_alloc(struct server *s, struct err *err)
{
    const struct server_config *c = &s->config;
    s->alloc = alloc_new(c->service_cidrs, c->cluster_cidrs, c->node_port_min, c->node_port_max, err);
    if (!s->alloc)
        return -1;
    alloc_follow(s);
    store_each(s->store, &kind_node, "", NULL, NULL, restore_node, s->alloc);
    return 0;
}

/* What is no request is told in a Status too. */
static char *refusal(int code, const char *why, const char **ret_content_type)
{
    _cleanup_json_ json_t *status =
        code == status_code(STATUS_TOO_LARGE)
            ? status_new(STATUS_TOO_LARGE, "Request entity too large: limit is %d", HTTP_BODY_MAX)
            : status_new(STATUS_BAD_REQUEST, "%s", why);
    jset_int(status, "code", code);
    *ret_content_type = "application/json";
    return jprint(status);
}

static int make_http(struct server *s, struct err *err)
{
    const struct pki *p = s->config.pki;
    if (p) {
        s->tls = tls_server_ctx(p->server_cert, p->server_key, p->ca_cert, err);
        s->agent_tls = s->tls ? tls_client_ctx(p->kubelet_client_cert, p->kubelet_client_key, p->ca_cert, err) : NULL;
        if (!s->agent_tls)
            return -1;
    }
    s->proxy_tls = tls_client_ctx(NULL, NULL, NULL, err);
    if (!s->proxy_tls)
        return -1;
    s->http = http_server_new(s->loop, s->tls, serve_exchange, s);
    http_server_set_refusal(s->http, refusal);
    http_server_set_streams(s->http, proxy_streams);
    return 0;
}

/* What every cluster has by itself is durable before anybody can ask: rights are read from roles as these become so,
 * and the very first question of somebody with a role would be refused otherwise. */
static void await_bootstrap(struct server *s)
{
    while (!list_empty(&s->submissions))
        uv_run(s->loop, UV_RUN_ONCE);
}

struct server *server_new(uv_loop_t *loop, struct store *store, const struct server_config *config, struct err *err)
{
    struct server *s = NEW(struct server);
    s->loop = loop;
    s->store = store;
    copy_config(&s->config, config);
    list_init(&s->requests);
    list_init(&s->submissions);
    list_init(&s->gatherings);
    s->rules = rules_new();
    list_init(&s->reviews);
    s->netns_fd = -1;
    local_init(s);
    watches_init(s);
    expire_init(s);
    renew_init(s);
    uv_timer_init(loop, &s->aggregator_timer);
    s->aggregator_timer.data = s;
    customresources_init(s);
    s->tokens = tokens_new(config->pki ? config->pki->sa_key : NULL, config->cluster_domain, err);
    s->rbac = rbac_new(store);
    s->quotas = quota_ledger_new(store);
    s->policies = policies_new();
    if (s->tokens && make_alloc(s, err) == 0 && make_http(s, err) == 0 && bootstrap(s, err) == 0) {
        await_bootstrap(s);
        aggregator_init(s);
        return s;
    }
    server_free(s);
    return NULL;
}

int server_listen(struct server *s, int netns_fd, const char *ip, int port, int *ret_port, struct err *err)
{
    s->netns_fd = netns_fd;
    return http_server_listen(s->http, netns_fd, ip, port, ret_port, err);
}
