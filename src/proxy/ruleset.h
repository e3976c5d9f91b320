/* All of a node's rules: the plans of all Services, who holds which front, and what has changed since it was last
 * asked. The text that brings the kernel there is either the difference or everything. Pure. */
#pragma once
#include "proxy/recheck.h"
#include "proxy/render.h"

struct ruleset;
struct ruleset *ruleset_new(const struct site *site); /* borrows site */
void ruleset_free(struct ruleset *rs);
/* svc NULL: gone. */
void ruleset_set(struct ruleset *rs, const char *ns, const char *name, const struct svc *svc);
/* A pod of this node, for its hostPorts; doc NULL: gone. Counts when the changes are taken. */
void ruleset_set_pod(struct ruleset *rs, const char *ns, const char *name, const json_t *doc);
/* Writes the commands for what has changed and forgets it; false: nothing has. */
bool ruleset_take(struct ruleset *rs, struct buf *out, struct rechecks *ret);
/* The same with the commands for everything, from nothing. */
void ruleset_full(struct ruleset *rs, struct buf *out, struct rechecks *ret);
/* The seconds of the chains that the commands just taken make: each still needs its rule (affinity_rules.h). */
size_t ruleset_take_seconds(struct ruleset *rs, int **ret);
size_t ruleset_count(const struct ruleset *rs); /* Services and pods with rules */
