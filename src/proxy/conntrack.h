/* Flows in connection tracking that a change of endpoints has made wrong: a UDP client that keeps its port goes on
 * talking to an endpoint that is gone, or, when there was none at first, to nobody for ever; a TCP client repeats its
 * SYN to a node that is lost, and so does the next one with the same port. */
#pragma once
#include "base/err.h"
#include "proxy/ruleset.h"

/* In the current network namespace: deletes the flows to the fronts in l whose answers don't come from a target; of TCP
 * only those that were never answered. */
int conntrack_clear(int family, const struct recheck_list *l, struct err *err);
