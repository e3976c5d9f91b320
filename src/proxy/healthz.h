/* What kube-proxy says of itself, for load balancers outside and for people: whether its rules follow, and whether the
 * node may take new traffic (/healthz and /livez on port 10256 of every address), and how it proxies (/proxyMode on
 * port 10249 of localhost). Upstream: pkg/proxy/healthcheck/proxy_health.go, KEP-3836. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#define HEALTHZ_PORT 10256
#define PROXY_MODE_PORT 10249

struct healthz;
struct healthz_config {
    int netns_fd;
    const char *node_name;
    bool v6;                         /* addresses of both families; else of IPv4 */
    bool (*rules_follow)(void *arg); /* false: the kernel did not take the last change */
    void *arg;
};
struct healthz *healthz_new(uv_loop_t *loop, const struct healthz_config *config);
void healthz_free(struct healthz *h); /* NULL is fine */
/* The node as the API has it: one that is going, or that the autoscaler is about to take, is told from others. */
void healthz_set_node(struct healthz *h, const json_t *node);
