/* The nftables commands: the table itself, and what changes in it. Pure. */
#pragma once
#include "proxy/elements.h"

#define TABLE "c8s"

/* Replaces the whole table by an empty one: chains, sets, no elements. */
void render_table(const struct site *site, struct buf *out);
/* The chain that keeps clients with their endpoint for so many seconds, still without its rule (affinity_rules.h);
 * the elements of `affine_for` lead to it. */
void render_remember(const struct site *site, int seconds, struct buf *out);
void render_change(const struct site *site, const struct change *c, struct buf *out);
void render_teardown(int family, struct buf *out);
