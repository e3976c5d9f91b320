/* See runtime.h. */
#define LOG_AREA "node"
#include "node/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/str.h"
#include "json/json.h"

#define RUNTIME_TIMEOUT_MS 60000 /* a runtime that takes longer hangs */
#define LOG_SIZE_MAX "52428800"  /* what comes faster than it is rotated (logrotate.c) starts afresh at 50 MiB */
#define MESSAGE_MAX 4096         /* what a runtime says about a failure */
#define CONMON_ARGS 40

void cid_make(char out[CID_SIZE])
{
    unsigned char bytes[(CID_SIZE - 1) / 2];
    rand_bytes(bytes, sizeof(bytes));
    str_hex(bytes, sizeof(bytes), out);
}

/* The program's path by PATH and the folders of administrators' tools; NULL when it is not installed. */
static char *find_program(const char *name)
{
    static const char *const folders[] = {"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin",
                                          "/usr/libexec/podman"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return TAKE(path);
    }
    return NULL;
}

/* "crun version 1.8.1\n…" -> "crun://1.8.1" */
static char *find_version(const char *name, const char *path)
{
    struct err ignored;
    struct buf out = BUF_INIT(MESSAGE_MAX);
    const char *argv[] = {path, "--version", NULL};
    struct spawn s = {.argv = argv};
    char version[64] = "unknown";
    if (spawn_run(&s, &out, RUNTIME_TIMEOUT_MS, &ignored) == 0)
        (void)sscanf(buf_str(&out), "%*s version %63s", version);
    buf_done(&out);
    return xasprintf("%s://%s", name, version);
}

static void find_runtimes(struct runtime *rt)
{
    static const char *const names[OCI_RUNTIMES_MAX] = {"crun", "runc"};
    for (size_t i = 0; i < OCI_RUNTIMES_MAX; i++) {
        char *path = find_program(names[i]);
        if (!path)
            continue;
        struct oci_runtime *o = &rt->oci[rt->n];
        *o = (struct oci_runtime){names[i], path,
                                  rt->n == 0 ? xstrdup(rt->paths->oci) : xasprintf("%s-%s", rt->paths->oci, names[i]),
                                  i == 0 && !rt->cgroups->pure};
        rt->n++;
    }
}

const struct oci_runtime *runtime_find(const struct runtime *rt, const char *handler, struct err *err)
{
    for (size_t i = 0; i < rt->n; i++)
        if (!*handler || streq(rt->oci[i].name, handler))
            return &rt->oci[i];
    err_set(err, 0, "failed to get sandbox runtime: no runtime for \"%s\" is configured", handler);
    return NULL;
}

/* The one that has made the container; each has state of its own. */
static const struct oci_runtime *maker_of(const struct runtime *rt, const char *cid)
{
    for (size_t i = 1; i < rt->n; i++) {
        _cleanup_free_ char *state = xasprintf("%s/%s", rt->oci[i].root, cid);
        if (access(state, F_OK) == 0)
            return &rt->oci[i];
    }
    return &rt->oci[0];
}

static int make_places(const struct runtime *rt, struct err *err)
{
    int r = make_dirs(rt->paths->exits, 0700);
    for (size_t i = 0; r == 0 && i < rt->n; i++)
        r = make_dirs(rt->oci[i].root, 0700);
    return r < 0 ? err_set(err, -r, "create %s", rt->paths->run) : 0;
}

static void find_monitors_group(struct runtime *rt, const char *node)
{
    char path[CGROUP_PATH_SIZE];
    const struct cgroups *g = rt->cgroups;
    if (!g->pure)
        return;
    _cleanup_free_ char *dir = xasprintf("%s%s", g->root, cgroup_path(path, node, CGROUP_MONITORS, NULL));
    if (make_dirs(dir, 0755) == 0)
        rt->conmon_procs = xasprintf("%s/cgroup.procs", dir);
}

