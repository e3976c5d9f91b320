/* The LAN of `c8s up`: a bridge in the namespace the program was started in, which makes the host a client on it, and a
 * namespace for every node, joined by a veth pair. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct lan_node {
    const char *name; /* its namespace is pinned at /run/netns/NAME */
    const char *ip;   /* on the LAN, of each family: "172.28.128.10,fd00:172:28:128::10" */
};
struct lan {             /* each with a comma between the families */
    const char *network; /* "172.28.128.0/24" */
    const char *host_ip; /* "172.28.128.1": the bridge's address */
    const char *cluster_cidr,
        *service_cidr;   /* the host's routes to pods and Services; pods leave the cluster masqueraded */
    const char *run_dir; /* what the machine was like before is remembered there */
    const struct lan_node *nodes;
    size_t n_nodes;
};

/* Namespaces with lo and eth0 up and a default route to the host, whose Services are reached through the first node;
 * ret_fds[i] is nodes[i]'s namespace. Idempotent. Refuses with one clear line when the addresses or a namespace's name
 * belong to somebody else. */
int lan_up(const struct lan *lan, int *ret_fds, struct err *err);
/* Pulls and plugs the cable of the i-th node. */
int lan_set_link(size_t i, bool up, struct err *err);
/* Takes all of it away; missing pieces are fine. */
void lan_down(const struct lan *lan);
