/* Kernel settings of a network namespace. */
#pragma once
#include "base/err.h"

/* path: beneath /proc/sys/net/. */
int sysctl_set(int netns_fd, const char *path, const char *value, struct err *err);
/* On this machine (not in a namespace of ours): interfaces that listen to routers' advertisements go on doing so when
 * it forwards, else the kernel drops the default route that it has from them. Those made later do not: a pod could call
 * itself a router. Before forwarding is switched on. */
int sysctl_keep_routers(struct err *err);
/* IPv6 addresses of interfaces made from now on are usable at once, link-local ones as well: without them the kernel
 * asks for no neighbour. Nobody else is on these links. */
int sysctl_ipv6_at_once(int netns_fd, struct err *err);
int sysctl_ipv6_at_once_on(int netns_fd, const char *ifname, struct err *err); /* that is not up yet */
