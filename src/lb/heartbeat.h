/* The socket that heartbeats come and go by: UDP between the nodes' addresses, on one link. */
#pragma once
#include <uv.h>

#include "base/err.h"
#include "base/ip.h"
#include "lb/alive.h"

#define HEARTBEAT_PORT 10261

struct heartbeat;
struct heartbeat_config {
    int netns_fd; /* -1: here */
    const char *ifname;
    struct ip own;
    void (*heard)(void *arg, const struct ip *from, const struct beat *b);
    void *arg;
};
struct heartbeat *heartbeat_open(uv_loop_t *loop, const struct heartbeat_config *config, struct err *err);
void heartbeat_close(struct heartbeat *h); /* NULL is fine */
/* What cannot be sent is lost, as on the wire. */
void heartbeat_send(const struct heartbeat *h, const struct ip *to, const struct beat *b);
/* Reads and forgets what has arrived. */
void heartbeat_drain(struct heartbeat *h);
