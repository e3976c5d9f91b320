/* The node agent (upstream: kubelet): makes the pods bound to one node true, reports them, and serves their logs and
 * exec. Containers run under conmon and outlive the agent; a restarted agent finds them again by what lies in its
 * directories. */
#pragma once
#include <openssl/ssl.h>
#include <uv.h>

#include "base/err.h"
#include "client/client.h"
#include "node/eviction.h"
#include "node/shutdown.h"
#include "service/model.h"

struct agent;

/* When pods have to go, and how. */
struct agent_policy {
    struct eviction_thresholds eviction;
    struct shutdown_grace shutdown;
};

struct agent_config {
    const char *node_name;
    const char *node_ips;           /* "172.28.128.10,fd00:172:28:128::10": a comma between the families */
    const char *const *node_labels; /* "key=value", or "key-": taken away; NULL-terminated; beside hostname, os, arch */
    const char *const *node_taints; /* "key=value:effect", or "key-"; NULL-terminated; others are left alone */
    int netns_fd;                   /* the node's network namespace; -1: here */
    int pod_mtu;                    /* of pods' interfaces; 0: the kernel's */
    const char *data_dir;           /* images/, and pods/ of this node beneath nodes/NAME/ */
    const char *run_dir;            /* pins, exit files, sockets; on tmpfs */
    const char *cluster_dns, *cluster_domain;
    const char *api_host; /* KUBERNETES_SERVICE_HOST, i.e. the ClusterIP of default/kubernetes */
    int api_port;
    const char *tls_cert, *tls_key,
        *client_ca; /* of the agent's own HTTPS port; cert NULL: agent_tls() gets it later */
    int port;       /* 10250 */
    struct agent_policy policy;
    struct model *model; /* for Service environment variables; borrowed */
    /* Are the rules for the pod's network in force? Its first process waits for that; agent_network_changed() has them
     * asked again. NULL: there are none. */
    bool (*guarded)(void *arg, const char *uid);
    void *guarded_arg;
};

/* Registers the node, finds the containers of an earlier life, then follows the pods of this node. */
struct agent *agent_new(uv_loop_t *loop, struct client *c, const struct agent_config *config, struct err *err);
SSL_CTX *agent_tls(struct agent *a); /* of its HTTPS port; borrowed */
void agent_network_changed(struct agent *a);
/* The machine is about to be switched off: ends all pods, which are Failed then, and calls done; new ones are refused.
 * Containers that do not end in time keep running. */
void agent_shut_down(struct agent *a, void (*done)(void *arg), void *arg);
/* What the node says of the way to other nodes' pods, as condition NetworkUnavailable. Copies. */
struct agent_network {
    bool unavailable;
    const char *reason, *message; /* as in kinds/nodenetwork.h */
};
void agent_set_network(struct agent *a, const struct agent_network *n);
bool agent_is_heard(const struct agent *a); /* by the API: its last heartbeat arrived there */
/* Leaves the containers running. */
void agent_free(struct agent *a);
/* Kills every container and takes away what belongs to it (mounts, cgroups, namespaces), without asking the API; for
 * `down`, also after a crash: needs only the directories. Keeps logs and volumes in data_dir. */
int agent_teardown(const char *data_dir, const char *run_dir, const char *node_name, struct err *err);
