/* How a machine becomes a node: by a bootstrap token the cluster knows it, by a signature with the same token, or by
 * the hash of the CA, it knows the cluster; what it gets is the CA, a client certificate of its own, and which address
 * families the cluster has. Goes on trying until all are there. */
#pragma once
#include <uv.h>

#include "base/err.h"

struct join_server {
    char *name; /* as its certificate has it */
    char ip[64];
    int port;
};
/* "https://HOST[:PORT]", an IPv6 address in brackets; looks the host up. The caller frees the name, also after a
 * failure. */
int join_parse_url(const char *url, struct join_server *ret, struct err *err);

struct join_paths { /* files */
    char *ca, *cert, *key;
    char *families; /* as addresses_init() takes them */
};

struct join;
struct join_config {
    const struct join_server *server;
    const char *token, *ca_hash; /* NULL where they are not needed any more */
    const char *node_name;
    const struct join_paths *paths;
};
/* Borrows what config points to. done: err NULL when all is there; otherwise trying again makes no sense. */
struct join *join_start(uv_loop_t *loop, const struct join_config *config,
                        void (*done)(void *arg, const struct err *err), void *arg);
void join_free(struct join *j); /* NULL is fine */
