/* Forgets objects of kinds that are news and not state (Events). */
#pragma once
#include "server/pipeline.h"

void expire_init(struct server *s); /* sweeps once a minute */
/* One sweep, as if it were now_usec; the deletions are on their way afterwards. Returns how many. */
size_t expire_sweep(struct server *s, int64_t now_usec);
