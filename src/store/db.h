/* The database file: the newest version of every object, and the revision counter, which outlives the objects. SQLite
 * in WAL mode with synchronous=FULL, so that a commit that returns is on the disk. No thread of its own: see writer.h.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kinds/object.h"

struct db;

/* Takes the lock PATH.lock, which lives as long as the returned descriptor; -1 with one clear line when another process
 * has it. */
int db_lock(const char *path, struct err *err);
/* Takes the lock: one process writes. Others may read meanwhile (backup.h). */
struct db *db_open(const char *path, struct err *err);
void db_close(struct db *db);
/* Gives every object (borrowed) to visit; the revision counter in ret_rv, 1 in a new database. */
int db_load(struct db *db, void (*visit)(void *arg, struct object *o), void *arg, uint64_t *ret_rv, struct err *err);

/* One transaction: begin, puts and deletes, commit. After a failure the transaction is gone and db_begin may be tried
 * again. */
int db_begin(struct db *db, struct err *err);
int db_put(struct db *db, const struct object *o, struct err *err);
int db_delete(struct db *db, const struct object *o, struct err *err);
int db_commit(struct db *db, uint64_t rv, struct err *err);
void db_rollback(struct db *db);
