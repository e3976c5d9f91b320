/* Several tables of one network namespace, written in turn: the guard of one would take another's transaction, made
 * while it did not listen, for a stranger's. Loop thread only; who comes first, writes first. */
#pragma once
#include "base/list.h"

/* One for each namespace; outlives those who write. */
struct turn {
    struct list queue; /* of tickets: the first one has the turn */
};
static inline void turn_init(struct turn *t)
{
    list_init(&t->queue);
}

struct turn_ticket {
    struct list link;
    struct turn *turn;
    void (*granted)(void *arg); /* from inside somebody else's turn_end(): schedule, do not write */
    void *arg;
};
void turn_join(struct turn_ticket *k, struct turn *t, void (*granted)(void *arg), void *arg);
/* True: it is our turn until turn_end(). False: `granted` tells. Asking again while waiting is fine. */
bool turn_take(struct turn_ticket *k);
/* Gives the turn, or the place in the queue, away; without either nothing happens. */
void turn_end(struct turn_ticket *k);
