/* One watch: a subscription to the store, seen through the request's filter. An object that stops matching is DELETED,
 * one that begins to match is ADDED. Knows nothing of how events are written down: that is the sink's. */
#pragma once
#include "client/client.h"
#include "server/filter.h"
#include "server/pipeline.h"

struct watch_sink {
    /* obj NULL for bookmarks; initial_end: the bookmark that ends the initial events. May call watch_stop(). */
    void (*event)(void *arg, enum client_event type, struct object *obj, uint64_t rv, bool initial_end);
    /* The watch is gone. status NULL: its time was up; otherwise what went wrong (borrowed). */
    void (*ended)(void *arg, const json_t *status);
};

/* Reads kind, namespace, selectors and options out of the request (which goes on living; nothing of it is kept). Events
 * that are there already are delivered from inside this call. On failure *ret_status, and NULL. A revision that is no
 * longer remembered is not a failure but a watch that ends at once with 410: `ended` is called from inside, NULL
 * returned. */
struct watch *watch_start(const struct request *r, const struct watch_sink *sink, void *arg, json_t **ret_status);
void watch_stop(struct watch *w);

/* Ends those of a kind, as if their time were up: clients come again and learn what has changed about it. */
void watches_end(struct server *s, const struct kind *k);
void watches_init(struct server *s);
/* Ends all of them without a word. */
void watches_done(struct server *s);
