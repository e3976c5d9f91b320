/* The Service proxy of one node: model -> one nftables table `ip c8s` of a handful of chains and maps (layout:
 * ARCHITECTURE.md), one transaction a change that carries only the difference. render.h is pure (services in, nft
 * commands out); this is the writer next to it. */
#pragma once
#include <uv.h>

#include "base/err.h"
#include "nft/guard.h"
#include "nft/turn.h"
#include "service/model.h"

struct proxy;
struct proxy_config {
    int netns_fd; /* -1: here */
    const char *node_name;
    const char *node_ip;
    const struct ip *port_ips; /* where NodePorts are answered, of node_ip's family; copied; NULL: node_ip */
    size_t n_port_ips;
    const char *cluster_cidr; /* pods: sources inside are not masqueraded on the way to a ClusterIP */
    const char *service_cidr;
    const char *dns_ip; /* answered on the node itself: left alone, and kept out of conntrack */
    void (*applied)(void *arg, uint64_t revision); /* the kernel follows the model up to here; may be NULL */
    void *applied_arg;
    struct guard *guard; /* of the namespace; NULL: one of its own */
    struct turn *turn;   /* of all who write tables in the namespace; outlives the proxy; NULL: nobody else does */
};
/* Replaces what an earlier life left in the table by what the model holds then (so: once it is synced), and follows it.
 */
struct proxy *proxy_new(uv_loop_t *loop, struct model *m, const struct proxy_config *config, struct err *err);
void proxy_free(struct proxy *p); /* leaves the rules: Services go on while the program is away */
/* Endpoints on the node get nothing new as long as there are others, whatever the model says of them. */
void proxy_avoid(struct proxy *p, const char *node, bool avoid);
/* A pod of the node, for its hostPorts; doc NULL: gone. Those that exist already: before the loop goes on, so that
 * rules of an earlier life are not replaced without them. */
void proxy_set_pod(struct proxy *p, const char *ns, const char *name, const json_t *doc);
/* NodePorts are answered there from now on. Copied. */
void proxy_set_port_ips(struct proxy *p, const struct ip *ips, size_t n);
/* The kernel has all that the model has. */
bool proxy_settled(const struct proxy *p);
/* The kernel took what it was last given. */
bool proxy_healthy(const struct proxy *p);
/* The table is gone afterwards; a missing one is fine. */
void proxy_teardown(int netns_fd);
