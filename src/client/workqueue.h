/* The queue behind the controllers' frame (client-go's rate limiting work queue): keys without duplicates, one holder a
 * key, delays, and back-off for keys that fail. Pure: time comes in as an argument. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

#define WORK_BACKOFF_MIN_MS 5
#define WORK_BACKOFF_MAX_MS 60000

/* One key of one owner. It exists while it is queued, delayed or held. */
struct work {
    void *owner;
    char *ns, *name;
    unsigned failures; /* in a row */
    /* The holder's. */
    unsigned open;   /* requests that it waits for */
    bool failed;     /* one of them did */
    char *complaint; /* what was last logged about it, so that it is said once */

    /* The queue's own. */
    char *map_key;
    struct list ready;
    bool queued, held, again; /* again: was added while held */
    int64_t due_ms;           /* of its delay; 0: none */
    size_t heap_at;           /* place in the heap when due_ms is set */
};

struct workqueue {
    struct map works;
    struct list ready;
    struct work **heap; /* delayed ones, the earliest first */
    size_t n_heap, heap_cap;
};

void workqueue_init(struct workqueue *q);
void workqueue_done(struct workqueue *q);
void workqueue_add(struct workqueue *q, void *owner, const char *ns, const char *name);
/* An earlier delay that is already set wins. */
void workqueue_add_at(struct workqueue *q, void *owner, const char *ns, const char *name, int64_t due_ms);
/* The next key, now held by the caller; NULL when none is ready. */
struct work *workqueue_take(struct workqueue *q, int64_t now_ms);
/* Gives it back. Failed: it comes again after its back-off; otherwise at once if it was added meanwhile. May free it.
 */
void workqueue_release(struct workqueue *q, struct work *w, bool failed, int64_t now_ms);
bool workqueue_ready(const struct workqueue *q);
/* All delays end: what they were reckoned from has changed. */
void workqueue_hurry(struct workqueue *q);
/* When the next delay ends; -1: there is none. */
int64_t workqueue_next_due(const struct workqueue *q);
int64_t work_backoff_ms(unsigned failures);
