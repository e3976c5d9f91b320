/* Where the agent of a node listens. */
#pragma once
#include "server/pipeline.h"

struct agent {
    char ip[64];
    int port;
};

/* NULL, or the Status that says why there is none. agent_proxy.c */
json_t *agent_of_node(const struct server *s, const char *node, struct agent *ret);
