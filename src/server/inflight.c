/* See inflight.h. Numbers are kept as the map's values; a user without requests takes no place. */
#include "server/inflight.h"

#include <stdint.h>

static void set(struct map *counts, const char *name, uintptr_t n)
{
    if (n)
        map_put(counts, name, (void *)n);
    else
        map_del(counts, name);
}

bool inflight_enter(struct map *counts, const struct user *u)
{
    uintptr_t n = (uintptr_t)map_get(counts, u->name);
    if (n >= INFLIGHT_MAX && !user_in_group(u, "system:masters"))
        return false;
    set(counts, u->name, n + 1);
    return true;
}

void inflight_leave(struct map *counts, const struct user *u)
{
    uintptr_t n = (uintptr_t)map_get(counts, u->name);
    set(counts, u->name, n ? n - 1 : 0);
}
