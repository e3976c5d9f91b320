/* The health checks that outside load balancers ask (externalTrafficPolicy Local): at healthCheckNodePort on the
 * addresses where NodePorts are answered, and on localhost, whether this node has ready endpoints of the Service.
 * Upstream: pkg/proxy/healthcheck/service_health.go. */
#pragma once
#include <uv.h>

#include "service/model.h"

struct health;
struct health_config {
    int netns_fd; /* -1: here */
    const char *node_name;
    int family;
    const struct ip *ips; /* borrowed, until health_set_ips() */
    size_t n_ips;
    bool (*proxy_is_healthy)(void *arg); /* otherwise no node with endpoints is a good one */
    void *arg;
};
struct health *health_new(uv_loop_t *loop, const struct health_config *config); /* copies */
void health_free(struct health *h); /* the last memory goes when the loop runs on; NULL is fine */
/* Forgets all Services: each must be set again. */
void health_set_ips(struct health *h, const struct ip *ips, size_t n);
/* svc NULL: gone. */
void health_set(struct health *h, const char *ns, const char *name, const struct svc *svc);
