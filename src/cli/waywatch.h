/* Has the tunnel of one node tried all the time, and says in the Node's terms what is wrong with it. */
#pragma once
#include <uv.h>

#include "client/informer.h"
#include "node/agent.h"
#include "podnet/probe.h"

struct waywatch;
struct waywatch_config {
    uv_loop_t *loop;
    struct informer *nodes; /* borrowed */
    const char *node_name;  /* borrowed as long as the watch is there */
    int netns_fd;
    struct ip node_ip, tunnel_ip; /* our own */
    void (*told)(void *arg, const char *node_name, const struct agent_network *network);
    bool (*heard)(void *arg, const char *node_name); /* by the API */
    void *told_arg;                                  /* of both */
    void (*lost)(void *arg);                         /* somebody has deleted the tunnel's device */
    void *lost_arg;
};
struct waywatch *waywatch_new(const struct waywatch_config *config);
void waywatch_free(struct waywatch *w); /* NULL is fine */
/* The nodes behind the tunnel, at any change of them or of the others; missing: a sentence about those that would have
 * to be, "" when there are none. */
void waywatch_set(struct waywatch *w, const struct probe_peer *peers, size_t n, const char *missing);
/* Of any node, behind the tunnel or not. */
void waywatch_set_ready(struct waywatch *w, const char *node, bool ready);
