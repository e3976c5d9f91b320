/* See backup.h. */
#include "store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "store/db.h"

#define APPLICATION_ID "1664644962" /* "c8sb" in the file's header: a backup, not a database that c8s runs on */
#define FILE_SIZE_MAX (1 << 20)     /* a certificate or a key has a few KB */
#define BUSY_MS 5000                /* a cluster that begins or ends holds the file for an instant */

/* More than any cluster writes between a backup and its restore; etcdutl's advice for Kubernetes (--bump-revision). */
#define REVISION_GAP "1000000000"

static int sql_fail(sqlite3 *sql, const char *path, const char *what, struct err *err)
{
    return err_set(err, 0, "%s: %s: %s", path, what, sqlite3_errmsg(sql));
}

static int run(sqlite3 *sql, const char *path, const char *what, const char *text, struct err *err)
{
    return sqlite3_exec(sql, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(sql, path, what, err);
}

static int open_sql(const char *path, sqlite3 **ret, struct err *err)
{
    if (access(path, R_OK) < 0)
        return err_set(err, errno, "open %s", path);
    if (sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return sql_fail(*ret, path, "open", err);
    sqlite3_busy_timeout(*ret, BUSY_MS);
    return 0;
}

static void close_sql(sqlite3 **sql)
{
    sqlite3_close(*sql);
}
#define _cleanup_sql_ __attribute__((cleanup(close_sql)))

/* Every page of one moment: in WAL mode neither side waits for the other. */
static int copy_pages(sqlite3 *from, sqlite3 *to, const char *to_path, struct err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    if (b)
        (void)sqlite3_backup_step(b, -1);
    if (!b || sqlite3_backup_finish(b) != SQLITE_OK)
        return sql_fail(to, to_path, "write", err);
    return 0;
}

/* An empty file that only we may read, before anything is in it. */
static int make_private(const char *path, struct err *err)
{
    (void)unlink(path);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? err_set(err, errno, "create %s", path) : 0;
}

static int sync_path(const char *path, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? err_set(err, errno, "sync %s", path) : 0;
}

static char *database_of(const char *data_dir)
{
    return xasprintf("%s/state.db", data_dir);
}

/* --- making --- */

static int add_file(sqlite3_stmt *put, const char *data_dir, const char *dir, const char *name, struct err *err)
{
    struct stat st;
    size_t len;
    _cleanup_free_ char *place = xasprintf("%s/%s", dir, name), *path = xasprintf("%s/%s", data_dir, place);
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    _cleanup_free_ char *bytes = file_read(path, FILE_SIZE_MAX, &len, err);
    if (!bytes)
        return -1;
    sqlite3_bind_text(put, 1, place, -1, SQLITE_STATIC);
    sqlite3_bind_int(put, 2, (int)(st.st_mode & 0777));
    sqlite3_bind_blob64(put, 3, bytes, len, SQLITE_STATIC);
    int r = sqlite3_step(put);
    sqlite3_reset(put);
    return r == SQLITE_DONE ? 0 : sql_fail(sqlite3_db_handle(put), path, "add", err);
}

static int add_dir(sqlite3_stmt *put, const char *data_dir, const char *dir, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", data_dir, dir);
    DIR *d = opendir(path);
    if (!d)
        return err_set(err, errno, "open %s", path);
    int r = 0;
    for (struct dirent *e; r == 0 && (e = readdir(d));)
        if (*e->d_name != '.')
            r = add_file(put, data_dir, dir, e->d_name, err);
    closedir(d);
    return r;
}

static int add_dirs(sqlite3 *to, const char *to_path, const char *data_dir, const char *const *dirs, struct err *err)
{
    sqlite3_stmt *put = NULL;
    int r = run(to, to_path, "write",
                "PRAGMA journal_mode = OFF; PRAGMA application_id = " APPLICATION_ID
                "; CREATE TABLE files (path TEXT PRIMARY KEY, mode INTEGER NOT NULL, bytes BLOB NOT NULL)",
                err);
    if (r == 0 && sqlite3_prepare_v2(to, "INSERT INTO files VALUES (?1, ?2, ?3)", -1, &put, NULL) != SQLITE_OK)
        r = sql_fail(to, to_path, "write", err);
    for (; r == 0 && *dirs; dirs++)
        r = add_dir(put, data_dir, *dirs, err);
    sqlite3_finalize(put);
    return r;
}

static int write_backup(const char *data_dir, const char *const *dirs, const char *path, struct err *err)
{
    _cleanup_free_ char *db = database_of(data_dir);
    _cleanup_sql_ sqlite3 *from = NULL, *to = NULL;
    if (open_sql(db, &from, err) < 0 || make_private(path, err) < 0 || open_sql(path, &to, err) < 0 ||
        copy_pages(from, to, path, err) < 0)
        return -1;
    return add_dirs(to, path, data_dir, dirs, err);
}

int backup_make(const char *data_dir, const char *const *dirs, const char *file, struct err *err)
{
    _cleanup_free_ char *beside = xasprintf("%s.new-%d", file, (int)getpid());
    if (write_backup(data_dir, dirs, beside, err) == 0 && sync_path(beside, err) == 0 &&
        file_replace(beside, file, err) == 0)
        return 0;
    (void)unlink(beside);
    return -1;
}

/* --- restoring --- */

/* One value, or an empty text. */
static void read_text(sqlite3 *sql, const char *query, char *out, size_t size)
{
    sqlite3_stmt *st = NULL;
    *out = '\0';
    if (sqlite3_prepare_v2(sql, query, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
}

static int check_backup(sqlite3 *sql, const char *file, struct err *err)
{
    char id[32], health[200];
    read_text(sql, "PRAGMA application_id", id, sizeof(id));
    if (sqlite3_errcode(sql) == SQLITE_CORRUPT)
        return sql_fail(sql, file, "is damaged", err);
    if (!streq(id, APPLICATION_ID))
        return err_set(err, 0, "%s is not a backup that c8s made", file);
    read_text(sql, "PRAGMA integrity_check(1)", health, sizeof(health));
    return streq(health, "ok") ? 0 : err_set(err, 0, "%s is damaged: %s", file, *health ? health : sqlite3_errmsg(sql));
}

static bool is_expected(const char *path, const char *const *dirs)
{
    for (; *dirs; dirs++) {
        const char *rest = str_after(path, *dirs);
        if (rest && *rest == '/' && rest[1] && rest[1] != '.' && !strchr(rest + 1, '/'))
            return true;
    }
    return false;
}

static int unpack_files(sqlite3 *from, const char *data_dir, const char *const *dirs, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int r = 0;
    for (const char *const *d = dirs; r == 0 && *d; d++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", data_dir, *d);
        r = dir_make(path, 0700, err);
    }
    (void)sqlite3_prepare_v2(from, "SELECT path, mode, bytes FROM files", -1, &st, NULL);
    while (r == 0 && sqlite3_step(st) == SQLITE_ROW) {
        const char *place = (const char *)sqlite3_column_text(st, 0);
        if (!place || !is_expected(place, dirs)) {
            r = err_set(err, 0, "the backup holds a file that does not belong into it: %s", str_or(place, ""));
            break;
        }
        _cleanup_free_ char *path = xasprintf("%s/%s", data_dir, place);
        const void *bytes = sqlite3_column_blob(st, 2);
        r = file_write_atomic(path, bytes ? bytes : "", (size_t)sqlite3_column_bytes(st, 2),
                              (mode_t)sqlite3_column_int(st, 1) & 0777, err);
    }
    sqlite3_finalize(st);
    return r;
}

static int make_database(sqlite3 *from, const char *path, struct err *err)
{
    _cleanup_sql_ sqlite3 *to = NULL;
    if (make_private(path, err) < 0 || open_sql(path, &to, err) < 0 || copy_pages(from, to, path, err) < 0)
        return -1;
    return run(to, path, "write",
               "DROP TABLE files; PRAGMA application_id = 0; UPDATE meta SET rv = rv + " REVISION_GAP, err);
}

/* Folds the log of a killed program into its database, so that one file is all there is. A damaged one, which is why
 * one restores, cannot be folded: its log must not be taken for the new database's. */
static void set_aside(const char *db)
{
    struct err ignored;
    _cleanup_free_ char *wal = xasprintf("%s-wal", db), *old = xasprintf("%s.old", db),
                        *old_wal = xasprintf("%s.old-wal", db);
    {
        _cleanup_sql_ sqlite3 *sql = NULL;
        if (open_sql(db, &sql, &ignored) == 0)
            (void)run(sql, db, "fold", "PRAGMA wal_checkpoint(TRUNCATE)", &ignored);
    }
    (void)unlink(old);
    (void)unlink(old_wal);
    (void)rename(wal, old_wal); /* only there when damaged */
    (void)link(db, old);
}

int backup_restore(const char *file, const char *data_dir, const char *const *dirs, struct err *err)
{
    _cleanup_free_ char *db = database_of(data_dir), *beside = xasprintf("%s.restored", db);
    _cleanup_sql_ sqlite3 *from = NULL;
    _cleanup_close_ int lock = -1;
    if (open_sql(file, &from, err) < 0 || check_backup(from, file, err) < 0 || dir_make(data_dir, 0755, err) < 0)
        return -1;
    lock = db_lock(db, err);
    if (lock < 0)
        return -1;
    if (make_database(from, beside, err) < 0 || sync_path(beside, err) < 0 ||
        unpack_files(from, data_dir, dirs, err) < 0) {
        (void)unlink(beside);
        return -1;
    }
    set_aside(db);
    return file_replace(beside, db, err);
}
