/* A local copy of one kind, kept current by list and watch (client-go's Reflector and Indexer). Handlers see every
 * change once, in order; after a re-list, differences are delivered as if they had been watched. Shared: several
 * readers may add handlers to one informer. */
#pragma once
#include <stdbool.h>

#include "client/client.h"

struct informer;

/* old is NULL for an addition, obj is NULL for a deletion; both borrowed. Runs on the loop; must not free the informer.
 */
typedef void informer_fn(void *arg, struct object *old, struct object *obj);

/* selector: a query like "fieldSelector=spec.nodeName%3Dn1", or NULL. Nothing happens before informer_start(). */
struct informer *informer_new(struct client *c, const struct kind *k, const char *selector);
/* Of one namespace: for those who may not look into all. */
struct informer *informer_new_in(struct client *c, const struct kind *k, const char *ns, const char *selector);
void informer_free(struct informer *i);
/* A handler added late gets what is there as additions, from inside this call. */
void informer_on_change(struct informer *i, informer_fn *fn, void *arg);
/* Called once when the first list is in (at once if it is). */
void informer_on_synced(struct informer *i, void (*fn)(void *arg), void *arg);
/* Called whenever the copy has caught up with something: after each event's handlers, each bookmark, each list. */
void informer_on_progress(struct informer *i, void (*fn)(void *arg), void *arg);
void informer_start(struct informer *i);
/* What an earlier life knew (recall.h): told as an addition, and kept if the first list has it as well. Before start.
 */
void informer_recall(struct informer *i, struct object *o);
bool informer_synced(const struct informer *i);
const struct kind *informer_kind(const struct informer *i);
uv_loop_t *informer_loop(const struct informer *i);
uint64_t informer_rv(const struct informer *i); /* newest revision seen */

/* Borrowed; NULL when absent. ns "" for cluster-scoped kinds. */
struct object *informer_get(const struct informer *i, const char *ns, const char *name);
/* Iterates over one namespace (ns NULL: all) in key order is not promised. Start with *cursor = NULL; returns NULL at
 * the end. Nothing may be changed meanwhile. */
struct object *informer_next(const struct informer *i, const char *ns, void **cursor);
size_t informer_count(const struct informer *i);
/* An index: objects by the strings that key_of adds for them (client-go Indexers): e.g. pods by controller uid. key_of
 * calls emit(emit_arg, key) for every key of the object. Returns the index's number for informer_by_index(); the same
 * function declared twice is one index. Iterate as with informer_next(). */
typedef void informer_emit_fn(void *emit_arg, const char *key);
int informer_add_index(struct informer *i,
                       void (*key_of)(const struct object *o, informer_emit_fn *emit, void *emit_arg));
struct object *informer_by_index(const struct informer *i, int index, const char *key, void **cursor);
/* A digest: the few facts of each object that a reader asks for again and again, made when first asked for and kept as
 * long as the version (parsed documents are not kept). Declare before start; the same pair declared twice is one. */
int informer_add_digest(struct informer *i, void *(*make)(const struct object *o), void (*free_digest)(void *digest));
/* Borrowed until the object changes; o must be one that the informer has now. */
const void *informer_digest(const struct informer *i, int digest, const struct object *o);
