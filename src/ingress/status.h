/* status.loadBalancer of Ingresses: the addresses of all nodes for those that are served. */
#pragma once
#include "client/client.h"
#include "ingress/render.h"

struct ingress_status {
    struct client *client;
    const struct ingress_node *nodes;
    size_t n_nodes;
    struct map published; /* "ns/name" → revision whose status we have patched */
};
void ingress_status_publish(struct ingress_status *s, const json_t *ingress, bool served);
void ingress_status_done(struct ingress_status *s);
