/* Keeps the ways to the pods of all nodes in line with the Nodes, on one node or, in `c8s up`, on each of them. */
#pragma once
#include <uv.h>

#include "client/informer.h"
#include "node/agent.h"
#include "podnet/ways.h"

struct podways_place {
    const char *node_name; /* "": no node, a machine beside them (the host of `c8s up`), which has no tunnel */
    const char *ips, *ifname;
    int netns_fd; /* borrowed; -1: here */
};

struct podways;
struct podways_config {
    enum ways_mode mode;
    const struct podways_place *places; /* copied */
    size_t n;
    /* What is found out about a node's tunnel. */
    void (*told)(void *arg, const char *node_name, const struct agent_network *network);
    bool (*heard)(void *arg, const char *node_name); /* does the API hear the node? */
    void *arg;
};
struct podways *podways_new(uv_loop_t *loop, struct informer *nodes, const struct podways_config *config);
void podways_free(struct podways *p); /* what is in the kernel stays; NULL is fine */

/* The addresses that other nodes know a Node by, with a comma between the families; "": none yet. The caller frees. */
char *node_internal_ips(const json_t *node);
