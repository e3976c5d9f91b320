/* The pod network of one node, without a bridge: each pod hangs on a veth pair of its own and everything between pods is
 * routed, so a Service's translation is always undone on the way back, also between two pods of one node (on a bridge that
 * needs br_netfilter, which costs every packet). Pods get addresses of the node's /24; .1 is the gateway on every veth. */
#pragma once
#include <stddef.h>

#include "base/err.h"

struct podnet;

/* cidr: the node's pod range ("10.244.0.0/24"). netns_fd: the node's namespace, -1 here. Switches on forwarding there, finds
 * the addresses in use from the routes that exist. */
struct podnet *podnet_new(int netns_fd, const char *cidr, struct err *err);
void podnet_free(struct podnet *p);
/* Connects the namespace behind pod_fd (eth0, lo up, default route) under a name made from key (the pod's uid); writes the
 * address text. Doing it again for the same key returns the same address. */
int podnet_add(struct podnet *p, const char *key, int pod_fd, char *ret_ip, size_t size, struct err *err);
int podnet_del(struct podnet *p, const char *key, struct err *err);

/* --- the LAN of `c8s up`: a bridge in the program's own namespace, a veth to each node --- */
struct lan_node {
    const char *name; /* its namespace is /run/netns/NAME */
    const char *ip;   /* on the LAN, /24 */
    const char *pod_cidr;
};
/* Makes the bridge `c8s0` with host_ip, the nodes' namespaces (lo and eth0 up, default route to the host, routes to the other
 * nodes' pods), and on the host routes to pods and Services through the first node. Returns the namespaces' fds in ret_fds.
 * Idempotent; refuses with one clear line when the address range belongs to somebody else. */
int lan_up(const char *host_ip, int prefix, const char *service_cidr, const struct lan_node *nodes, size_t n, int *ret_fds,
           struct err *err);
/* Takes all of it away; missing pieces are fine. */
void lan_down(const struct lan_node *nodes, size_t n);
