/* The pod network of one node, without a bridge: each pod hangs on a veth pair of its own and everything between pods
 * is routed, so a Service's translation is always undone on the way back, also between two pods of one node (on a
 * bridge that needs br_netfilter, which costs every packet). Pods get addresses of the node's /24; .1 is the gateway on
 * every veth. */
#pragma once
#include <stddef.h>

#include "base/err.h"

struct podnet;

/* cidr: the node's pod range ("10.244.0.0/24"), no larger than /16. netns_fd: the node's namespace, -1 here. Switches
 * on forwarding there and finds the addresses in use from the routes that exist. */
struct podnet *podnet_new(int netns_fd, const char *cidr, struct err *err);
void podnet_free(struct podnet *p); /* pods stay connected */
/* Connects the namespace behind pod_fd (eth0, lo up, default route) under a name made from key (the pod's uid); writes
 * the address text. Doing it again for the same key returns the same address. */
int podnet_add(struct podnet *p, const char *key, int pod_fd, char *ret_ip, size_t size, struct err *err);
int podnet_del(struct podnet *p, const char *key, struct err *err);
/* A route in that namespace to another node's pods. */
int podnet_route(int netns_fd, const char *cidr, const char *via, struct err *err);
