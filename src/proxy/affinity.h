/* What the kernel remembers of clients, read from its listings (`nft -j list map`). Pure. */
#pragma once
#include <jansson.h>

#include "proxy/ruleset.h"

/* list: of `affinity`. Writes the commands that delete the elements that lead to endpoints that are gone. */
void affinity_render_stale(int family, const json_t *list, const struct recheck_list *l, struct buf *out);
/* Writes the commands that put the affinities of a table that was replaced into its successor, for as long as they had
 * left. Numbers are another table's: `affine` before and now tells which are the same ServicePort. */
void affinity_render_kept(int family, const json_t *affinities, const json_t *fronts_before, const json_t *fronts_now,
                          struct buf *out);
