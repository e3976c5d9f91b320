/* What leaves the cluster from a real machine is masqueraded: the machines' network knows the nodes, not their pods. */
#pragma once
#include "client/informer.h"

struct peers;
/* cluster_cidrs: all pods, with a comma between the families. */
struct peers *peers_new(struct informer *nodes, const char *cluster_cidrs);
void peers_free(struct peers *p); /* the rules stay; NULL is fine */
void peers_teardown(void);
