/* See expire.h. */
#include "server/expire.h"

#include "base/clock.h"
#include "server/alloc.h"
#include "server/submit.h"

#define SWEEP_MS 60000
#define SWEEP_MAX 1000 /* deletions at a time: what is left waits for the next sweep */

struct sweep {
    int64_t now_usec;
    struct object *due[SWEEP_MAX];
    size_t n;
};

/* What happened long ago may have been written just now. */
static bool is_due(const struct object *o, int64_t now_usec)
{
    int64_t happened = 0, created = 0;
    _cleanup_json_ json_t *doc = object_json(o);
    bool known = time_parse(jstr_or(doc, o->kind->ttl_from, ""), &happened);
    known |= time_parse(jstr_or(doc, "metadata.creationTimestamp", ""), &created);
    return known && now_usec - (happened > created ? happened : created) > o->kind->ttl_seconds * INT64_C(1000000);
}

static bool collect(void *arg, struct object *o)
{
    struct sweep *sweep = arg;
    if (sweep->n == SWEEP_MAX)
        return false;
    if (is_due(o, sweep->now_usec))
        sweep->due[sweep->n++] = object_ref(o);
    return true;
}

static void ignore_outcome(void *arg, struct object *obj, bool deleted, const struct err *err)
{
    (void)arg;
    (void)obj;
    (void)deleted;
    (void)err; /* submit() has logged it; the next sweep tries again */
}

static void forget(struct server *s, struct object *o)
{
    struct alloc_change nothing = {0};
    if (store_latest(s->store, o->kind, o->ns, o->name) != o) /* changed or deleted a moment ago */
        return;
    _cleanup_json_ json_t *old = object_json(o), *doc = jcopy(old);
    json_decref(submit(s, o->kind, doc, true, &nothing, ignore_outcome, NULL));
}

size_t expire_sweep(struct server *s, int64_t now_usec)
{
    struct sweep sweep = {.now_usec = now_usec};
    for (const struct kind *const *k = all_kinds; *k; k++)
        if ((*k)->ttl_seconds)
            store_each(s->store, *k, NULL, NULL, NULL, collect, &sweep);
    for (size_t i = 0; i < sweep.n; i++) {
        forget(s, sweep.due[i]);
        object_unref(sweep.due[i]);
    }
    return sweep.n;
}

static void on_timer(uv_timer_t *timer)
{
    expire_sweep(timer->data, clock_wall_usec());
}

void expire_init(struct server *s)
{
    uv_timer_init(s->loop, &s->expire_timer);
    s->expire_timer.data = s;
    uv_timer_start(&s->expire_timer, on_timer, SWEEP_MS, SWEEP_MS);
}
