/* NetworkPolicies on one node: what the feed tells becomes the table `inet c8s-policy` (layout: enforcement.h), one
 * transaction a change that carries only the difference. */
#pragma once
#include <uv.h>

#include "base/err.h"
#include "netpol/feed.h"
#include "nft/guard.h"
#include "nft/turn.h"

struct netpol;
struct netpol_config {
    int netns_fd; /* -1: here */
    const char *node_name;
    const char *cluster_cidr;   /* ranges of pods, of each family */
    const char *dns_ips;        /* where the node itself answers as the cluster's DNS; NULL: nowhere */
    struct guard *guard;        /* of the namespace; NULL: one of its own */
    struct turn *turn;          /* of all who write tables there; outlives this; NULL: nobody else does */
    void (*guarded)(void *arg); /* a pod that netpol_guards() has denied may be asked for again; may be NULL */
    void *arg;
};
struct netpol *netpol_new(struct netpol_feed *f, const struct netpol_config *config, uv_loop_t *loop, struct err *err);
void netpol_free(struct netpol *n); /* leaves the rules: policies hold while the program is away */

/* Is everything in the kernel that policies say of the pod with this uid? Its first process waits for that. */
bool netpol_guards(struct netpol *n, const char *uid);
/* The kernel has all that is known. */
bool netpol_settled(const struct netpol *n);
/* The table is gone afterwards; a missing one is fine. */
void netpol_teardown(int netns_fd);
