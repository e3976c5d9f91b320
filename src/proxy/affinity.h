/* Which remembered affinities lead to endpoints that are gone. Pure. */
#pragma once
#include <jansson.h>

#include "proxy/ruleset.h"

/* list: what `nft -j list map` says of `affinity`. Writes the commands that delete the stale elements. */
void affinity_render_stale(int family, const json_t *list, const struct recheck_list *l, struct buf *out);
