/* See store.h. The life of a write: submitted (pending: store_latest sees it) -> committed by the writer thread ->
 * published on the loop: index, history, watchers, its own callback. */
#include "store/store.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "kinds/kind.h"
#include "store/db.h"
#include "store/history.h"
#include "store/index.h"
#include "store/snapshot.h"
#include "store/writer.h"

/* Old versions kept for watches that begin in the past, over all kinds; the kind that fills it gives way. Enough for
 * seconds of the heaviest writing, and half of what 10,000 pods take themselves. */
#define HISTORY_BYTES_MAX (16 << 20)

struct store_watch {
    struct list link; /* in the table's watches */
    struct store *s;
    struct table *table;
    uint64_t rv;        /* everything up to here was delivered */
    bool behind;        /* has not been given the past it asked for yet */
    store_event_fn *fn; /* NULL: stopped inside a delivery, to be freed after it */
    void *arg;
};

/* Everything about one kind. */
struct table {
    const struct kind *kind;
    struct index index;
    struct history history;
    struct list watches;
    bool behind;    /* a watch is */
    int delivering; /* depth of deliveries: watches may not be freed meanwhile */
    bool has_stopped;
    struct table *next;
};

struct store {
    struct db *db;
    struct writer *writer;
    struct table *tables; /* a handful: a list is as good as a map */
    struct map pending;   /* key -> the latest write of that key on its way */
    size_t n_pending;
    uint64_t rv;        /* newest durable */
    uint64_t rv_opened; /* what happened up to here was before this start and is not remembered */
    uint64_t rv_handed; /* newest given out by store_next_rv */
    uv_async_t wake;    /* something was committed, or a watch waits for its past */
    bool closing;
};

static struct table *table_find(const struct store *s, const struct kind *k)
{
    struct table *t = s->tables;
    while (t && t->kind != k)
        t = t->next;
    return t;
}

static struct table *table_get(struct store *s, const struct kind *k)
{
    struct table *t = table_find(s, k);
    if (t)
        return t;
    t = NEW(struct table);
    t->kind = k;
    list_init(&t->watches);
    history_init(&t->history, s->rv_opened);
    t->next = s->tables;
    s->tables = t;
    return t;
}

/* Kinds of one name in two groups are different keys. Names hold no '/' (kinds' name checks), so keys are distinct. */
static char *write_key(const struct kind *k, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s/%s", k->group, k->plural, ns, name);
}

/* --- watching --- */

static void watch_free(struct store_watch *w)
{
    list_remove(&w->link);
    free(w);
}

static void sweep_stopped(struct table *t)
{
    if (t->delivering || !t->has_stopped)
        return;
    t->has_stopped = false;
    LIST_EACH(it, &t->watches) {
        struct store_watch *w = container_of(it, struct store_watch, link);
        if (!w->fn)
            watch_free(w);
    }
}

static void deliver(struct store_watch *w, const struct change *c)
{
    if (!w->fn || c->obj->rv <= w->rv)
        return;
    w->rv = c->obj->rv;
    w->fn(w->arg, c->old, c->obj, c->deleted);
}

/* Gives the watch all that the history holds behind its revision. Callbacks do not add to the history: only publish()
 * does, and it never runs inside a callback. */
static void catch_up(struct store_watch *w)
{
    const struct history *h = &w->table->history;
    w->behind = false;
    for (size_t i = history_after(h, w->rv); w->fn && i < h->len; i++)
        deliver(w, history_at(h, i));
}

static void catch_up_all(struct table *t)
{
    if (!t->behind)
        return;
    t->behind = false;
    t->delivering++;
    LIST_EACH(it, &t->watches) {
        struct store_watch *w = container_of(it, struct store_watch, link);
        if (w->behind)
            catch_up(w);
    }
    t->delivering--;
    sweep_stopped(t);
}

