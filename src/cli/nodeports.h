/* --nodeport-addresses: at which of its addresses a node answers NodePorts, as with kube-proxy's option of that name.
 */
#pragma once
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"
#include "cli/addresses.h"
#include "lb/pool.h"

#define NODEPORT_RANGES_MAX 32
struct nodeport_addresses {
    struct cidr ranges[NODEPORT_RANGES_MAX];
    int n; /* 0: the node's own address of each family ("primary") */
};
/* "primary", or ranges with commas between. */
int nodeport_addresses_parse(const char *text, struct nodeport_addresses *ret, struct err *err);

/* What else the node answers for, which are no addresses of the node. */
struct nodeport_site {
    int netns_fd;
    struct ip primary;
    const struct addresses *cluster;
    const struct lb_pool *lb_pool; /* or NULL */
};
/* Of the primary one's family, sorted; never NULL; the caller frees. */
struct ip *nodeport_addresses_find(const struct nodeport_addresses *a, const struct nodeport_site *site, size_t *ret_n);
