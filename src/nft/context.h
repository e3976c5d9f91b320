/* A way into one network namespace's nftables: commands in nft's language, each call one transaction. The calls block
 * and belong on a worker thread; one at a time for each context. */
#pragma once
#include <stdbool.h>

#include "base/err.h"

struct nft_context;
/* netns_fd: -1 here; duplicated. */
struct nft_context *nft_context_new(int netns_fd, struct err *err);
void nft_context_free(struct nft_context *c);
/* One transaction. */
int nft_context_run(struct nft_context *c, const char *commands, struct err *err);
/* How many have been made so far. */
unsigned nft_context_transactions(const struct nft_context *c);
/* What nft answers in JSON to a command that lists; the caller frees. NULL: it failed. */
char *nft_context_list(struct nft_context *c, const char *command, struct err *err);
/* Is there such a table? family: NFPROTO_*. False as well where nftables cannot be asked. Does not block. */
bool nft_has_table(int netns_fd, int family, const char *name);
