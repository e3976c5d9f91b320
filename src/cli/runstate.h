/* What the machine remembers of a running cluster: RUN_DIR/state.json, and a lock held as long as the program lives, so
 * that `down`, a second `up` and an `up` after a crash know what they find. RUN_DIR is on tmpfs: gone after a reboot,
 * like the namespaces. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* Takes the lock, makes RUN_DIR. Returns the lock's fd; -1 with one clear line when a cluster is running. */
int runstate_lock(struct err *err);
/* {pid, dataDir, kubeconfig, detached, nodes, ipFamilies}; written whole. */
int runstate_save(const json_t *state, struct err *err);
/* NULL when there is none. New reference. */
json_t *runstate_load(void);
/* Is the program that holds the lock alive? */
bool runstate_is_running(void);
void runstate_remove(void);
