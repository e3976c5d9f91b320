/* What a node says of its tunnel to the others, as its condition NetworkUnavailable: written by agents, read by whoever
 * explains a Service. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#define NODE_NETWORK "NetworkUnavailable"
#define NODE_NETWORK_REASON "Tunnel" /* ours begin so; other reasons are somebody else's to change */
#define NODE_NETWORK_WELL "TunnelWorks"
#define NODE_NETWORK_NOT_NEEDED "TunnelNotNeeded"
#define NODE_NETWORK_MISSING "TunnelMissing" /* ways are left to routers: well or not, we cannot tell */
bool node_network_is_trouble(const char *reason);
/* The condition's message, if it tells of trouble; NULL: it does not. */
const char *node_network_trouble(const json_t *node);