int runtime_init(struct runtime *rt, const struct node_paths *paths, const struct cgroups *g, const char *node,
                 struct err *err)
{
    *rt = (struct runtime){.paths = paths, .cgroups = g, .conmon = find_program("conmon")};
    find_runtimes(rt);
    if (!rt->conmon || rt->n == 0) {
        const char *missing = rt->conmon ? "crun (or runc)" : "conmon";
        runtime_done(rt);
        return err_set(err, 0, "%s is not installed", missing);
    }
    rt->version = find_version(rt->oci[0].name, rt->oci[0].path);
    find_monitors_group(rt, node);
    if (make_places(rt, err) == 0)
        return 0;
    runtime_done(rt);
    return -1;
}

void runtime_done(struct runtime *rt)
{
    for (size_t i = 0; i < rt->n; i++) {
        free(rt->oci[i].path);
        free(rt->oci[i].root);
    }
    free(rt->conmon);
    free(rt->version);
    free(rt->conmon_procs);
    *rt = (struct runtime){0};
}

/* conmon answers with one line: {"data": PID} or {"data": -1, "message": "…"}. */
static int read_answer(int fd, pid_t *ret_pid, struct err *err)
{
    struct buf line = BUF_INIT(MESSAGE_MAX);
    struct err bad;
    char chunk[1024];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        buf_add(&line, chunk, (size_t)n);
        if (memchr(chunk, '\n', (size_t)n))
            break;
    }
    _cleanup_json_ json_t *answer = jparse(buf_str(&line), line.len, &bad);
    buf_done(&line);
    int64_t pid = jint(answer, "data", jint(answer, "pid", -1));
    if (pid > 0) {
        *ret_pid = (pid_t)pid;
        return 0;
    }
    const char *message = jstr_or(answer, "message", "conmon ended without an answer");
    return err_set(err, 0, "%.*s", (int)strcspn(message, "\n"), message);
}

int runtime_create(const struct runtime *rt, const struct runtime_container *c, pid_t *ret_pid, struct err *err)
{
    _cleanup_free_ char *root = xasprintf("--root=%s", c->oci->root);
    _cleanup_free_ char *log = xasprintf("k8s-file:%s", c->log_path);
    _cleanup_free_ char *pidfile = xasprintf("%s/pidfile", c->bundle);
    _cleanup_free_ char *conmon_pidfile = xasprintf("%s/conmon.pid", c->bundle);
    const char *argv[CONMON_ARGS] = {
        rt->conmon,
        "--api-version",
        "1",
        "-c",
        c->cid,
        "-u",
        c->cid,
        "-n",
        c->name,
        "-r",
        c->oci->path,
        "--runtime-arg",
        root,
        "-b",
        c->bundle,
        "-p",
        pidfile,
        "-P",
        conmon_pidfile,
        "-l",
        log,
        "--exit-dir",
        rt->paths->exits,
        "--persist-dir",
        c->bundle,
        "--full-attach",
        "--log-size-max",
        LOG_SIZE_MAX,
        "--no-sync-log",
    };
    size_t n = 0;
    while (argv[n])
        n++;
    if (c->tty)
        argv[n++] = "-t";
    if (c->stdin_open)
        argv[n++] = "-i";
    if (c->stdin_open && !c->stdin_once)
        argv[n++] = "--leave-stdin-open";
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "make a pipe");
    _cleanup_close_ int answer = ends[0];
    static const char *const env[] = {
        "_OCI_SYNCPIPE=3", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", NULL};
    struct spawn s = {.argv = argv,
                      .env = env,
                      .extra_fd = ends[1],
                      .private_cgroup2 = c->oci->private_cgroup2,
                      .cgroup_procs = rt->conmon_procs};
    pid_t pid = spawn_start(&s, err);
    close(ends[1]);
    if (pid < 0)
        return -1;
    (void)spawn_wait(pid); /* it has forked: the monitor is nobody's child */
    return read_answer(answer, ret_pid, err);
}

