/* UDP flows in connection tracking that a change of endpoints has made wrong: a client that keeps its port goes on
 * talking to an endpoint that is gone, or, when there was none at first, to nobody for ever. */
#pragma once
#include "base/err.h"
#include "proxy/ruleset.h"

/* In the current network namespace: deletes the UDP flows to the fronts in l whose answers don't come from a target. */
int conntrack_clear(int family, const struct recheck_list *l, struct err *err);
