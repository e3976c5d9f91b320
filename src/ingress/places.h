/* Where Ingresses are served: by ourselves, and by machines that say so on their Nodes. */
#pragma once
#include "client/informer.h"
#include "ingress/render.h"

/* What status.loadBalancer.ingress of an Ingress is to be: our own addresses, then those of other nodes that serve and
 * may get traffic from outside, by name. New reference. */
json_t *places_list(const struct ingress_node *own, size_t n_own, const struct informer *nodes);
/* Has the Node say whether it serves Ingresses, which it may say itself. True: it does already. */
bool places_say(struct client *c, const struct informer *nodes, const char *node, bool serves);
