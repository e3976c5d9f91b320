/* See db.h. */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/str.h"
#include "kinds/kind.h"

enum statement { S_BEGIN, S_PUT, S_DELETE, S_RV, S_COMMIT, S_ROLLBACK, S_N };

struct db {
    char *path;
    int lock_fd;
    sqlite3 *sql;
    sqlite3_stmt *statements[S_N];
};

static const char *const statement_text[S_N] = {
    [S_BEGIN] = "BEGIN IMMEDIATE",
    [S_PUT] = ("INSERT INTO objects (kind, ns, name, rv, bytes, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
               "ON CONFLICT (kind, ns, name) DO UPDATE SET rv = ?4, bytes = ?5, sum = ?6"),
    [S_DELETE] = "DELETE FROM objects WHERE kind = ?1 AND ns = ?2 AND name = ?3",
    [S_RV] = "UPDATE meta SET rv = ?1",
    [S_COMMIT] = "COMMIT",
    [S_ROLLBACK] = "ROLLBACK",
};

#define SCHEMA_VERSION 2
#define BUSY_MS 5000 /* a reader that begins or ends may hold the file for an instant */

/* Others may read while we write, which is how backups are made; nobody else writes, the lock sees to that. A
 * checkpoint every 16 MB of WAL moves a page that changed often only once. What deleted objects held is given back at
 * the next start; until then it is used again. */
static const char pragmas[] = "PRAGMA auto_vacuum = INCREMENTAL;" /* of a new file; an old one stays as it is */
                              "PRAGMA journal_mode = WAL;"
                              "PRAGMA incremental_vacuum;"
                              "PRAGMA synchronous = FULL;"
                              "PRAGMA wal_autocheckpoint = 4096;"
                              "PRAGMA journal_size_limit = 33554432;";

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS objects ("
    "  kind TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,"
    "  rv INTEGER NOT NULL, bytes BLOB NOT NULL, sum INTEGER, PRIMARY KEY (kind, ns, name));"
    "CREATE TABLE IF NOT EXISTS meta (one INTEGER PRIMARY KEY CHECK (one = 1), rv INTEGER NOT NULL);"
    "INSERT OR IGNORE INTO meta (one, rv) VALUES (1, 1);"
    "PRAGMA user_version = 2;"
    "COMMIT;";

/* Rows of before have no sum until they are written again. */
static const char from_version_1[] = "ALTER TABLE objects ADD COLUMN sum INTEGER";

/* What a person can do something about; SQLite calls a full disk an I/O error as well, depending on the file that met
 * it. NULL: something else. */
static const char *disk_trouble(sqlite3 *sql)
{
    int code = sqlite3_errcode(sql), system = sqlite3_system_errno(sql);
    if (code == SQLITE_FULL || system == ENOSPC || system == EDQUOT)
        return "the disk is full; make room and try again";
    return code == SQLITE_IOERR ? "the disk fails" : NULL;
}

static int sql_error(const struct db *db, const char *what, struct err *err)
{
    const char *why = disk_trouble(db->sql);
    return err_set(err, 0, "%s%s%s: %s: %s (%d)", str_or(why, ""), why ? ": " : "", db->path, what,
                   sqlite3_errmsg(db->sql), sqlite3_extended_errcode(db->sql));
}

int db_lock(const char *path, struct err *err)
{
    _cleanup_free_ char *lock_path = xasprintf("%s.lock", path);
    _cleanup_close_ int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, errno, "open %s", lock_path);
    char pid[16];
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_set(err, errno, "lock %s", lock_path);
        ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        return err_set(err, 0, "%s is in use by another c8s (pid %s)", path, n > 0 ? pid : "unknown");
    }
    int len = snprintf(pid, sizeof(pid), "%d", getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len)
        return err_set(err, errno, "write %s", lock_path);
    return TAKE_FD(fd);
}

