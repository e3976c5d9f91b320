/* How the pods of other nodes are reached, as the rows that one node's kernel should have. A node on one of our own
 * links is a gateway to its pods. Any other is reached through a tunnel (VXLAN, RFC 7348), in which nothing has to be
 * found out: its link address follows from its IP address, so routes, neighbours and forwarding are all known
 * beforehand and nobody asks by multicast. Pure; tunnel.h writes the rows. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/ip.h"

enum ways_mode {
    WAYS_AUTO,   /* direct where the node is on a link of ours, the tunnel elsewhere */
    WAYS_DIRECT, /* never a tunnel: what is between the nodes knows the pods' ranges */
    WAYS_VXLAN,  /* always the tunnel */
};
bool ways_mode_parse(const char *text, enum ways_mode *ret); /* "auto", "direct", "vxlan" */

struct ways_node {
    struct ips ips;    /* its addresses on the machines' network */
    struct cidrs pods; /* its pods' ranges; none yet: .n is 0 */
};

#define MAC_LEN 6
struct way {
    enum way_type {
        WAY_ROUTE,     /* to dst: by way of via, or through the tunnel */
        WAY_POD_ROUTE, /* the same for what our pods send to a node: the network between would not know their address */
        WAY_NEIGHBOUR, /* in the tunnel: dst (one address) is mac */
        WAY_FORWARD,   /* in the tunnel: mac is behind the machine `via` */
    } type;
    bool tunnel;
    struct cidr dst;
    struct ip via;
    unsigned char mac[MAC_LEN];
};
struct ways {
    struct way *rows; /* in the order of way_compare() */
    size_t n;
};

/* links: the networks that we are on. */
void ways_plan(enum ways_mode mode, const struct ways_node *own, const struct cidr *links, size_t n_links,
               const struct ways_node *others, size_t n_others, struct ways *ret);
/* The route to these pods; NULL: there is none of ours, as when a node is on no link and tunnels are not wanted. */
const struct way *ways_to(const struct ways *w, const struct cidr *pods);
void ways_add(struct ways *w, const struct way *row);
void ways_sort(struct ways *w);
void ways_done(struct ways *w);
/* Below zero, zero (rows for the same thing: one replaces the other), or above. */
int way_compare(const struct way *a, const struct way *b);
bool way_equal(const struct way *a, const struct way *b);
/* Visits what leads from one to the other, in the order in which it should happen: rows to put (added or replaced),
 * then rows to drop. */
typedef int way_fn(void *arg, const struct way *row, bool drop);
int ways_diff(const struct ways *have, const struct ways *want, way_fn *fn, void *arg);

/* The link address of a node in the tunnel, from its first IP address. */
void ways_mac(const struct ip *ip, unsigned char ret[MAC_LEN]);
/* What the tunnel adds to a packet: its bytes, outermost IP header included. */
int ways_overhead(int family);