struct store_watch *store_watch(struct store *s, const struct kind *k, uint64_t rv, store_event_fn *fn, void *arg)
{
    struct table *t = table_get(s, k);
    if (rv && !store_remembers(s, k, rv))
        return NULL;
    struct store_watch *w = NEW(struct store_watch);
    *w = (struct store_watch){.s = s, .table = t, .rv = rv ? rv : s->rv, .fn = fn, .arg = arg};
    list_append(&t->watches, &w->link);
    if (history_after(&t->history, w->rv) < t->history.len) {
        w->behind = t->behind = true;
        uv_async_send(&s->wake);
    }
    return w;
}

void store_watch_stop(struct store_watch *w)
{
    if (!w)
        return;
    if (w->table->delivering) {
        w->fn = NULL;
        w->table->has_stopped = true;
        return;
    }
    watch_free(w);
}

/* --- publishing --- */

static void limit_history(struct store *s)
{
    for (;;) {
        size_t total = 0;
        struct table *largest = s->tables;
        for (struct table *t = s->tables; t; t = t->next) {
            total += t->history.bytes;
            if (t->history.bytes > largest->history.bytes)
                largest = t;
        }
        if (total <= HISTORY_BYTES_MAX)
            return;
        history_drop(&largest->history);
    }
}

/* The write is no longer pending: it leaves the table unless a later write of its key has taken the place. */
static void settle(struct store *s, struct write *w)
{
    if (map_get(&s->pending, w->key) == w)
        map_del(&s->pending, w->key);
    s->n_pending--;
}

static void finish(struct write *w, const struct err *err)
{
    if (w->done)
        w->done(w->arg, err);
    object_unref(w->obj);
    free(w->key);
    free(w);
}

static void publish(struct store *s, struct write *w)
{
    struct object *obj = w->obj;
    struct table *t = table_get(s, obj->kind);
    catch_up_all(t); /* before the history grows and forgets */
    _cleanup_object_ struct object *old =
        w->deleted ? index_del(&t->index, obj->ns, obj->name) : index_put(&t->index, obj);
    s->rv = obj->rv;
    settle(s, w);
    if (old || !w->deleted) {
        const struct change change = {old, obj, w->deleted};
        history_add(&t->history, old, obj, w->deleted);
        t->delivering++;
        LIST_EACH(it, &t->watches)
            deliver(container_of(it, struct store_watch, link), &change);
        t->delivering--;
        sweep_stopped(t);
        limit_history(s);
    }
    finish(w, NULL);
}

static void take_committed(struct store *s)
{
    struct list durable, failed;
    struct err err;
    list_init(&durable);
    list_init(&failed);
    writer_take(s->writer, &durable, &failed, &err);
    /* Failed ones stop being visible to store_latest before any callback can decide something on top of them. */
    LIST_EACH(it, &failed)
        settle(s, container_of(it, struct write, link));
    LIST_EACH(it, &durable) {
        list_remove(it);
        publish(s, container_of(it, struct write, link));
    }
    LIST_EACH(it, &failed) {
        list_remove(it);
        finish(container_of(it, struct write, link), &err);
    }
}

static void on_wake(uv_async_t *async)
{
    struct store *s = async->data;
    if (s->closing)
        return;
    for (struct table *t = s->tables; t; t = t->next)
        catch_up_all(t);
    take_committed(s);
}

static void wake_loop(void *arg)
{
    struct store *s = arg;
    uv_async_send(&s->wake);
}

/* --- opening and closing --- */

static void load_object(void *arg, struct object *o)
{
    object_unref(index_put(&table_get(arg, o->kind)->index, o));
}

struct store *store_open(uv_loop_t *loop, const char *path, struct err *err)
{
    struct store *s = NEW(struct store);
    s->db = db_open(path, err);
    if (!s->db || db_load(s->db, load_object, s, &s->rv, err) < 0) {
        for (struct table *t = s->tables, *next; t; t = next) {
            next = t->next;
            index_done(&t->index);
            free(t);
        }
        db_close(s->db);
        free(s);
        return NULL;
    }
    s->rv_opened = s->rv_handed = s->rv;
    for (struct table *t = s->tables; t; t = t->next)
        t->history.floor = s->rv_opened;
    uv_async_init(loop, &s->wake, on_wake);
    s->wake.data = s;
    s->writer = writer_start(s->db, wake_loop, s);
    return s;
}

