/* The sockets that HAProxy accepts from. They are ours: while HAProxy is started again, connections wait in them
 * instead of being refused, and each belongs to the network namespace of its node. */
#pragma once
#include "base/err.h"
#include "ingress/render.h"

/* Ports 80 and 443 of each node, in that order: 2 n descriptors. None is left open when one fails. */
int listeners_open(const struct ingress_node *nodes, size_t n, int *fds, struct err *err);
void listeners_close(int *fds, size_t n_nodes);
