/* See workqueue.h. */
#include "client/workqueue.h"

#include "base/alloc.h"

int64_t work_backoff_ms(unsigned failures)
{
    int64_t ms = WORK_BACKOFF_MIN_MS;
    while (failures-- > 1 && ms < WORK_BACKOFF_MAX_MS)
        ms *= 2;
    return ms < WORK_BACKOFF_MAX_MS ? ms : WORK_BACKOFF_MAX_MS;
}

/* --- heap of delays --- */

static void heap_set(struct workqueue *q, size_t at, struct work *w)
{
    q->heap[at] = w;
    w->heap_at = at;
}

static void heap_up(struct workqueue *q, size_t at)
{
    struct work *w = q->heap[at];
    for (; at > 0 && q->heap[(at - 1) / 2]->due_ms > w->due_ms; at = (at - 1) / 2)
        heap_set(q, at, q->heap[(at - 1) / 2]);
    heap_set(q, at, w);
}

static void heap_down(struct workqueue *q, size_t at)
{
    struct work *w = q->heap[at];
    for (size_t child; (child = 2 * at + 1) < q->n_heap; at = child) {
        if (child + 1 < q->n_heap && q->heap[child + 1]->due_ms < q->heap[child]->due_ms)
            child++;
        if (w->due_ms <= q->heap[child]->due_ms)
            break;
        heap_set(q, at, q->heap[child]);
    }
    heap_set(q, at, w);
}

static void heap_remove(struct workqueue *q, struct work *w)
{
    size_t at = w->heap_at;
    struct work *last = q->heap[--q->n_heap];
    w->due_ms = 0;
    if (last == w)
        return;
    heap_set(q, at, last);
    heap_up(q, at);
    heap_down(q, last->heap_at);
}

static void delay(struct workqueue *q, struct work *w, int64_t due_ms)
{
    if (w->due_ms && w->due_ms <= due_ms)
        return;
    if (w->due_ms)
        heap_remove(q, w);
    if (q->n_heap == q->heap_cap) {
        q->heap_cap = q->heap_cap ? 2 * q->heap_cap : 16;
        q->heap = xrealloc(q->heap, q->heap_cap * sizeof(*q->heap));
    }
    w->due_ms = due_ms;
    heap_set(q, q->n_heap++, w);
    heap_up(q, w->heap_at);
}

/* --- keys --- */

static void work_free(struct work *w)
{
    free(w->ns);
    free(w->name);
    free(w->complaint);
    free(w->map_key);
    free(w);
}

void workqueue_init(struct workqueue *q)
{
    *q = (struct workqueue){0};
    list_init(&q->ready);
}

void workqueue_done(struct workqueue *q)
{
    for (struct map_entry *e = NULL; (e = map_next(&q->works, e));)
        work_free(e->value);
    map_done(&q->works);
    free(q->heap);
}

static struct work *find(struct workqueue *q, void *owner, const char *ns, const char *name)
{
    _cleanup_free_ char *key = xasprintf("%p/%s/%s", owner, ns, name);
    struct work *w = map_get(&q->works, key);
    if (w)
        return w;
    w = NEW(struct work);
    w->owner = owner;
    w->ns = xstrdup(ns);
    w->name = xstrdup(name);
    w->map_key = TAKE(key);
    list_init(&w->ready);
    map_put(&q->works, w->map_key, w);
    return w;
}

static void make_ready(struct workqueue *q, struct work *w)
{
    if (w->held) {
        w->again = true;
    } else if (!w->queued) {
        w->queued = true;
        list_append(&q->ready, &w->ready);
    }
}

void workqueue_add(struct workqueue *q, void *owner, const char *ns, const char *name)
{
    make_ready(q, find(q, owner, ns, name));
}

void workqueue_add_at(struct workqueue *q, void *owner, const char *ns, const char *name, int64_t due_ms)
{
    delay(q, find(q, owner, ns, name), due_ms);
}

static void wake_delayed(struct workqueue *q, int64_t now_ms)
{
    while (q->n_heap && q->heap[0]->due_ms <= now_ms) {
        struct work *w = q->heap[0];
        heap_remove(q, w);
        make_ready(q, w);
    }
}

struct work *workqueue_take(struct workqueue *q, int64_t now_ms)
{
    wake_delayed(q, now_ms);
    if (list_empty(&q->ready))
        return NULL;
    struct work *w = container_of(q->ready.next, struct work, ready);
    list_remove(&w->ready);
    w->queued = false;
    w->held = true;
    return w;
}

void workqueue_release(struct workqueue *q, struct work *w, bool failed, int64_t now_ms)
{
    w->held = false;
    if (failed) {
        delay(q, w, now_ms + work_backoff_ms(++w->failures));
    } else {
        w->failures = 0;
        free(TAKE(w->complaint));
    }
    if (w->again) {
        w->again = false;
        make_ready(q, w);
    }
    if (w->queued || w->due_ms)
        return;
    map_del(&q->works, w->map_key);
    work_free(w);
}

void workqueue_hurry(struct workqueue *q)
{
    wake_delayed(q, INT64_MAX);
}

bool workqueue_ready(const struct workqueue *q)
{
    return !list_empty(&q->ready);
}

int64_t workqueue_next_due(const struct workqueue *q)
{
    return q->n_heap ? q->heap[0]->due_ms : -1;
}
