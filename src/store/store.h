/* Where objects live: SQLite for durability, memory for every read. One writer thread groups what is submitted
 * meanwhile into one transaction; a write is acknowledged, indexed and shown to watchers after its transaction is
 * durable, in revision order.
 *
 * The caller (the server, on the loop thread) decides every write against store_latest(), which includes writes on
 * their way, then submits it; nothing can come between, so there are no lost updates. If a transaction fails, all its
 * writes and those decided on top of them fail together and the memory stays at the last durable state. Loop thread
 * only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "kinds/object.h"

struct store;

/* Opens or makes the database, takes an exclusive lock, loads all objects. One clear error line when another process
 * has it. */
struct store *store_open(uv_loop_t *loop, const char *path, struct err *err);
/* Waits until what was submitted is durable; pending callbacks are called. Not from inside a callback of the store. The
 * last memory goes when the loop runs on. Watches that are still there end. */
void store_close(struct store *s);

/* Newest durable revision: what lists carry and watches start from. */
uint64_t store_rv(const struct store *s);
/* The next revision: build the document with it, then submit. Each call uses one up. */
uint64_t store_next_rv(struct store *s);

/* Borrowed until the loop runs on; NULL when absent. */
struct object *store_get(const struct store *s, const struct kind *k, const char *ns, const char *name);
struct object *store_latest(const struct store *s, const struct kind *k, const char *ns, const char *name);

/* err NULL: durable. Otherwise nothing happened. */
typedef void store_done_fn(void *arg, const struct err *err);
/* obj carries its revision (from store_next_rv, submitted in that order). Both take a reference. delete: obj is the
 * last version with the deletion's revision in it, as watchers get it. done may be NULL. */
void store_put(struct store *s, struct object *obj, store_done_fn *done, void *arg);
void store_delete(struct store *s, struct object *obj, store_done_fn *done, void *arg);

/* Objects of a kind in key order (namespace, then name), from the key after `after_ns`/`after_name` on (NULL: from the
 * start); ns NULL: all namespaces. Calls visit until it returns false. Returns the number visited. */
size_t store_each(const struct store *s, const struct kind *k, const char *ns, const char *after_ns,
                  const char *after_name, bool (*visit)(void *arg, struct object *o), void *arg);
/* The same as it was at revision rv, which must be one that is remembered. */
size_t store_each_at(const struct store *s, const struct kind *k, uint64_t rv, const char *ns, const char *after_ns,
                     const char *after_name, bool (*visit)(void *arg, struct object *o), void *arg);
/* Whether lists at rv and watches from there are possible: not still to come, and no change since then forgotten. */
bool store_remembers(const struct store *s, const struct kind *k, uint64_t rv);
/* Where store_latest() differs from store_get(), each key once: one of the two may be NULL. */
void store_each_pending(const struct store *s, const struct kind *k, const char *ns,
                        void (*visit)(void *arg, const struct object *durable, const struct object *latest), void *arg);
size_t store_count(const struct store *s, const struct kind *k, const char *ns);

/* Watching. `old` is what the key held before (NULL: created), so that a selector that stops or begins to match can be
 * told. deleted: obj is the last version. Events come in revision order; rv is obj->rv. All borrowed. */
typedef void store_event_fn(void *arg, struct object *old, struct object *obj, bool deleted);
struct store_watch;
/* From the revision after `rv` (0: from now). NULL when that is no longer remembered (the caller answers 410) or still
 * to come. What happened since then is delivered later from the loop, not from inside this call. */
struct store_watch *store_watch(struct store *s, const struct kind *k, uint64_t rv, store_event_fn *fn, void *arg);
void store_watch_stop(struct store_watch *w);
