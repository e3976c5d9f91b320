/* See informer.h. An object sits in one entry, found by its key, and in a bucket of every index key it has; index 0 is
 * the namespace. A list that fails, or a watch that ends, is tried again with growing pauses. */
#define LOG_AREA "informer"
#include "client/informer.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "kinds/kind.h"

#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 5000
#define BY_NAMESPACE 0

struct entry;

struct bucket {
    int index;
    char *key;
    struct entry **items;
    size_t n, cap;
};

struct entry {
    struct object *obj;
    struct bucket **buckets;
    size_t n_buckets;
    void **digests;
    unsigned listed; /* number of the last list that had it */
};

struct digest {
    void *(*make)(const struct object *o);
    void (*free)(void *digest);
};

struct index {
    void (*key_of)(const struct object *o, informer_emit_fn *emit, void *emit_arg);
    struct map buckets;
};

struct handler {
    informer_fn *fn;
    void *arg;
};

struct hook {
    void (*fn)(void *arg);
    void *arg;
};

/* A list on its way; outlives the informer that asked if need be. */
struct list_call {
    struct informer *informer; /* NULL: nobody waits any more */
};

struct informer {
    struct client *client;
    const struct kind *kind;
    char *ns; /* NULL: all */
    char *selector;
    struct map entries;
    struct index *indexes;
    int n_indexes;
    struct digest *digests;
    int n_digests;
    struct handler *handlers;
    size_t n_handlers;
    struct hook *synced_hooks, *progress_hooks;
    size_t n_synced_hooks, n_progress_hooks;
    uint64_t rv;
    unsigned lists;
    bool started, synced, complained;
    struct list_call *listing;
    struct client_watch *watch;
    uv_timer_t retry;
    int retry_ms;
};

static void list_again(struct informer *i);
static void watch_from_here(struct informer *i);

static void namespace_of(const struct object *o, informer_emit_fn *emit, void *emit_arg)
{
    emit(emit_arg, o->ns);
}

struct informer *informer_new(struct client *c, const struct kind *k, const char *selector)
{
    return informer_new_in(c, k, NULL, selector);
}

struct informer *informer_new_in(struct client *c, const struct kind *k, const char *ns, const char *selector)
{
    struct informer *i = NEW(struct informer);
    i->client = c;
    i->kind = k;
    i->ns = xstrdup_or_null(ns);
    i->selector = xstrdup_or_null(selector);
    uv_timer_init(c->loop, &i->retry);
    i->retry.data = i;
    informer_add_index(i, namespace_of);
    return i;
}

/* --- entries and buckets --- */

static void bucket_add(struct bucket *b, struct entry *e)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 2;
        b->items = xrealloc(b->items, b->cap * sizeof(*b->items));
    }
    b->items[b->n++] = e;
}

static void bucket_free(void *p)
{
    struct bucket *b = p;
    free(b->key);
    free(b->items);
    free(b);
}

static void bucket_remove(struct informer *i, struct bucket *b, struct entry *e)
{
    for (size_t n = b->n; n-- > 0;) {
        if (b->items[n] != e)
            continue;
        b->items[n] = b->items[--b->n];
        break;
    }
    if (b->n)
        return;
    map_del(&i->indexes[b->index].buckets, b->key);
    bucket_free(b);
}

struct gathering {
    struct informer *informer;
    int index;
    struct bucket **buckets;
    size_t n, cap;
};

static void gather(void *arg, const char *key)
{
    struct gathering *g = arg;
    struct map *buckets = &g->informer->indexes[g->index].buckets;
    struct bucket *b = map_get(buckets, key);
    for (size_t n = 0; b && n < g->n; n++)
        if (g->buckets[n] == b)
            return;
    if (!b) {
        b = NEW(struct bucket);
        b->index = g->index;
        b->key = xstrdup(key);
        map_put(buckets, key, b);
    }
    if (g->n == g->cap) {
        g->cap = g->cap ? 2 * g->cap : 4;
        g->buckets = xrealloc(g->buckets, g->cap * sizeof(*g->buckets));
    }
    g->buckets[g->n++] = b;
}

