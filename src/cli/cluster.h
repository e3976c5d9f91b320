/* A whole local cluster put together from the rooms: server, controllers, scheduler, and for each node an agent, a
 * proxy and a DNS server in the node's network namespace. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"
#include "cli/nodeoptions.h"

#define CLUSTER_NODES_MAX 20 /* each costs a few MB and some start-up time; the LAN has room for more */

struct cluster_config {
    const char *data_dir;
    const char *kubeconfig;
    int nodes;
    const char *ip_families; /* as addresses_init() takes them */
    const char *lb_pool;     /* for EXTERNAL-IPs of LoadBalancer Services; inside the LAN; NULL: the usual one */
    bool schedule_on_master; /* of several nodes the first takes pods too */
    struct node_policy policy;
};
#define CLUSTER_DOMAIN "cluster.local"
#define CLUSTER_LB_NONE "none" /* as pool: Services get the nodes' addresses */

struct cluster;

/* Starts everything on the loop. ready is called once, when every node is Ready. */
struct cluster *cluster_start(uv_loop_t *loop, const struct cluster_config *config, void (*ready)(void *arg), void *arg,
                              struct err *err);
/* Stops the program's part; containers, namespaces and rules stay. Runs the loop until all is closed. */
void cluster_stop(struct cluster *c);

/* For trying out what happens when a node dies. STOP: power off, its containers are gone. SHUTDOWN: the same, but its
 * pods may end first. CUT: its cable is pulled;
 * containers, rules and DNS on it go on as they are, but its agent and proxy hear nothing any more. */
enum cluster_fault { FAULT_STOP, FAULT_SHUTDOWN, FAULT_START, FAULT_CUT, FAULT_HEAL };
/* done: called once, now or later; why NULL: it is so. */
void cluster_fault(struct cluster *c, enum cluster_fault fault, const char *node,
                   void (*done)(void *arg, const struct err *why), void *arg);

/* Takes away what clusters leave on the machine: containers, mounts, namespaces, interfaces, rules, the kubeconfig's
 * entries. Works from the run state alone, also after a crash. */
int cluster_teardown(const struct cluster_config *config, struct err *err);

/* Of the n-th node: k8s-master, k8s-node1, … */
void cluster_node_name(int n, char out[32]);
