/* The Secrets that Ingresses name for TLS, each followed by itself: a node may see those and no others
 * (server/authz_node.c). Only Secrets of type kubernetes.io/tls are seen. */
#pragma once
#include "client/informer.h"

#define SECRETS_TYPE "kubernetes.io/tls"

struct secrets;
/* changed: one of them has, or is known by now; it may not free anything. */
struct secrets *secrets_new(struct client *c, void (*changed)(void *arg), void *arg);
void secrets_free(struct secrets *s);
/* From now on those that these Ingresses name, and no others. False: some are not known yet. */
bool secrets_follow(struct secrets *s, const json_t *const *ingresses, size_t n);
struct object *secrets_get(const struct secrets *s, const char *ns,
                           const char *name); /* borrowed; NULL: there is none */
