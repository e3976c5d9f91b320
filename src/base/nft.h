/* One-shot nftables transactions, for the few rules that are set once. (The Service proxy keeps a context of its own.)
 */
#pragma once
#include "base/err.h"

/* Runs nft commands as one transaction in that network namespace (-1: here). */
int nft_run(int netns_fd, const char *commands, struct err *err);
