/* What controller.c (queue, turns, informers) and controller_calls.c (requests) share. */
#pragma once
#include "base/list.h"
#include "client/controller.h"
#include "client/events.h"
#include "client/workqueue.h"

struct controller {
    struct controllers *cs;
    const struct controller_def *def;
    void *config, *state;
    struct controller_watch *more; /* beside def->watches, later ones */
    size_t n_more;
    struct events *events;
};

/* One informer, and the calls that were answered but are not seen in it yet. */
struct feed {
    struct controllers *cs;
    struct informer *informer;
    const struct kind *kind;
    struct list waiting;
    bool late; /* made after the start: nobody waits for its first list */
};

struct controllers {
    struct client *client;
    struct controller **controllers;
    size_t n_controllers;
    struct feed **feeds;
    size_t n_feeds, n_late, n_synced;
    struct workqueue queue;
    struct work *current; /* the key that requests are made for */
    unsigned n_held;
    struct list calls; /* not answered yet */
    int64_t (*now_usec)(void);
    int64_t wall_ahead_ms; /* of the monotonic clock, when last looked */
    bool started;
    uv_idle_t idle;
    uv_timer_t timer;
    int open_handles;
};

void controllers_wake(struct controllers *cs);
/* Gives the key back to the queue when none of its calls is open. */
void controllers_let_go(struct controllers *cs, struct work *w);
struct feed *controllers_feed(const struct controllers *cs, const struct kind *k); /* NULL: not watched */

/* The informer has moved on: calls that are seen in it now are over. */
void calls_caught_up(struct feed *f);
/* Those that are not answered yet free themselves when they are. */
void calls_forget(struct controllers *cs);
