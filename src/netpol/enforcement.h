/* The table `inet c8s-policy` of one node: what policies, pods and namespaces make of it, and what the kernel was last
 * given. A change costs what it touches. Pure: objects in, nft commands out.
 *
 *   egress, ingress   link of an isolated pod -> jump out_N, in_N. Links, not addresses: nobody gets around them with
 *                     an address that is not his, one entry does for both families, and it can be there before the pod.
 *   in_N, out_N       what is let through, a line each (chain.h); pods for which the same holds share one
 *   pods_N, _v6       addresses of the pods that a peer means (peerset.h), shared by all that mean the same
 *
 *   forward ─► replies pass ─► a pod reaches itself ─► egress of the sender ─► ingress of the receiver
 *   input   ─► replies pass ─► egress of the sender: what pods want of their node, its DNS among it
 *
 * Both are behind the translation of Services, so pods are judged by each other's addresses and ports. There is no
 * output hook: a node reaches its own pods, or its probes would not (upstream's rule as well). Only the first packet of
 * a connection walks further than the first rule, and a connection that was allowed goes on when policies change.
 *
 * The table is there as long as a pod of the node is isolated. */
#pragma once
#include "netpol/world.h"

struct enforcement;
struct enforcement_site {
    const char *node_name; /* borrowed */
    struct cidrs pods;     /* the cluster's ranges; their families are what counts */
    struct ips dns;        /* n 0: nodes answer no DNS */
};
struct enforcement *enforcement_new(const struct enforcement_site *site);
void enforcement_free(struct enforcement *e);

/* Changes; obj NULL: gone. */
void enforcement_set_policy(struct enforcement *e, const char *ns, const char *name, struct object *obj);
void enforcement_set_pod(struct enforcement *e, const char *ns, const char *name, struct object *obj);
void enforcement_set_namespace(struct enforcement *e, const char *name, struct object *obj);
/* All of it is gone: nobody watches pods where there are no policies. */
void enforcement_clear(struct enforcement *e);

/* What is there, for tests and people. */
const struct world *enforcement_world(const struct enforcement *e);

/* The commands that bring the kernel from what it was last given to what is wanted now, "" for nothing; they count as
 * done. enforcement_forget() first, when that cannot be relied on: then everything is written anew. */
void enforcement_take(struct enforcement *e, struct buf *out);
void enforcement_forget(struct enforcement *e);
/* Was there a table after the last take? */
bool enforcement_has_table(const struct enforcement *e);
/* The take in which the rules of the pod with this uid were written last, counted from 1; 0: the pod is not known or
 * has rules to be written. */
unsigned enforcement_written_in(const struct enforcement *e, const char *uid);
unsigned enforcement_takes(const struct enforcement *e);
