/* store: backups of a database that is being written, what a restore puts in place, and what it refuses. */
#include "store/backup.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "store/store.h"
#include "t.h"

#define REVISION_GAP 1000000000 /* as backup.c has it */

static const char *const dirs[] = {"pki", NULL};
static uv_loop_t loop;
static char dir[64], data[80], other[80], file[80];
static struct store *s;

static void open_store(const char *data_dir)
{
    struct err err;
    _cleanup_free_ char *path = xasprintf("%s/state.db", data_dir);
    uv_loop_init(&loop);
    s = store_open(&loop, path, &err);
    if (!s) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
}

static void close_store(void)
{
    store_close(s);
    uv_run(&loop, UV_RUN_DEFAULT);
    T_INT(uv_loop_close(&loop), 0);
}

static int in_flight;

static void on_done(void *arg, const struct err *err)
{
    (void)arg;
    T_TRUE(!err);
    in_flight--;
}

static void put(int n)
{
    char name[16], rv[32];
    snprintf(name, sizeof(name), "n%05d", n);
    snprintf(rv, sizeof(rv), "%llu", (unsigned long long)store_next_rv(s));
    _cleanup_json_ json_t *doc =
        json_pack("{s:{s:s,s:s,s:s}}", "metadata", "name", name, "namespace", "a", "resourceVersion", rv);
    _cleanup_object_ struct object *o = object_new(&kind_configmap, doc);
    in_flight++;
    store_put(s, o, on_done, NULL);
}

static void put_range(int from, int to)
{
    while (from < to)
        put(from++);
    while (in_flight)
        uv_run(&loop, UV_RUN_ONCE);
}

static void write_text(const char *data_dir, const char *name, const char *text, mode_t mode)
{
    struct err err;
    _cleanup_free_ char *path = xasprintf("%s/%s", data_dir, name);
    T_INT(file_write_atomic(path, text, strlen(text), mode, &err), 0);
}

static void start(void)
{
    struct err err;
    _cleanup_free_ char *pki = xasprintf("%s/pki", data);
    T_INT(dir_make(pki, 0700, &err), 0);
    write_text(data, "pki/ca.crt", "certificate", 0644);
    write_text(data, "pki/ca.key", "key", 0600);
}

static void finish(void)
{
    struct err err;
    T_INT(tree_remove(data, &err), 0);
    T_INT(tree_remove(other, &err), 0);
    unlink(file);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

/* Writes are durable in the order of their numbers: what a backup holds is all up to one of them. */
TEST(a_backup_of_a_busy_store_is_one_moment_of_it)
{
    struct err err;
    start();
    open_store(data);
    put_range(0, 500);
    for (int i = 500; i < 4500; i++)
        put(i);
    T_INT(backup_make(data, dirs, file, &err), 0); /* the writer thread is at work */
    put_range(4500, 4600);
    T_INT(mode_of(file), 0600);
    close_store();

    T_INT(backup_restore(file, other, dirs, &err), 0);
    open_store(other);
    size_t n = store_count(s, &kind_configmap, NULL);
    T_TRUE(n >= 500 && n <= 4500);
    char last[16];
    snprintf(last, sizeof(last), "n%05zu", n - 1);
    T_TRUE(store_get(s, &kind_configmap, "a", last) != NULL);
    T_INT(store_rv(s), 1 + n + REVISION_GAP);
    T_TRUE(!store_remembers(s, &kind_configmap, 1 + n)); /* who watched the old cluster lists again */
    close_store();
    _cleanup_free_ char *key = xasprintf("%s/pki/ca.key", other), *crt = xasprintf("%s/pki/ca.crt", other);
    _cleanup_free_ char *text = file_read(key, 100, NULL, &err);
    T_STR(text, "key");
    T_INT(mode_of(key), 0600);
    T_INT(mode_of(crt), 0644);
    finish();
}

TEST(a_restore_replaces_all_of_a_stopped_cluster_and_keeps_the_old_database)
{
    struct err err;
    start();
    open_store(data);
    put_range(0, 10);
    close_store();
    T_INT(backup_make(data, dirs, file, &err), 0); /* of one that does not run */
    open_store(data);
    put_range(10, 30);
    T_INT(backup_restore(file, data, dirs, &err), -1);
    _cleanup_free_ char *want = xasprintf("%s/state.db is in use by another c8s (pid %d)", data, getpid());
    T_STR(err.msg, want);
    close_store();
    write_text(data, "state.db-wal", "a log that fits nothing", 0600);
    write_text(data, "pki/ca.key", "another key", 0600);

    T_INT(backup_restore(file, data, dirs, &err), 0);
    open_store(data);
    T_INT(store_count(s, &kind_configmap, NULL), 10);
    put_range(10, 12);
    close_store();
    _cleanup_free_ char *key = xasprintf("%s/pki/ca.key", data), *text = file_read(key, 100, NULL, &err);
    T_STR(text, "key");
    _cleanup_free_ char *old = xasprintf("%s/state.db.old", data), *db = xasprintf("%s/state.db", data);
    T_INT(mode_of(old), 0600);
    T_INT(rename(old, db), 0);
    open_store(data);
    T_INT(store_count(s, &kind_configmap, NULL), 30);
    close_store();
    finish();
}

static void refused(const char *from, const char *want)
{
    struct err err = {0};
    T_INT(backup_restore(from, data, dirs, &err), -1);
    if (!strstr(err.msg, want))
        T_FAIL("got  %s\n   want %s", err.msg, want);
}

TEST(what_is_no_backup_changes_nothing)
{
    struct err err;
    start();
    open_store(data);
    put_range(0, 2000);
    close_store();
    _cleanup_free_ char *db = xasprintf("%s/state.db", data);
    refused(db, "is not a backup that c8s made");
    refused("/nonexistent", "No such file or directory");
    T_INT(file_write_atomic(file, "text", 4, 0600, &err), 0);
    refused(file, "is not a backup that c8s made");
    T_INT(backup_make(data, dirs, file, &err), 0);
    struct stat st;
    T_TRUE(stat(file, &st) == 0 && truncate(file, st.st_size / 2) == 0);
    refused(file, "is damaged");
    T_INT(backup_make(other, dirs, file, &err), -1);
    T_TRUE(strstr(err.msg, "No such file or directory") != NULL);
    T_INT(backup_make(data, dirs, "/nonexistent/backup", &err), -1);
    open_store(data);
    T_INT(store_count(s, &kind_configmap, NULL), 2000);
    close_store();
    finish();
}

int main(void)
{
    snprintf(dir, sizeof(dir), "/tmp/c8s-test-backup-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(data, sizeof(data), "%s/data", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    snprintf(file, sizeof(file), "%s/backup", dir);
    RUN(a_backup_of_a_busy_store_is_one_moment_of_it);
    RUN(a_restore_replaces_all_of_a_stopped_cluster_and_keeps_the_old_database);
    RUN(what_is_no_backup_changes_nothing);
    rmdir(dir);
    return DONE();
}
