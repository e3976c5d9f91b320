/* The way to a cluster that a kubeconfig describes, as far as kubectl needs no other program for it. */
#pragma once
#include "cli/join.h"
#include "client/https.h"

struct access {
    struct join_server server;
    SSL_CTX *tls;
    char *token; /* NULL: the certificate in tls says who we are */
};
/* context: NULL: the file's current one. */
int access_read(struct access *ret, const char *path, const char *context, struct err *err);
void access_done(struct access *a);
/* Borrows from a. The caller frees. */
struct client *access_client(const struct access *a, uv_loop_t *loop);
