/* Which revision of the EndpointSlices every node's rules follow: proxies tell the server what they have put into their
 * kernels, and an agent asks before it ends a pod (server/rules.c keeps the account; ARCHITECTURE.md, "Leaving a
 * Service"). */
#pragma once
#include "client/client.h"

/* Tells for one node: at most one request at a time, always the newest revision, and again every ACKNOWLEDGE_MS so that
 * a node which has gone is not waited for. */
struct acknowledger;
struct acknowledger *acknowledger_new(struct client *c, const char *node);
void acknowledger_free(struct acknowledger *a);
void acknowledge(struct acknowledger *a, uint64_t revision);

/* Half of what the server waits for a node that is silent (server/rules.c). */
#define ACKNOWLEDGE_MS 5000

/* Asks for an answer when all nodes' rules follow at least that revision: 200. node: who asks. */
void acknowledge_await(struct client *c, const char *node, uint64_t revision, client_done_fn *done, void *arg);
