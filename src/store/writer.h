/* The one thread that writes: it takes everything that has gathered while the disk was busy and commits it as one
 * transaction (group commit), so that the disk's flush is shared by all who wait for it. The only place of the program
 * with a lock: the hand-over of writes to the thread and back. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"
#include "store/db.h"
#include "store/store.h"

/* One write on its way. The object is shared with the thread, the rest is the loop's. */
struct write {
    struct list link;
    struct object *obj;
    bool deleted;
    char *key; /* in the store's table of pending writes */
    store_done_fn *done;
    void *arg;
};

struct writer;
/* `wake` is called on the thread when something is ready to be taken. */
struct writer *writer_start(struct db *db, void (*wake)(void *arg), void *arg);
void writer_submit(struct writer *w, struct write *write);
/* Moves what became durable to ret_durable. When a transaction failed, it, and all that was submitted before this call,
 * goes to ret_failed with the reason in err: later writes may have been decided on top of it. Writing goes on after
 * that. */
void writer_take(struct writer *w, struct list *ret_durable, struct list *ret_failed, struct err *err);
/* Blocks until there is something to take; at once when nothing is on its way. */
void writer_wait(struct writer *w);
/* Nothing may be on its way. The database stays open. */
void writer_stop(struct writer *w);
