/* The API server: from an HTTP exchange to an answer. Authenticate, authorise, admit, handle; watches; the way through
 * to the agents for logs and exec. Also the in-process transport of client.h, which takes the same path behind
 * authentication. */
#pragma once
#include <uv.h>

#include "client/client.h"
#include "server/pki.h"
#include "store/store.h"

struct server;

struct server_config {
    const char *cluster_cidrs;        /* "10.244.0.0/16,fd00:10:244::/56": a /24, and a /64, of it per node */
    const char *service_cidrs;        /* "10.96.0.0/12,fd00:10:96::/112"; the first family is the primary one */
    const char *cluster_dns;          /* "10.96.0.10", one a family as of the ranges */
    const char *cluster_domain;       /* "cluster.local" */
    const char *advertise_ip;         /* what the endpoints of default/kubernetes carry */
    int port;                         /* 6443 */
    int node_port_min, node_port_max; /* 30000, 32767 */
    const struct pki *pki;
};

/* Makes what every cluster has by itself (namespaces, default/kubernetes, kube-system/kube-dns) if it is missing. */
struct server *server_new(uv_loop_t *loop, struct store *store, const struct server_config *config, struct err *err);
int server_listen(struct server *s, int netns_fd, const char *ip, int port, int *ret_port, struct err *err);
/* fn is called twice a day, when the server has looked after its own certificates. changed: some are new, and the
 * kubeconfig has those of before. */
void server_on_renewed(struct server *s, void (*fn)(void *arg, bool changed), void *arg);
void server_free(struct server *s);
/* In-process client with the rights of this user ("system:kube-controller-manager", groups NULL-terminated). */
struct client *server_local_client(struct server *s, const char *user, const char *const *groups);