static void leave_buckets(struct informer *i, struct entry *e)
{
    for (size_t n = 0; n < e->n_buckets; n++)
        bucket_remove(i, e->buckets[n], e);
    free(e->buckets);
    e->buckets = NULL;
    e->n_buckets = 0;
}

static void index_entry(struct informer *i, struct entry *e)
{
    struct gathering g = {.informer = i};
    for (g.index = 0; g.index < i->n_indexes; g.index++)
        i->indexes[g.index].key_of(e->obj, gather, &g);
    if (g.n == e->n_buckets && (!g.n || memcmp(g.buckets, e->buckets, g.n * sizeof(*g.buckets)) == 0)) {
        free(g.buckets);
        return;
    }
    for (size_t n = 0; n < g.n; n++)
        bucket_add(g.buckets[n], e);
    leave_buckets(i, e);
    e->buckets = g.buckets;
    e->n_buckets = g.n;
}

static void forget_digests(struct informer *i, struct entry *e)
{
    for (int n = 0; e->digests && n < i->n_digests; n++)
        if (e->digests[n])
            i->digests[n].free(e->digests[n]);
    free(TAKE(e->digests));
}

static void tell(struct informer *i, struct object *old, struct object *obj)
{
    for (size_t n = 0; n < i->n_handlers; n++)
        i->handlers[n].fn(i->handlers[n].arg, old, obj);
}

