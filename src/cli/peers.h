/* The pod network between real machines: routes to the pods of the other nodes, and what leaves the cluster
 * masqueraded. Nodes are gateways to their pods; they must be on our own segment, others are warned about. */
#pragma once
#include "client/informer.h"

struct peers_config {
    const char *node_name, *ip, *ifname; /* ours; ifname: where ip is */
    int prefix;                          /* of our segment */
    const char *cluster_cidr;
};
struct peers;
struct peers *peers_new(struct informer *nodes, const struct peers_config *config);
void peers_free(struct peers *p); /* the routes stay; NULL is fine */
