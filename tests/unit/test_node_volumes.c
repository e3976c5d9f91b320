/* node: files on disk that need no root: payloads of volumes, records, subPaths, programs run. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "node/paths.h"
#include "node/payload.h"
#include "node/record.h"
#include "node/spawn.h"
#include "node/volumes.h"
#include "t.h"

static char dir[] = "/tmp/c8s-test-XXXXXX";

static char *read_at(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return read_small_file(path, 4096);
}

static void write_payload(const char *const *files) /* path, text, …, NULL */
{
    struct payload p = {0};
    struct err err;
    char path[512];
    for (; *files; files += 2)
        T_INT(payload_add(&p, files[0], files[1], strlen(files[1]), 0640, &err), 0);
    snprintf(path, sizeof(path), "%s/vol", dir);
    make_dirs(path, 0755);
    T_INT(payload_write(&p, path, -1, &err), 0);
    payload_done(&p);
}

static void check_file(const char *name, const char *want)
{
    char *got = read_at(name);
    T_STR(got, want);
    free(got);
}

TEST(a_payload_appears_and_changes_as_a_whole)
{
    char before[64] = "", after[64] = "", path[512];
    snprintf(path, sizeof(path), "%s/vol/..data", dir);
    write_payload((const char *const[]){"a", "1", "sub/b", "2", "gone", "3", NULL});
    check_file("vol/a", "1");
    check_file("vol/sub/b", "2");
    T_TRUE(readlink(path, before, sizeof(before) - 1) > 0);
    write_payload((const char *const[]){"a", "1", "sub/b", "2", "gone", "3", NULL});
    T_TRUE(readlink(path, after, sizeof(after) - 1) > 0);
    T_STR(after, before); /* nothing to do */
    write_payload((const char *const[]){"a", "changed", "sub/c", "4", NULL});
    check_file("vol/a", "changed");
    check_file("vol/sub/c", "4");
    check_file("vol/sub/b", NULL);
    snprintf(path, sizeof(path), "%s/vol/gone", dir);
    struct stat st;
    T_TRUE(lstat(path, &st) < 0 && errno == ENOENT);
    snprintf(path, sizeof(path), "%s/vol/%s", dir, before);
    T_TRUE(lstat(path, &st) < 0); /* the old set is away */
}

TEST(paths_out_of_a_volume_are_refused)
{
    static const char *const bad[] = {"../x", "a/../../x", "/abs", "", "a//b", "."};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct payload p = {0};
        struct err err;
        if (payload_add(&p, bad[i], "", 0, 0644, &err) == 0)
            T_FAIL("accepted %s", bad[i]);
        payload_done(&p);
    }
}

TEST(links_do_not_lead_out_of_a_root)
{
    char root[512], path[600];
    snprintf(root, sizeof(root), "%s/root/etc", dir);
    make_dirs(root, 0755);
    snprintf(path, sizeof(path), "%s/passwd", root);
    T_INT(symlink("/../../../../etc/hostname", path), 0);
    snprintf(root, sizeof(root), "%s/root", dir);
    T_TRUE(open_in_root(root, "etc/passwd", 0) < 0); /* it is <root>/etc/hostname, which there is not */
    T_TRUE(open_in_root(root, "../../etc/hostname", 0) < 0);
}

TEST(records_survive)
{
    struct node_paths p;
    struct err err;
    size_t n;
    node_paths_init(&p, dir, dir, "n1");
    for (int attempt = 1; attempt >= 0; attempt--) {
        struct record r = {.container = "web",
                           .image = "i",
                           .image_id = "sha256:1",
                           .attempt = attempt,
                           .pid = 42,
                           .stop_signal = 15,
                           .pid_start = 99,
                           .started_usec = 12345};
        cid_make(r.cid);
        _cleanup_free_ char *bundle = record_dir(&p, "u-1", r.cid);
        make_dirs(bundle, 0700);
        T_INT(record_write(&p, "u-1", &r, &err), 0);
    }
    struct record *all = records_read(&p, "u-1", &n);
    T_INT(n, 2);
    T_TRUE(n == 2 && all[0].attempt == 0 && all[1].attempt == 1 && all[1].pid_start == 99 &&
           all[1].started_usec == 12345);
    T_STR(n == 2 ? all[0].container : NULL, "web");
    records_free(all, n);
    T_TRUE(records_read(&p, "nobody", &n) == NULL);
    T_INT(n, 0);
    node_paths_done(&p);
}

TEST(programs_run_and_their_failures_are_told)
{
    struct err err = {0};
    struct buf out = BUF_INIT(100);
    struct spawn s = {.argv = (const char *const[]){"sh", "-c", "echo hello; echo there >&2; exit 3", NULL}};
    T_INT(spawn_run(&s, &out, 0, &err), 3);
    T_STR(buf_str(&out), "hello\nthere\n");
    s.argv = (const char *const[]){"sh", "-c", "kill -9 $$", NULL};
    T_INT(spawn_run(&s, NULL, 0, &err), 137);
    s.argv = (const char *const[]){"/nonexistent/program", NULL};
    T_INT(spawn_run(&s, NULL, 0, &err), -ENOENT);
    T_TRUE(strstr(err.msg, "/nonexistent/program: run: No such file") != NULL);
    s.argv = (const char *const[]){"sleep", "60", NULL};
    T_INT(spawn_run(&s, NULL, 20, &err), -ETIMEDOUT);
    s.argv = (const char *const[]){"sh", "-c", "trap", NULL}; /* no signal is ignored that we ignore */
    buf_clear(&out);
    T_INT(spawn_run(&s, &out, 0, &err), 0);
    T_STR(buf_str(&out), "");
    buf_done(&out);
}

TEST(a_process_is_known_by_pid_and_start)
{
    uint64_t mine = process_start_time(getpid());
    T_TRUE(mine > 0 && mine == process_start_time(getpid()));
    T_INT(process_start_time(0x3fffffff), 0);
}

int main(void)
{
    if (!mkdtemp(dir))
        return 1;
    RUN(a_payload_appears_and_changes_as_a_whole);
    RUN(paths_out_of_a_volume_are_refused);
    RUN(links_do_not_lead_out_of_a_root);
    RUN(records_survive);
    RUN(programs_run_and_their_failures_are_told);
    RUN(a_process_is_known_by_pid_and_start);
    remove_tree(dir);
    return DONE();
}
