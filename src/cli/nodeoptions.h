/* Options of a node that `up`, `server` and `agent` have alike, named as the kubelet's and kube-proxy's. */
#pragma once
#include "cli/nodeports.h"
#include "cli/opts.h"
#include "node/agent.h"
#include "podnet/ways.h"

struct node_options {
    const char *eviction_hard;
    int eviction_transition_s;
    const char *nodeport_addresses, *pod_network;
    int shutdown_s, shutdown_critical_s;
};
/* What they say. */
struct node_policy {
    struct agent_policy agent;
    struct nodeport_addresses nodeports;
    enum ways_mode pod_network;
};
/* Rows of an option table; `type` has a member `node`. */
#define NODE_OPTIONS(type)                                                                                             \
    {"eviction-hard",                                                                                                  \
     "LIST",                                                                                                           \
     OPT_STR,                                                                                                          \
     offsetof(type, node.eviction_hard),                                                                               \
     0,                                                                                                                \
     0,                                                                                                                \
     "when pods have to go, like memory.available<100Mi,nodefs.available<10%"},                                        \
        {"pod-network",                                                                                                \
         "HOW",                                                                                                        \
         OPT_STR,                                                                                                      \
         offsetof(type, node.pod_network),                                                                             \
         0,                                                                                                            \
         0,                                                                                                            \
         "between nodes: auto, direct or vxlan (auto; for `up` direct)"},                                              \
        {"nodeport-addresses",                                                                                         \
         "LIST",                                                                                                       \
         OPT_STR,                                                                                                      \
         offsetof(type, node.nodeport_addresses),                                                                      \
         0,                                                                                                            \
         0,                                                                                                            \
         "where nodes answer NodePorts: ranges like 192.168.1.0/24, or primary (primary)"},                            \
        {"shutdown-grace-period",                                                                                      \
         "SECONDS",                                                                                                    \
         OPT_INT,                                                                                                      \
         offsetof(type, node.shutdown_s),                                                                              \
         0,                                                                                                            \
         3600,                                                                                                         \
         "how long pods may take for their end when the node is switched off (30)"},                                   \
        {"shutdown-grace-period-critical-pods",                                                                        \
         "SECONDS",                                                                                                    \
         OPT_INT,                                                                                                      \
         offsetof(type, node.shutdown_critical_s),                                                                     \
         0,                                                                                                            \
         3600,                                                                                                         \
         "of that, how much is kept for critical pods (10)"},                                                          \
    {                                                                                                                  \
        "eviction-pressure-transition-period", "SECONDS", OPT_INT, offsetof(type, node.eviction_transition_s), 0,      \
            86400, "how long a node says so after it was last short (300)"                                             \
    }
#define NODE_OPTIONS_DEFAULT(eviction, network)                                                                        \
    {                                                                                                                  \
        .eviction_hard = (eviction), .eviction_transition_s = EVICTION_TRANSITION_DEFAULT_S,                           \
        .nodeport_addresses = "primary", .pod_network = (network), .shutdown_s = SHUTDOWN_GRACE_DEFAULT_S,             \
        .shutdown_critical_s = SHUTDOWN_CRITICAL_DEFAULT_S                                                             \
    }

int node_options_read(const struct node_options *o, struct node_policy *ret, struct err *err);
