/* Network namespaces. A socket belongs for ever to the namespace it was made in, so one process can serve many nodes:
 * enter, make the socket, leave. It counts for the calling thread alone; never across a callback. */
#pragma once
#include "base/err.h"

/* Runs the rest of the block in the namespace behind fd; the guard's cleanup goes back. Use:
 *     NETNS_SCOPE(node->netns_fd);
 * fd -1 means: stay here. Failing to come back ends the program. */
struct netns_guard {
    int home_fd;
};
struct netns_guard netns_enter(int fd);
void netns_leave(struct netns_guard *guard);
#define NETNS_SCOPE(fd) __attribute__((cleanup(netns_leave), unused)) struct netns_guard netns_guard_ = netns_enter(fd)

/* Makes a new network namespace and pins it at `path` (a file made for it), as `ip netns add` does. Returns its fd or
 * -1. An existing pin is reused when it holds a namespace. */
int netns_create(const char *path, struct err *err);
int netns_open(const char *path, struct err *err);
/* Unpins; the namespace goes when its last user does. A missing path is fine. */
void netns_remove(const char *path);
