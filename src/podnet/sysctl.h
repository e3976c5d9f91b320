/* Kernel settings of a network namespace. */
#pragma once
#include "base/err.h"

/* path: beneath /proc/sys/net/. */
int sysctl_set(int netns_fd, const char *path, const char *value, struct err *err);
/* IPv6 addresses of interfaces made from now on are usable at once, link-local ones as well: without them the kernel
 * asks for no neighbour. Nobody else is on these links. */
int sysctl_ipv6_at_once(int netns_fd, struct err *err);
