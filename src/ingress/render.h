/* HAProxy's files from a plan and the slots of its backends, for people to read too. Pure. */
#pragma once
#include "ingress/plan.h"
#include "ingress/slots.h"

/* Where requests come in: ports 80 and 443 of a node's address. A node has an entry for each family. */
struct ingress_node {
    int netns_fd; /* -1: here */
    char ip[IP_TEXT_SIZE];
};

struct ingress_site {
    const struct ingress_node *nodes;
    size_t n_nodes;
    const char *dns;          /* address of the cluster's DNS */
    const char *dir;          /* where the files are; no blanks */
    unsigned long generation; /* HAProxy says it, so that one knows which configuration answers; 0: left out */
};

struct ingress_file {
    char *name; /* in .dir */
    char *text;
};
struct ingress_files {
    struct ingress_file *files;
    size_t n;
};
#define INGRESS_FIRST_FD 3 /* HAProxy inherits its sockets: two for each of these, from here on */
#define INGRESS_CONFIG "haproxy.cfg"
#define INGRESS_PIDFILE "haproxy.pid" /* the master's, written by itself */
#define INGRESS_SOCKET "haproxy.sock"
#define INGRESS_CERTS "certs.list"
#define INGRESS_DEFAULT_CERT "default.pem" /* is not one of the rendered files */

/* addresses: false leaves them out of the servers: two renderings without them differ only in shape. */
void ingress_render(const struct ingress_plan *p, const struct slots *s, const struct ingress_site *site,
                    bool addresses, struct ingress_files *ret);
void ingress_files_done(struct ingress_files *f);
