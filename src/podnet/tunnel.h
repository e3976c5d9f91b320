/* The ways to other nodes' pods in the kernel of one node: the tunnel's device and the rows of ways.h. What is there is
 * read from the kernel each time, so a program that has just started, or somebody who has deleted a route, makes no
 * difference. */
#pragma once
#include "base/err.h"
#include "podnet/ways.h"

#define TUNNEL_IFNAME "c8s-vxlan"
#define TUNNEL_PORT 8472 /* what Linux has always used, and flannel; IANA's is 4789 */

/* The largest packet of a pod of this node: what the interface takes, less the tunnel's headers unless all is direct.
 * 0: there is no such interface. */
int tunnel_pod_mtu(int netns_fd, const char *ifname, enum ways_mode mode, int family);
/* The device, ready to receive; over the interface that has own->ips. Idempotent. Its checksums are made by the CPU: on
 * some cards those of packets within packets come out wrong, and nothing tells (flannel#1279, k3s#6880). */
int tunnel_up(int netns_fd, const char *ifname, const struct ways_node *own, struct err *err);
void tunnel_down(int netns_fd); /* with its rows; a missing one is fine */
/* Brings the kernel's rows in line. Goes on after a failure; err has the last one. */
int ways_apply(int netns_fd, const struct ways *want, struct err *err);
int ways_read(int netns_fd, struct ways *ret, struct err *err);