static int check_version(struct db *db, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(db->sql, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        version = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    if (version < 0)
        return sql_error(db, "read", err);
    if (version > SCHEMA_VERSION)
        return err_set(err, 0, "%s was written by a newer c8s (schema %d, this one knows %d)", db->path, version,
                       SCHEMA_VERSION);
    if (version == 1 && sqlite3_exec(db->sql, from_version_1, NULL, NULL, NULL) != SQLITE_OK)
        return sql_error(db, "bring up to date", err);
    return 0;
}

static int open_sql(struct db *db, struct err *err)
{
    /* Made by us first: Secrets are in there, and SQLite would leave the mode to the umask. The WAL follows the file's
     * mode. */
    _cleanup_close_ int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, errno, "open %s", db->path);
    int flags = SQLITE_OPEN_READWRITE |
                SQLITE_OPEN_NOMUTEX; /* one thread at a time: the loop's while opening, then the writer */
    if (sqlite3_open_v2(db->path, &db->sql, flags, NULL) != SQLITE_OK)
        return sql_error(db, "open", err);
    sqlite3_busy_timeout(db->sql, BUSY_MS);
    if (sqlite3_exec(db->sql, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return sql_error(db, "open", err);
    if (check_version(db, err) < 0)
        return -1;
    if (sqlite3_exec(db->sql, schema, NULL, NULL, NULL) != SQLITE_OK)
        return sql_error(db, "make the tables", err);
    for (int i = 0; i < S_N; i++)
        if (sqlite3_prepare_v3(db->sql, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statements[i], NULL) !=
            SQLITE_OK)
            return sql_error(db, "prepare", err);
    return 0;
}

struct db *db_open(const char *path, struct err *err)
{
    struct db *db = NEW(struct db);
    db->path = xstrdup(path);
    db->lock_fd = db_lock(path, err);
    if (db->lock_fd < 0 || open_sql(db, err) < 0) {
        db_close(db);
        return NULL;
    }
    return db;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (int i = 0; i < S_N; i++)
        sqlite3_finalize(db->statements[i]);
    sqlite3_close(db->sql);
    if (db->lock_fd >= 0)
        close(db->lock_fd); /* the file stays: removing it would let two processes lock different files */
    free(db->path);
    free(db);
}

/* --- loading --- */

static const struct kind *kind_from_text(const char *text)
{
    const char *slash = strrchr(text, '/');
    if (!slash)
        return NULL;
    _cleanup_free_ char *before = xstrndup(text, (size_t)(slash - text));
    const struct kind *k = kind_by_api_version(before, slash + 1);
    if (k || strchr(before, '/') || !strchr(before, '.'))
        return k;
    return kind_reserve(before, slash + 1, NULL); /* its definition is among the rows and is going to fill it in */
}

/* SQLite does not notice a changed bit in a page; JSON would not either when it is inside a text. */
static sqlite3_int64 sum_of(const char *bytes, size_t len)
{
    return (sqlite3_int64)crc32_z(0, (const unsigned char *)bytes, len);
}

static int load_row(struct db *db, sqlite3_stmt *st, void (*visit)(void *arg, struct object *o), void *arg,
                    struct err *err)
{
    const char *kind_text = (const char *)sqlite3_column_text(st, 0);
    const struct kind *kind = kind_from_text(kind_text);
    if (!kind)
        return err_set(err, 0, "%s holds objects of a kind this c8s does not know: %s", db->path, kind_text);
    const char *bytes = str_or(sqlite3_column_blob(st, 1), "");
    size_t len = (size_t)sqlite3_column_bytes(st, 1);
    bool has_sum = sqlite3_column_type(st, 4) == SQLITE_INTEGER;
    _cleanup_object_ struct object *o = NULL;
    if (!has_sum)
        o = object_from_bytes(kind, bytes, len);
    else if (sqlite3_column_int64(st, 4) == sum_of(bytes, len))
        o = object_from_stored(kind, bytes, len);
    if (!o)
        return err_set(err, 0, "%s: a damaged %s: %s/%s", db->path, kind_text, sqlite3_column_text(st, 2),
                       sqlite3_column_text(st, 3));
    visit(arg, o);
    return 0;
}

int db_load(struct db *db, void (*visit)(void *arg, struct object *o), void *arg, uint64_t *ret_rv, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int r = sqlite3_prepare_v2(db->sql, "SELECT kind, bytes, ns, name, sum FROM objects ORDER BY kind, ns, name", -1,
                               &st, NULL);
    int failed = 0;
    while (r == SQLITE_OK && !failed && (r = sqlite3_step(st)) == SQLITE_ROW) {
        failed = load_row(db, st, visit, arg, err);
        r = SQLITE_OK;
    }
    sqlite3_finalize(st);
    if (failed)
        return -1;
    if (r != SQLITE_DONE)
        return sql_error(db, "read", err);
    if (sqlite3_prepare_v2(db->sql, "SELECT rv FROM meta", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        sqlite3_finalize(st);
        return sql_error(db, "read the revision", err);
    }
    *ret_rv = (uint64_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return 0;
}

/* --- writing --- */

static int run(struct db *db, enum statement s, struct err *err)
{
    int r = sqlite3_step(db->statements[s]);
    if (r != SQLITE_DONE)
        sql_error(db, "write", err);
    sqlite3_reset(db->statements[s]);
    return r == SQLITE_DONE ? 0 : -1;
}

int db_begin(struct db *db, struct err *err)
{
    return run(db, S_BEGIN, err);
}

static void bind_key(sqlite3_stmt *st, const struct object *o)
{
    char api_version[API_VERSION_SIZE], kind_text[API_VERSION_SIZE + 80];
    if (o->kind->stored_as) { /* the rest of such a kind may change while the writer works */
        sqlite3_bind_text(st, 1, o->kind->stored_as, -1, SQLITE_STATIC);
    } else {
        int len =
            snprintf(kind_text, sizeof(kind_text), "%s/%s", kind_api_version(o->kind, api_version), o->kind->kind);
        sqlite3_bind_text(st, 1, kind_text, len, SQLITE_TRANSIENT);
    }
    sqlite3_bind_text(st, 2, o->ns, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, o->name, -1, SQLITE_STATIC);
}

int db_put(struct db *db, const struct object *o, struct err *err)
{
    sqlite3_stmt *st = db->statements[S_PUT];
    bind_key(st, o);
    sqlite3_bind_int64(st, 4, (sqlite3_int64)o->rv);
    sqlite3_bind_blob64(st, 5, o->bytes, o->len, SQLITE_STATIC);
    sqlite3_bind_int64(st, 6, sum_of(o->bytes, o->len));
    return run(db, S_PUT, err);
}

int db_delete(struct db *db, const struct object *o, struct err *err)
{
    bind_key(db->statements[S_DELETE], o);
    return run(db, S_DELETE, err);
}

int db_commit(struct db *db, uint64_t rv, struct err *err)
{
    sqlite3_bind_int64(db->statements[S_RV], 1, (sqlite3_int64)rv);
    if (run(db, S_RV, err) < 0)
        return -1;
    return run(db, S_COMMIT, err);
}

void db_rollback(struct db *db)
{
    struct err ignored;
    if (!sqlite3_get_autocommit(db->sql)) /* some errors have rolled back already */
        (void)run(db, S_ROLLBACK, &ignored);
}
