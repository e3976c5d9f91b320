/* What runs on every node, over whatever client leads to the API: the agent, DNS, the Service proxy, the rules of
 * policies and the announcer of load balancers. */
#pragma once
#include <uv.h>

#include "cli/addresses.h"
#include "client/informer.h"
#include "cli/nodeoptions.h"
#include "lb/pool.h"
#include "netpol/netpol.h"
#include "nft/turn.h"
#include "node/agent.h"
#include "service/model.h"

struct node_config {
    const char *name, *ips, *ifname;   /* ips: of each family; ifname: where they are */
    const struct addresses *addresses; /* the cluster's; borrowed as long as the node is there */
    int netns_fd;                      /* borrowed; -1: here */
    const char *const *labels, *const *taints;
    const char *data_dir;
    const char *cert, *key, *client_ca; /* as in agent.h */
    const struct lb_pool *lb_pool;      /* borrowed; NULL: nothing is announced */
    struct netpol_feed *policies;       /* borrowed */
    const struct node_policy *policy;   /* borrowed as long as the node is there */
};

struct node {
    uv_loop_t *loop;
    struct client *client;
    struct model *model;
    char *name, *ips, *ifname;
    const struct addresses *addresses;
    int netns_fd;
    const struct lb_pool *lb_pool;
    const struct node_policy *policy;
    struct netpol_feed *policies;
    struct netpol *netpol;
    struct agent *agent;
    struct dns *dns;
    struct table { /* of Service rules, of one family */
        struct node *node;
        struct proxy *proxy;
        uint64_t applied; /* revision of the objects it holds */
        struct ip primary;
    } tables[FAMILIES_MAX];
    int n_tables;
    struct guard *guard;   /* of all tables of rules here; NULL: there is no nftables */
    struct turn turn;      /* of all who write them */
    struct informer *pods; /* bound to this node, for their hostPorts */
    bool services_known;
    struct healthz *healthz;
    json_t *object;                    /* the Node, as the API has it; NULL: not known yet */
    struct acknowledger *acknowledger; /* says when the rules are those of an ending pod */
    struct addrwatch *addrwatch;       /* NULL: NodePorts are answered at fixed addresses */
    struct lb *lb;
    struct agent_network network; /* our copies; reason NULL: nothing is known */
};

/* After a failure it must be stopped as well. */
int node_start(struct node *n, uv_loop_t *loop, struct client *c, struct model *m, const struct node_config *config,
               struct err *err);
/* Every Service is known: only now rules may replace those of an earlier life, and "no such name" is an answer. */
void node_services_known(struct node *n);
/* And every Node. */
void node_nodes_known(struct node *n, struct informer *nodes);
/* Loses the API: agent, proxy and announcer end as they are; containers, rules, addresses and DNS go on. all: DNS ends,
 * too, as when the power is off. */
void node_lose(struct node *n, bool all);
/* Has the API again; what was started by node_start() and node_services_known() is started anew. */
int node_regain(struct node *n, const struct node_config *config, struct err *err);
/* What is known of the way to other nodes, for the Node object. Copies. */
void node_set_network(struct node *n, const struct agent_network *network);
/* Its agent runs, and the API hears it. */
bool node_is_heard(const struct node *n);
/* Containers, addresses and rules stay. */
void node_stop(struct node *n);
