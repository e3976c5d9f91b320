/* Keeps the routes between the nodes of `c8s up`, and from the host, in line with the Nodes' pod ranges. */
#pragma once
#include "client/informer.h"
#include "podnet/lan.h"

struct routes;
/* Copies what it needs of nodes; the fds are borrowed. */
struct routes *routes_new(struct informer *nodes_informer, const struct lan_node *nodes, const int *netns_fds,
                          size_t n);
void routes_free(struct routes *r); /* the routes stay; NULL is fine */
