/* The pod network of one node, without a bridge: each pod hangs on a veth pair of its own and everything between pods
 * is routed, so a Service's translation is always undone on the way back, also between two pods of one node (on a
 * bridge that needs br_netfilter, which costs every packet). Pods get addresses of the node's range; .1 is the gateway
 * on every veth. */
#pragma once
#include <net/if.h>
#include <stddef.h>

#include "base/err.h"

struct podnet;

/* ranges: the node's pod range of each family ("10.244.0.0/24,fd00:10:244::/64"), IPv4 no larger than /16. mtu: of the
 * pods' interfaces; 0: the kernel's. netns_fd: the node's namespace, borrowed, -1 here. Switches on forwarding there
 * and finds the addresses in use from the routes that exist. */
struct podnet *podnet_new(int netns_fd, const char *ranges, int mtu, struct err *err);
void podnet_free(struct podnet *p); /* pods stay connected */
/* Connects the namespace behind pod_fd (eth0, lo up, default routes) under a name made from key (the pod's uid); writes
 * the addresses' text ("10.244.0.2,fd00:10:244::2": the same place in each range). Doing it again for the same key
 * returns the same addresses. */
int podnet_add(struct podnet *p, const char *key, int pod_fd, char *ret_ips, size_t size, struct err *err);
/* The node's 127.0.0.1 reaches the pod, as a hostPort wants it; who routes that must keep packets from elsewhere to
 * 127.0.0.0/8 out (the proxy's rules do). Ends with the pod's link. */
int podnet_let_localhost_in(int netns_fd, const char *key, struct err *err);
int podnet_del(struct podnet *p, const char *key, struct err *err);
/* What the node's end of the pod's link is called, before there is one, too. */
void podnet_link_name(const char *key, char name[IF_NAMESIZE]);
