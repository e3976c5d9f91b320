/* The control plane: certificates, store, API server, controllers and scheduler. */
#pragma once
#include <uv.h>

#include "cli/addresses.h"
#include "control/csrsigning.h"
#include "lb/pool.h"
#include "node/agent.h"
#include "server/server.h"

struct controlplane_config {
    const char *data_dir;
    const struct addresses *addresses; /* borrowed as long as it starts */
    const char *node_name, *ips;       /* of the node that it runs on; the API's endpoints carry the first one */
    const char *listen_ip;             /* port is API_PORT */
    int netns_fd;                      /* where it listens; -1: here */
    int64_t signing_seconds;           /* for which certificates of nodes and users are signed at most */
    struct lb_pool *lb_pool;           /* borrowed; NULL: load balancers get the nodes' addresses */
};

struct controlplane {
    struct pki pki;
    struct csr_authority authority;
    struct store *store;
    struct server *server;
    struct client *manager, *scheduler; /* in-process */
    struct controllers *controllers, *scheduling;
};

extern const char *const system_nodes[]; /* the groups of a node */

/* After a failure it must be stopped as well. */
int controlplane_start(struct controlplane *p, uv_loop_t *loop, const struct controlplane_config *config,
                       struct err *err);
/* The certificate of a node of this program, when it is near its end; agent NULL: it does not run. */
void controlplane_renew_node(const struct controlplane *p, const char *name, const char *ips, struct agent *agent);
/* In two steps: readers of the server stop before it does. */
void controlplane_stop_controllers(struct controlplane *p);
void controlplane_stop(struct controlplane *p); /* the loop must run until it is empty, then controlplane_done() */
void controlplane_done(struct controlplane *p);
