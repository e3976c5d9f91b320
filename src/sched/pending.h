/* The pods that have no node yet: whose turn it is, and when one that fitted nowhere is worth another look. Pure
 * (upstream: backend/queue). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

/* A failed attempt is repeated when something has changed that may help, but not sooner than so (doubling). */
#define PENDING_BACKOFF_MS 1000
#define PENDING_BACKOFF_MAX_MS 10000
/* And without any such change after this: upstream's answer to changes that nobody thought of. */
#define PENDING_FLUSH_MS 300000

struct priority_level {
    int64_t priority, since_ms;
    size_t n;
};

struct pending {
    struct map active;  /* key -> its priority level's number + 1 */
    struct map waiting; /* key -> struct waiting */
    struct priority_level *levels;
    size_t n_levels;
};
void pending_done(struct pending *q);
/* The pod is to be looked at. */
void pending_activate(struct pending *q, const char *key, int64_t priority, int64_t now_ms);
/* False: let those of higher priority go first. */
bool pending_is_turn(const struct pending *q, int64_t priority, int64_t now_ms);
/* It has been looked at. */
void pending_deactivate(struct pending *q, const char *key);
/* It fitted nowhere, for these causes (filters.h). shape: a hash of what counts in it. */
void pending_wait(struct pending *q, const char *key, int64_t priority, unsigned causes, uint64_t shape,
                  int64_t now_ms);
bool pending_waits(const struct pending *q, const char *key);
/* It waits, and is still what it was then. */
bool pending_knows(const struct pending *q, const char *key, uint64_t shape);
void pending_forget(struct pending *q, const char *key);
/* Something has changed that helps against one of the causes: calls wake with the milliseconds until each may be tried
 * again. */
void pending_wake(struct pending *q, unsigned causes, int64_t now_ms,
                  void (*wake)(void *arg, const char *key, int64_t ms), void *arg);
