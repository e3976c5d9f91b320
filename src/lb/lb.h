/* Load balancers of our own: Services of type LoadBalancer get an address from a pool (assign.c, once a cluster;
 * nodeaddr.c without a pool), and
 * one node announces it on the LAN (announce.c, on every node); the Service proxy of that node does the rest. Nodes
 * hear of each other by heartbeats (roster.c), so that a lost one is relieved in less than a second. pool.h, choose.h
 * and alive.h are pure. */
#pragma once
#include "client/controller.h"
#include "lb/pool.h"
#include "service/model.h"

/* The controller that writes status.loadBalancer; its config is the pool, which it alone uses as long as it runs. */
extern const struct controller_def lb_controller;
/* The same without a pool: Services get the nodes' addresses, and a port of all nodes belongs to one of them. Its
 * config is the TCP ports that no Service gets, because the nodes themselves answer there. */
extern const struct controller_def lb_nodes_controller;
struct lb_node_ports {
    const uint16_t *ports;
    size_t n;
};

struct lb;
struct lb_config {
    int netns_fd; /* -1: here, on a real machine, whose addresses outside of the pool are its own */
    const char *node_name;
    const char *ifname;         /* on the LAN: "eth0" */
    const struct lb_pool *pool; /* other addresses are somebody else's to announce; NULL: all are */
    const char *node_ip;        /* where nodes hear each other; NULL: they do not, the API alone is believed */
    void (*lost)(void *arg, const char *node,
                 bool lost); /* nothing is heard of the node any more (or again); or NULL */
    void *lost_arg;
};
/* Both must hold everything there is (so: once they are synced). Outlived by the model, not by the informer. */
struct lb *lb_new(uv_loop_t *loop, struct model *m, struct informer *nodes, const struct lb_config *config,
                  struct err *err);
/* While paused it takes up and lays down nothing, and is not heard. */
void lb_pause(struct lb *lb, bool paused);
void lb_free(struct lb *lb); /* the addresses stay: Services go on while the program is away */
