/* The proxy's way into one node's kernel: its table, the rules that nft cannot say, and the clearing of connections
 * that lead nowhere any more. The calls block and belong on a worker thread; one at a time for each kernel. */
#pragma once
#include "base/err.h"
#include "proxy/ruleset.h"

struct kernel;
/* netns_fd: -1 here; duplicated. Fails when nftables cannot be used at all (no root, no kernel support). */
struct kernel *kernel_new(int netns_fd, int family, struct err *err);
void kernel_free(struct kernel *k);
/* One transaction. */
int kernel_run(struct kernel *k, const char *commands, struct err *err);
/* One more: the rule of session affinity that follows; the one of the chain that remembers for so many seconds. */
int kernel_follow(struct kernel *k, struct err *err);
int kernel_remember(struct kernel *k, int seconds, struct err *err);
/* Clients' affinities, to be carried over a table that is replaced. NULL: there are none. */
struct kernel_affinities *kernel_save_affinities(struct kernel *k);
void kernel_affinities_free(struct kernel_affinities *a); /* NULL is fine */
/* As they were: those that lead to nobody are to be cleared. */
int kernel_restore_affinities(struct kernel *k, const struct kernel_affinities *saved, struct err *err);
/* How many have been made so far. */
unsigned kernel_transactions(const struct kernel *k);
/* Ends the UDP flows and forgets the affinities that lead elsewhere than their targets. */
int kernel_clear_stale(struct kernel *k, struct rechecks *r, struct err *err);
