/* The namespaces that the containers of one pod share. They are made by a thread that lives only for that and pinned by
 * bind mounts, so no process (no "pause" container) has to stay for them, but for a process namespace (holder.h).
 * Blocking, any thread. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

struct sandbox_options {
    const char *dir;      /* pins net, ipc, uts go here */
    const char *hostname; /* of the new uts namespace */
    bool own_net;         /* false: the pod lives in the node's namespace */
    bool own_ipc;
    bool share_pid;           /* one process namespace for all containers, pinned as well: pid */
    const char *cgroup_procs; /* for the process that holds it; NULL: it stays in ours */
};

/* Making what is pinned already is fine: the pins stay. */
int sandbox_make(const struct sandbox_options *o, struct err *err);
bool sandbox_exists(const char *dir);
/* Nothing of it has gone since it was made. */
bool sandbox_is_whole(const char *dir);
/* Unpins; the namespaces go with their last process. Missing pins are fine. */
void sandbox_remove(const char *dir);

/* Runs fn in a thread of its own that is gone afterwards: for what changes a thread for good (namespaces, root,
 * directory). */
int run_in_fresh_thread(int (*fn)(void *arg, struct err *err), void *arg, struct err *err);
