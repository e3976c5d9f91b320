/* What leaves the cluster from a real machine is masqueraded: the machines' network knows the nodes, not their pods. */
#pragma once
#include "client/informer.h"

struct peers;
/* cluster_cidr: all pods, of IPv4. */
struct peers *peers_new(struct informer *nodes, const char *cluster_cidr);
void peers_free(struct peers *p); /* the rules stay; NULL is fine */
