/* Ingress: what the cluster's Ingresses ask for, done by a HAProxy that goes straight to the endpoints of the Services:
 * one for all nodes of `c8s up`, one on each real machine. plan.h and render.h are pure; this is the writer next to
 * them. */
#pragma once
#include <uv.h>

#include "client/informer.h"
#include "ingress/render.h"
#include "service/model.h"

struct ingress;
struct ingress_config {
    int netns_fd;                     /* where HAProxy runs; -1: here */
    const struct ingress_node *nodes; /* listened on; also what Ingresses get as their status */
    size_t n_nodes;                   /* 0: it only tells */
    struct informer *node_informer;   /* of all Nodes; borrowed */
    const char *member; /* the node that only serves, and says on its Node that it does; borrowed. NULL: this one tells,
                           for the whole cluster: status and events, with the rights of an Ingress controller */
    const char *dns;    /* the cluster's, for external names; borrowed */
    const char *run_dir; /* files go into its folder `ingress` */
};
/* Once the model is complete. HAProxy is started with the first Ingress; where it is not installed, Ingresses are told.
 */
struct ingress *ingress_new(uv_loop_t *loop, struct client *c, struct model *m, const struct ingress_config *config);
/* For a node that serves none, but may have, in an earlier life: its Node does not say so any more. */
void ingress_decline(struct client *c, const struct informer *nodes, const char *node);
/* Before the model and the client go. HAProxy ends and the files go while the loop runs on. */
void ingress_free(struct ingress *i);
/* What a killed program may have left. */
void ingress_teardown(const char *run_dir);