static void free_table(struct table *t)
{
    LIST_EACH(it, &t->watches)
        watch_free(container_of(it, struct store_watch, link));
    history_done(&t->history);
    index_done(&t->index);
    free(t);
}

static void on_wake_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    while (s->n_pending) {
        writer_wait(s->writer);
        take_committed(s);
    }
    s->closing = true;
    writer_stop(s->writer);
    db_close(s->db);
    for (struct table *t = s->tables, *next; t; t = next) {
        next = t->next;
        free_table(t);
    }
    map_done(&s->pending);
    uv_close((uv_handle_t *)&s->wake, on_wake_closed);
}

/* --- reading --- */

uint64_t store_rv(const struct store *s)
{
    return s->rv;
}

uint64_t store_next_rv(struct store *s)
{
    return ++s->rv_handed;
}

struct object *store_get(const struct store *s, const struct kind *k, const char *ns, const char *name)
{
    const struct table *t = table_find(s, k);
    return t ? index_get(&t->index, ns, name) : NULL;
}

struct object *store_latest(const struct store *s, const struct kind *k, const char *ns, const char *name)
{
    if (!s->pending.len)
        return store_get(s, k, ns, name);
    _cleanup_free_ char *key = write_key(k, ns, name);
    const struct write *w = map_get(&s->pending, key);
    if (!w)
        return store_get(s, k, ns, name);
    return w->deleted ? NULL : w->obj;
}

bool store_remembers(const struct store *s, const struct kind *k, uint64_t rv)
{
    const struct table *t = table_find(s, k);
    return rv <= s->rv && rv >= (t ? t->history.floor : s->rv_opened);
}

size_t store_each_at(const struct store *s, const struct kind *k, uint64_t rv, const char *ns, const char *after_ns,
                     const char *after_name, bool (*visit)(void *arg, struct object *o), void *arg)
{
    const struct table *t = table_find(s, k);
    if (!t)
        return 0;
    struct snapshot past;
    snapshot_init(&past, &t->index, &t->history, rv);
    size_t n = snapshot_each(&past, ns, after_ns, after_name, visit, arg);
    snapshot_done(&past);
    return n;
}

size_t store_each(const struct store *s, const struct kind *k, const char *ns, const char *after_ns,
                  const char *after_name, bool (*visit)(void *arg, struct object *o), void *arg)
{
    return store_each_at(s, k, s->rv, ns, after_ns, after_name, visit, arg);
}

size_t store_count(const struct store *s, const struct kind *k, const char *ns)
{
    const struct table *t = table_find(s, k);
    if (!t)
        return 0;
    return ns ? index_count_ns(&t->index, ns) : t->index.count;
}

void store_each_pending(const struct store *s, const struct kind *k, const char *ns,
                        void (*visit)(void *arg, const struct object *durable, const struct object *latest), void *arg)
{
    for (struct map_entry *e = NULL; (e = map_next(&s->pending, e));) {
        const struct write *w = e->value;
        const struct object *o = w->obj;
        if (o->kind == k && streq(o->ns, ns))
            visit(arg, store_get(s, k, ns, o->name), w->deleted ? NULL : o);
    }
}

/* --- writing --- */

static void submit(struct store *s, struct object *obj, bool deleted, store_done_fn *done, void *arg)
{
    struct write *w = NEW(struct write);
    *w = (struct write){.obj = object_ref(obj), .deleted = deleted, .done = done, .arg = arg};
    w->key = write_key(obj->kind, obj->ns, obj->name);
    map_put(&s->pending, w->key, w);
    s->n_pending++;
    writer_submit(s->writer, w);
}

void store_put(struct store *s, struct object *obj, store_done_fn *done, void *arg)
{
    submit(s, obj, false, done, arg);
}

void store_delete(struct store *s, struct object *obj, store_done_fn *done, void *arg)
{
    submit(s, obj, true, done, arg);
}
