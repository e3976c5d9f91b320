/* See health.h. */
#include "proxy/health.h"

#include <stdio.h>

#define LOG_AREA "proxy"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "http/http.h"

struct check {
    struct health *health;
    char *ns, *name;
    uint16_t port;
    size_t n_local;
    struct http_server *server;
};

struct health {
    uv_loop_t *loop;
    int netns_fd;
    char *node_name;
    int family; /* a pod with an address of each is still one pod */
    const struct ip *ips;
    size_t n_ips;
    bool (*proxy_is_healthy)(void *arg);
    void *arg;
    struct map checks; /* by "ns/name" */
};

static void answer(void *arg, struct http_exchange *x)
{
    const struct check *c = arg;
    bool healthy = c->health->proxy_is_healthy(c->health->arg);
    char weight[24];
    _cleanup_free_ char *body =
        xasprintf("{\n\t\"service\": {\n\t\t\"namespace\": \"%s\",\n\t\t\"name\": \"%s\"\n\t},\n"
                  "\t\"localEndpoints\": %zu,\n\t\"serviceProxyHealthy\": %s\n}",
                  c->ns, c->name, c->n_local, healthy ? "true" : "false");
    snprintf(weight, sizeof(weight), "%zu", c->n_local);
    http_add_header(x, "X-Content-Type-Options", "nosniff");
    http_add_header(x, "X-Load-Balancing-Endpoint-Weight", weight);
    http_reply(x, c->n_local && healthy ? 200 : 503, "application/json", body, strlen(body));
}

/* Pods, not pairs of pod and port; terminating ones do not count. */
static size_t count_local(const struct svc *svc, const char *node, int family)
{
    struct map ips = {0};
    char text[IP_TEXT_SIZE];
    for (const struct svc_port *p = svc->ports; p < svc->ports + svc->n_ports; p++)
        for (const struct svc_endpoint *e = p->endpoints; e < p->endpoints + p->n_endpoints; e++)
            if (e->ready && e->ip.family == family && streq(e->node, node))
                map_put(&ips, ip_format(&e->ip, text), &ips);
    size_t n = ips.len;
    map_done(&ips);
    return n;
}

static void check_free(void *p)
{
    struct check *c = p;
    http_server_free(c->server);
    free(c->ns);
    free(c->name);
    free(c);
}

static void listen_at(struct check *c, const struct ip *ip)
{
    const struct health *h = c->health;
    char text[IP_TEXT_SIZE];
    struct err err;
    if (http_server_listen(c->server, h->netns_fd, ip_format(ip, text), c->port, NULL, &err) < 0)
        log_warn("node %s: no health check of Service %s/%s: %s", h->node_name, c->ns, c->name, err.msg);
}

static struct check *check_new(struct health *h, const struct svc *svc)
{
    struct check *c = NEW(struct check);
    struct ip here = {.family = h->family, .bytes = {127, 0, 0, 1}};
    bool listens_here = false;
    *c = (struct check){.health = h, .ns = xstrdup(svc->ns), .name = xstrdup(svc->name)};
    c->port = svc->health_check_node_port;
    c->server = http_server_new(h->loop, NULL, answer, c);
    if (h->family == AF_INET6)
        here = (struct ip){.family = AF_INET6, .bytes = {[15] = 1}};
    for (size_t i = 0; i < h->n_ips; i++) {
        listen_at(c, &h->ips[i]);
        listens_here = listens_here || ip_equal(&h->ips[i], &here);
    }
    if (!listens_here)
        listen_at(c, &here); /* people ask on the node itself: curl localhost:PORT/healthz */
    return c;
}

void health_set(struct health *h, const char *ns, const char *name, const struct svc *svc)
{
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    struct check *c = map_get(&h->checks, key);
    uint16_t port = svc && svc->proxied ? svc->health_check_node_port : 0;
    if (c && c->port != port) {
        map_del(&h->checks, key);
        check_free(TAKE(c));
    }
    if (!port)
        return;
    if (!c) {
        c = check_new(h, svc);
        map_put(&h->checks, key, c);
    }
    c->n_local = count_local(svc, h->node_name, h->family);
}

void health_set_ips(struct health *h, const struct ip *ips, size_t n)
{
    map_done_with(&h->checks, check_free);
    h->checks = (struct map){0};
    h->ips = ips;
    h->n_ips = n;
}

struct health *health_new(uv_loop_t *loop, const struct health_config *config)
{
    struct health *h = NEW(struct health);
    *h = (struct health){.loop = loop,
                         .netns_fd = config->netns_fd,
                         .node_name = xstrdup(config->node_name),
                         .family = config->family,
                         .ips = config->ips,
                         .n_ips = config->n_ips,
                         .proxy_is_healthy = config->proxy_is_healthy,
                         .arg = config->arg};
    return h;
}

void health_free(struct health *h)
{
    if (!h)
        return;
    map_done_with(&h->checks, check_free);
    free(h->node_name);
    free(h);
}
