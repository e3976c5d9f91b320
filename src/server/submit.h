/* A change that has been decided, on its way to the disk. */
#pragma once
#include "server/pipeline.h"

/* Upstream's limit for one object (etcd's request size, 1.5 MiB): an object is sent whole to every watcher. */
#define OBJECT_SIZE_MAX (3 << 19)

/* obj: as it was written; deleted: it is gone. err not NULL: nothing happened. */
typedef void submit_fn(void *arg, struct object *obj, bool deleted, const struct err *err);

/* Gives doc the next revision and submits it; the numbers in change are kept or given back with the outcome. Returns
 * NULL, or the Status that says why it was not even tried (done is then not called). doc is borrowed and changed,
 * change is emptied. */
json_t *submit(struct server *s, const struct kind *k, json_t *doc, bool deletes, struct alloc_change *change,
               submit_fn *done, void *arg);
/* The server goes: writes still end, but nobody is told. */
void submissions_orphan(struct server *s);
