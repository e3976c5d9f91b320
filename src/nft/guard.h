/* Sees when somebody else changes a table of ours: `nft flush ruleset`, a firewall that is loaded anew, a hand. One for
 * each network namespace. The kernel tells every nftables transaction of a namespace to those who listen; listening is
 * off while our own run (telling costs the kernel as much as the change, and a large one overflows the socket of who
 * listens), and the generation number says whether another slipped in then. */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/list.h"

struct guard;
/* netns_fd: -1 here; borrowed for this call. The caller owns a reference. */
struct guard *guard_new(uv_loop_t *loop, int netns_fd, struct err *err);
struct guard *guard_ref(struct guard *g);
void guard_unref(struct guard *g); /* the memory goes when the loop runs on; NULL is fine */

/* `touched` is called from the loop after a foreign change to table `table` of the family (NFPROTO_*). */
struct guard_watch {
    struct list link;
    int family;
    const char *table; /* borrowed */
    void (*touched)(void *arg);
    void *arg;
};
void guard_watch(struct guard *g, struct guard_watch *w);
void guard_unwatch(struct guard_watch *w); /* one that was never begun must be zero */

/* Around our own transactions, by who has the turn (turn.h); on any one thread. guard_end: true when other than
 * `transactions` transactions were made in the namespace meanwhile. */
void guard_begin(struct guard *g);
bool guard_end(struct guard *g, unsigned transactions);
/* Back on the loop, if so: what it was is not known, so all tables but this one (NULL: all) are taken for touched. */
void guard_suspect(struct guard *g, const struct guard_watch *but);

/* Is this notification about table `table` of the family? Pure. */
struct nlmsghdr;
bool guard_concerns(const struct nlmsghdr *nlh, int family, const char *table);
