/* The process that holds a pod's process namespace: it is process 1 there, since a namespace ends with that. It has no
 * files, no rights, and a root that is empty, for containers can look into it. Blocking, any thread. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

/* Starts it in the network, IPC and UTS namespaces of the calling thread; its process namespace is pinned at dir/pid,
 * and what it is called lies in dir/holder. cgroup_procs: where it goes, as in spawn.h. */
int holder_start(const char *dir, const char *cgroup_procs, struct err *err);
/* False: there was one, and it is gone. */
bool holder_lives(const char *dir);
/* Kills it, and whatever is left in its namespace; none is fine. */
void holder_kill(const char *dir);
