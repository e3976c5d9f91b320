/* See pending.h. */
#include "sched/pending.h"

#include "base/alloc.h"

/* Who yields does not do so for longer: the one it yields to may be waiting for an answer. */
#define YIELD_MS 1000

struct waiting {
    unsigned attempts, causes;
    uint64_t shape;
    int64_t priority, last_ms;
    bool woken;
};

void pending_done(struct pending *q)
{
    map_done(&q->active);
    map_done_with(&q->waiting, free);
    free(q->levels);
}

static size_t level_of(struct pending *q, int64_t priority)
{
    for (size_t i = 0; i < q->n_levels; i++)
        if (q->levels[i].priority == priority)
            return i;
    for (size_t i = 0; i < q->n_levels; i++)
        if (!q->levels[i].n) {
            q->levels[i].priority = priority;
            return i;
        }
    q->levels = xrealloc(q->levels, (q->n_levels + 1) * sizeof(*q->levels));
    q->levels[q->n_levels] = (struct priority_level){.priority = priority};
    return q->n_levels++;
}

void pending_activate(struct pending *q, const char *key, int64_t priority, int64_t now_ms)
{
    pending_deactivate(q, key);
    size_t i = level_of(q, priority);
    q->levels[i].n++;
    q->levels[i].since_ms = now_ms;
    map_put(&q->active, key, (void *)(uintptr_t)(i + 1));
}

bool pending_is_turn(const struct pending *q, int64_t priority, int64_t now_ms)
{
    for (size_t i = 0; i < q->n_levels; i++) {
        const struct priority_level *l = &q->levels[i];
        if (l->n && l->priority > priority && now_ms - l->since_ms < YIELD_MS)
            return false;
    }
    return true;
}

void pending_deactivate(struct pending *q, const char *key)
{
    uintptr_t i = (uintptr_t)map_del(&q->active, key);
    if (i)
        q->levels[i - 1].n--;
}

void pending_wait(struct pending *q, const char *key, int64_t priority, unsigned causes, uint64_t shape, int64_t now_ms)
{
    struct waiting *w = map_get(&q->waiting, key);
    if (!w)
        map_put(&q->waiting, key, w = NEW(struct waiting));
    *w = (struct waiting){
        .attempts = w->attempts + 1, .priority = priority, .causes = causes, .shape = shape, .last_ms = now_ms};
}

bool pending_waits(const struct pending *q, const char *key)
{
    return map_get(&q->waiting, key) != NULL;
}

bool pending_knows(const struct pending *q, const char *key, uint64_t shape)
{
    const struct waiting *w = map_get(&q->waiting, key);
    return w && w->shape == shape;
}

void pending_forget(struct pending *q, const char *key)
{
    free(map_del(&q->waiting, key));
}

static int64_t backoff_ms(unsigned attempts)
{
    int64_t ms = PENDING_BACKOFF_MS;
    while (--attempts > 0 && ms < PENDING_BACKOFF_MAX_MS)
        ms *= 2;
    return ms < PENDING_BACKOFF_MAX_MS ? ms : PENDING_BACKOFF_MAX_MS;
}

void pending_wake(struct pending *q, unsigned causes, int64_t now_ms,
                  void (*wake)(void *arg, const char *key, int64_t ms), void *arg)
{
    for (struct map_entry *e = NULL; (e = map_next(&q->waiting, e));) {
        struct waiting *w = e->value;
        if (w->woken || !(w->causes & causes))
            continue;
        int64_t left = w->last_ms + backoff_ms(w->attempts) - now_ms;
        w->woken = true;
        if (left <= 0)
            pending_activate(q, e->key, w->priority, now_ms);
        wake(arg, e->key, left > 0 ? left : 0);
    }
}