/* Runs "RUNTIME --root=… words…". */
static int run(const struct oci_runtime *oci, const char *const *words, struct err *err)
{
    const char *argv[8] = {oci->path};
    _cleanup_free_ char *root = xasprintf("--root=%s", oci->root);
    size_t n = 1;
    for (argv[n++] = root; *words && n < ARRAY_LEN(argv) - 1;)
        argv[n++] = *words++;
    struct buf out = BUF_INIT(MESSAGE_MAX);
    struct spawn s = {.argv = argv, .private_cgroup2 = oci->private_cgroup2};
    int code = spawn_run(&s, &out, RUNTIME_TIMEOUT_MS, err);
    if (code > 0) {
        const char *text = buf_str(&out);
        int len = (int)strcspn(text, "\n");
        err_set(err, 0, "%s: %.*s", oci->name, len, text);
    }
    buf_done(&out);
    return code == 0 ? 0 : -1;
}

int runtime_start(const struct runtime *rt, const char *cid, struct err *err)
{
    return run(maker_of(rt, cid), (const char *[]){"start", cid, NULL}, err);
}

void runtime_delete(const struct runtime *rt, const char *cid)
{
    struct err err;
    const struct oci_runtime *oci = maker_of(rt, cid);
    _cleanup_free_ char *state = xasprintf("%s/%s", oci->root, cid);
    if (access(state, F_OK) == 0 && run(oci, (const char *[]){"delete", "-f", cid, NULL}, &err) < 0)
        log_debug("delete container %s: %s", cid, err.msg);
}

bool runtime_read_exit(const struct runtime *rt, const char *cid, int *ret_code, int64_t *ret_finished_usec)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", rt->paths->exits, cid);
    _cleanup_free_ char *text = read_small_file(path, 64);
    struct stat st;
    int64_t code;
    if (!text || stat(path, &st) < 0 || !str_to_i64(text, -1, 255, &code))
        return false;
    *ret_code = (int)code;
    *ret_finished_usec = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
    return true;
}

bool runtime_oom_killed(const char *bundle)
{
    _cleanup_free_ char *path = xasprintf("%s/oom", bundle);
    return access(path, F_OK) == 0;
}

void runtime_exec_spawn(const struct runtime *rt, const char *cid, const char *process_json, const char *pidfile,
                        const char *log, const char *console, const char *argv[RUNTIME_EXEC_ARGS], struct spawn *s)
{
    const struct oci_runtime *oci = maker_of(rt, cid);
    size_t n = 0;
    argv[n++] = oci->path;
    argv[n++] = "--root";
    argv[n++] = oci->root;
    argv[n++] = "--log";
    argv[n++] = log;
    argv[n++] = "--log-format";
    argv[n++] = "json";
    argv[n++] = "exec";
    argv[n++] = "--process";
    argv[n++] = process_json;
    argv[n++] = "--pid-file";
    argv[n++] = pidfile;
    if (console) {
        argv[n++] = "--tty";
        argv[n++] = "--console-socket";
        argv[n++] = console;
    }
    argv[n++] = cid;
    argv[n] = NULL;
    *s = (struct spawn){.argv = argv, .private_cgroup2 = oci->private_cgroup2};
}

bool runtime_is_monitored(pid_t pid)
{
    char path[64];
    int parent;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    _cleanup_free_ char *text = read_small_file(path, 4096);
    const char *at = text ? strrchr(text, ')') : NULL;
    if (!at || sscanf(at, ") %*c %d", &parent) != 1)
        return true; /* it has ended: conmon may still be at its file */
    snprintf(path, sizeof(path), "/proc/%d/comm", parent);
    _cleanup_free_ char *name = read_small_file(path, 64);
    return name && streq(name, "conmon\n");
}

uint64_t process_start_time(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    _cleanup_free_ char *text = read_small_file(path, 4096);
    const char *at = text ? strrchr(text, ')') : NULL; /* the name before it may contain anything */
    unsigned long long start = 0;
    char state = 'Z';
    if (!at || sscanf(at, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
                      &start) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : start;
}
