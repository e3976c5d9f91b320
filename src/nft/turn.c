/* See turn.h. */
#include "nft/turn.h"

#include <stddef.h>

#include "base/alloc.h"

void turn_join(struct turn_ticket *k, struct turn *t, void (*granted)(void *arg), void *arg)
{
    *k = (struct turn_ticket){.turn = t, .granted = granted, .arg = arg};
    list_init(&k->link);
}

bool turn_take(struct turn_ticket *k)
{
    if (list_empty(&k->link))
        list_append(&k->turn->queue, &k->link);
    return k->turn->queue.next == &k->link;
}

void turn_end(struct turn_ticket *k)
{
    if (list_empty(&k->link))
        return;
    bool had_turn = k->turn->queue.next == &k->link;
    list_remove(&k->link);
    if (!had_turn || list_empty(&k->turn->queue))
        return;
    const struct turn_ticket *next = container_of(k->turn->queue.next, struct turn_ticket, link);
    next->granted(next->arg);
}