/* A server that was set back to an earlier state gives numbers of versions again. */
static bool is_same(const struct object *a, const struct object *b)
{
    return a->rv == b->rv && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void store(struct informer *i, struct object *obj)
{
    _cleanup_free_ char *key = object_key(obj);
    struct entry *e = map_get(&i->entries, key);
    if (!e) {
        e = NEW(struct entry);
        map_put(&i->entries, key, e);
    }
    e->listed = i->lists;
    if (e->obj && is_same(e->obj, obj))
        return;
    _cleanup_object_ struct object *old = e->obj;
    e->obj = object_ref(obj);
    forget_digests(i, e);
    index_entry(i, e);
    tell(i, old, obj);
}

static void drop(struct informer *i, const char *key)
{
    struct entry *e = map_del(&i->entries, key);
    if (!e)
        return;
    leave_buckets(i, e);
    forget_digests(i, e);
    _cleanup_object_ struct object *old = e->obj;
    free(e);
    tell(i, old, NULL);
}

static void progress(struct informer *i, uint64_t rv)
{
    if (rv > i->rv)
        i->rv = rv;
    for (size_t n = 0; n < i->n_progress_hooks; n++)
        i->progress_hooks[n].fn(i->progress_hooks[n].arg);
}

/* --- list and watch --- */

static void retry_timer(uv_timer_t *t)
{
    struct informer *i = t->data;
    if (i->synced && i->rv)
        watch_from_here(i);
    else
        list_again(i);
}

static void retry_later(struct informer *i)
{
    i->retry_ms = i->retry_ms ? 2 * i->retry_ms : RETRY_MIN_MS;
    if (i->retry_ms > RETRY_MAX_MS)
        i->retry_ms = RETRY_MAX_MS;
    uv_timer_start(&i->retry, retry_timer, (uint64_t)i->retry_ms, 0);
}

static char *query_path(struct informer *i, const char *more)
{
    _cleanup_free_ char *path = kind_path(i->kind, i->ns, NULL, NULL);
    const char *selector = str_or(i->selector, "");
    return xasprintf("%s%s%s%s%s", path, *selector || *more ? "?" : "", selector, *selector && *more ? "&" : "", more);
}

static void event(void *arg, enum client_event type, struct object *obj, uint64_t rv)
{
    struct informer *i = arg;
    i->retry_ms = 0;
    if (type == CLIENT_DELETED) {
        _cleanup_free_ char *key = object_key(obj);
        drop(i, key);
    } else if (type != CLIENT_BOOKMARK) {
        store(i, obj);
    }
    progress(i, obj ? obj->rv : rv);
}

static void ended(void *arg, int code)
{
    struct informer *i = arg;
    i->watch = NULL;
    if (code == 410)
        list_again(i);
    else
        retry_later(i);
}

static void watch_from_here(struct informer *i)
{
    static const struct client_watch_handler handler = {event, ended};
    _cleanup_free_ char *more = xasprintf("watch=true&allowWatchBookmarks=true&resourceVersion=%" PRIu64, i->rv);
    _cleanup_free_ char *path = query_path(i, more);
    i->watch = i->client->ops->watch(i->client, i->kind, path, &handler, i);
}

static void drop_unlisted(struct informer *i)
{
    struct map_entry *next;
    for (struct map_entry *e = map_next(&i->entries, NULL); e; e = next) {
        next = map_next(&i->entries, e);
        if (((struct entry *)e->value)->listed == i->lists)
            continue;
        _cleanup_free_ char *key = xstrdup(e->key);
        drop(i, key);
    }
}

static void become_synced(struct informer *i)
{
    if (i->synced)
        return;
    i->synced = true;
    for (size_t n = 0; n < i->n_synced_hooks; n++)
        i->synced_hooks[n].fn(i->synced_hooks[n].arg);
}

static void list_failed(struct informer *i, int code)
{
    if (code && !i->complained) /* that there is no answer, the transport tells */
        log_warn("list %s: answer %d, trying again", i->kind->plural, code);
    i->complained |= code != 0;
    i->rv = 0;
    retry_later(i);
}

static void listed(void *arg, int code, struct object *const *objs, size_t n, uint64_t rv)
{
    struct list_call *call = arg;
    struct informer *i = call->informer;
    free(call);
    if (!i)
        return;
    i->listing = NULL;
    if (code != 200) {
        list_failed(i, code);
        return;
    }
    i->retry_ms = 0;
    i->complained = false;
    i->lists++;
    for (size_t k = 0; k < n; k++)
        store(i, objs[k]);
    drop_unlisted(i);
    i->rv = rv; /* may be lower than before when the server lost its state */
    progress(i, rv);
    become_synced(i);
    watch_from_here(i);
}

static void list_again(struct informer *i)
{
    _cleanup_free_ char *path = query_path(i, "");
    i->listing = NEW(struct list_call);
    i->listing->informer = i;
    i->client->ops->list(i->client, i->kind, path, listed, i->listing);
}

void informer_start(struct informer *i)
{
    if (i->started)
        return;
    i->started = true;
    list_again(i);
}

void informer_recall(struct informer *i, struct object *o)
{
    store(i, o);
}

static void closed(uv_handle_t *h)
{
    free(h->data);
}

void informer_free(struct informer *i)
{
    if (!i)
        return;
    if (i->listing)
        i->listing->informer = NULL;
    if (i->watch)
        i->client->ops->watch_stop(i->watch);
    for (struct map_entry *e = NULL; (e = map_next(&i->entries, e));) {
        struct entry *entry = e->value;
        object_unref(entry->obj);
        forget_digests(i, entry);
        free(entry->buckets);
        free(entry);
    }
    map_done(&i->entries);
    for (int n = 0; n < i->n_indexes; n++)
        map_done_with(&i->indexes[n].buckets, bucket_free);
    free(i->indexes);
    free(i->digests);
    free(i->handlers);
    free(i->synced_hooks);
    free(i->progress_hooks);
    free(i->ns);
    free(i->selector);
    uv_close((uv_handle_t *)&i->retry, closed);
}

/* --- reading --- */

void informer_on_change(struct informer *i, informer_fn *fn, void *arg)
{
    i->handlers = xrealloc(i->handlers, (i->n_handlers + 1) * sizeof(*i->handlers));
    i->handlers[i->n_handlers++] = (struct handler){fn, arg};
    for (struct map_entry *e = NULL; (e = map_next(&i->entries, e));)
        fn(arg, NULL, ((struct entry *)e->value)->obj);
}

static void add_hook(struct hook **hooks, size_t *n, void (*fn)(void *arg), void *arg)
{
    *hooks = xrealloc(*hooks, (*n + 1) * sizeof(**hooks));
    (*hooks)[(*n)++] = (struct hook){fn, arg};
}

void informer_on_synced(struct informer *i, void (*fn)(void *arg), void *arg)
{
    if (i->synced)
        fn(arg);
    else
        add_hook(&i->synced_hooks, &i->n_synced_hooks, fn, arg);
}

void informer_on_progress(struct informer *i, void (*fn)(void *arg), void *arg)
{
    add_hook(&i->progress_hooks, &i->n_progress_hooks, fn, arg);
}

bool informer_synced(const struct informer *i)
{
    return i->synced;
}

const struct kind *informer_kind(const struct informer *i)
{
    return i->kind;
}

uv_loop_t *informer_loop(const struct informer *i)
{
    return i->retry.loop;
}

uint64_t informer_rv(const struct informer *i)
{
    return i->rv;
}

struct object *informer_get(const struct informer *i, const char *ns, const char *name)
{
    _cleanup_free_ char *key = make_object_key(ns, name);
    struct entry *e = map_get(&i->entries, key);
    return e ? e->obj : NULL;
}

struct object *informer_next(const struct informer *i, const char *ns, void **cursor)
{
    if (ns)
        return informer_by_index(i, BY_NAMESPACE, ns, cursor);
    struct map_entry *e = map_next(&i->entries, *cursor);
    *cursor = e;
    return e ? ((struct entry *)e->value)->obj : NULL;
}

size_t informer_count(const struct informer *i)
{
    return i->entries.len;
}

int informer_add_index(struct informer *i,
                       void (*key_of)(const struct object *o, informer_emit_fn *emit, void *emit_arg))
{
    for (int n = 0; n < i->n_indexes; n++)
        if (i->indexes[n].key_of == key_of)
            return n;
    i->indexes = xrealloc(i->indexes, (size_t)(i->n_indexes + 1) * sizeof(*i->indexes));
    i->indexes[i->n_indexes++] = (struct index){.key_of = key_of};
    for (struct map_entry *e = NULL; (e = map_next(&i->entries, e));)
        index_entry(i, e->value);
    return i->n_indexes - 1;
}

struct object *informer_by_index(const struct informer *i, int index, const char *key, void **cursor)
{
    const struct bucket *b = map_get(&i->indexes[index].buckets, key);
    size_t at = (size_t)(uintptr_t)*cursor;
    if (!b || at >= b->n)
        return NULL;
    *cursor = (void *)(uintptr_t)(at + 1);
    return b->items[at]->obj;
}

int informer_add_digest(struct informer *i, void *(*make)(const struct object *o), void (*free_digest)(void *digest))
{
    for (int n = 0; n < i->n_digests; n++)
        if (i->digests[n].make == make)
            return n;
    i->digests = xrealloc(i->digests, (size_t)(i->n_digests + 1) * sizeof(*i->digests));
    i->digests[i->n_digests] = (struct digest){make, free_digest};
    return i->n_digests++;
}

const void *informer_digest(const struct informer *i, int digest, const struct object *o)
{
    _cleanup_free_ char *key = object_key(o);
    struct entry *e = map_get(&i->entries, key);
    if (!e)
        return NULL;
    if (!e->digests)
        e->digests = xcalloc((size_t)i->n_digests, sizeof(void *));
    if (!e->digests[digest])
        e->digests[digest] = i->digests[digest].make(e->obj);
    return e->digests[digest];
}
