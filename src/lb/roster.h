/* The other nodes as one node sees them: what the API says of them and what their heartbeats do. */
#pragma once
#include <uv.h>

#include "base/ip.h"
#include "client/informer.h"

struct roster;
struct roster_config {
    int netns_fd;
    const char *node_name, *ifname;
    const char *node_ip; /* heartbeats come and go here; NULL: there are none, and the API alone is believed */
    /* Who may announce has changed; doubt: perhaps somebody else has announced what is ours. Do not ask in it. */
    void (*changed)(void *arg, bool doubt);
    /* No heartbeat of the node comes any more; false: it has been back for a while. May be NULL. */
    void (*lost)(void *arg, const char *node, bool lost);
    void *arg, *lost_arg;
};
/* config's texts are borrowed for the call. The informer goes first. */
struct roster *roster_new(uv_loop_t *loop, struct informer *nodes, const struct roster_config *config);
void roster_free(struct roster *r);
/* While paused it neither speaks nor listens; then it is one that was away. */
void roster_pause(struct roster *r, bool paused);
/* The nodes that may announce, or those that are back too shortly and do it only for
 * want of others: at most roster_size() names, borrowed until the loop goes on. Nodes that are known to be on another
 * network are left out. */
size_t roster_size(const struct roster *r);
size_t roster_announcers(const struct roster *r, const struct cidr *network, bool settled, const char **ret);
