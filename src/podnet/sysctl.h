/* Kernel settings of a network namespace. */
#pragma once
#include "base/err.h"

/* path: beneath /proc/sys/net/. */
int sysctl_set(int netns_fd, const char *path, const char *value, struct err *err);
/* Before a machine starts to forward IPv6: what listens to routers' advertisements goes on doing so (accept_ra in
 * ip-sysctl), else the kernel drops the default route that it has from them. Not interfaces that come later: a pod
 * could call itself a router. */
void sysctl_keep_routers(void);
/* IPv6 addresses of interfaces made from now on are usable at once, link-local ones as well: without them the kernel
 * asks for no neighbour. Nobody else is on these links. */
int sysctl_ipv6_at_once(int netns_fd, struct err *err);
int sysctl_ipv6_at_once_on(int netns_fd, const char *ifname, struct err *err); /* that is not up yet */
