/* Sees when somebody else changes a table of ours: `nft flush ruleset`, a firewall that is loaded anew, a hand. The
 * kernel tells every nftables transaction of a namespace to those who listen; listening is off while our own run
 * (telling costs the kernel as much as the change), and the generation number says whether another slipped in then. */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

struct guard;
typedef void guard_fn(void *arg);
/* `touched` is called from the loop after a foreign change to table `table` of the family. netns_fd: -1 here; borrowed
 * for this call. */
struct guard *guard_new(uv_loop_t *loop, int netns_fd, int family, const char *table, guard_fn *touched, void *arg,
                        struct err *err);
void guard_free(struct guard *g); /* the memory goes when the loop runs on; NULL is fine */

/* Around our own transactions; on any one thread. guard_end: true when other than `transactions` transactions were
 * made in the namespace meanwhile. */
void guard_begin(struct guard *g);
bool guard_end(struct guard *g, unsigned transactions);

/* Is this notification about table `table` of the family? Pure. */
struct nlmsghdr;
bool guard_concerns(const struct nlmsghdr *nlh, int family, const char *table);
