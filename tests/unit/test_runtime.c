/* node: a real container, from sandbox to teardown, through launch.c, conmon and the OCI runtime. Needs root, conmon,
 * crun or runc and a static busybox; works in namespaces of its own and leaves nothing behind. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/str.h"
#include "node/agent.h"
#include "node/command.h"
#include "node/launch.h"
#include "node/sandbox.h"
#include "node/volumes.h"
#include "t.h"

#define NODE "test-runtime"
#define UID "0b1e5e5c-0000-4000-8000-000000000001"
#define PATIENCE_MS 10000

static char dir[] = "/tmp/c8s-runtime-XXXXXX";
static struct node_paths paths;
static struct cgroups cgroups;
static struct runtime rt;

static void write_text(const char *path, const char *text)
{
    T_INT(write_file_atomically(path, text, strlen(text), 0644), 0);
}

#define LAYER "5555555555555555555555555555555555555555555555555555555555555555"

/* An image store (image.h) with one image of one layer: busybox. */
static void make_image(void)
{
    static const char *const applets[] = {"sh", "sleep", "echo", "cat", "hostname", "id", "touch"};
    _cleanup_free_ char *bin = xasprintf("%s/data/images/layers/" LAYER "/bin", dir);
    _cleanup_free_ char *command = xasprintf("cp $(command -v busybox) %s/busybox", bin);
    _cleanup_free_ char *manifests = xasprintf("%s/data/images/manifests", dir),
                        *index = xasprintf("%s/data/images/index.json", dir);
    _cleanup_free_ char *manifest = xasprintf("%s/" LAYER ".json", manifests);
    make_dirs(bin, 0755);
    make_dirs(manifests, 0755);
    T_INT(system(command), 0);
    for (size_t i = 0; i < ARRAY_LEN(applets); i++) {
        _cleanup_free_ char *link = xasprintf("%s/%s", bin, applets[i]);
        T_INT(symlink("busybox", link), 0);
    }
    write_text(index, "{\"docker.io/library/busybox:latest\": \"sha256:" LAYER "\"}");
    write_text(manifest, "{\"config\": {\"config\": {}, \"rootfs\": {\"diff_ids\": [\"sha256:" LAYER "\"]}}}");
}

static json_t *pod_of(const char *script)
{
    return json_pack("{s{ss, ss, ss}, s{s[{ss, ss, s[sss], s[{ss, ss}]}], s[{ss, s{}}]}}", "metadata", "name", "web",
                     "namespace", "default", "uid", UID, "spec", "containers", "name", "c", "image", "busybox",
                     "command", "/bin/sh", "-c", script, "volumeMounts", "name", "work", "mountPath", "/work",
                     "volumes", "name", "work", "emptyDir");
}

static void launch_pod(struct launch *l, const char *script, int attempt)
{
    *l = (struct launch){.rt = &rt,
                         .node = NODE,
                         .cluster_dns = "10.96.0.10",
                         .cluster_domain = "cluster.local",
                         .uid = xstrdup(UID),
                         .container = xstrdup("c"),
                         .hostname = xstrdup("web"),
                         .pod_ips = xstrdup("10.244.0.2"),
                         .attempt = attempt,
                         .pod = pod_of(script),
                         .refs = json_object(),
                         .services = json_object()};
    struct volumes_input volumes = {&paths, l->pod, l->refs, &l->facts};
    struct err err = {0};
    T_INT(volumes_set_up(&volumes, &err), 0);
    launch_run(l);
    if (l->result != LAUNCH_RUNNING)
        T_FAIL("launch: %d %s", l->result, l->err.msg);
}

/* Waits for conmon's file by inotify; the exit code, -1: it did not come. */
static int wait_for_exit(const char *cid)
{
    int fd = inotify_init1(IN_CLOEXEC), code = -1;
    int64_t finished, end = clock_mono_ms() + PATIENCE_MS;
    char events[4096];
    inotify_add_watch(fd, paths.exits, IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE);
    while (!runtime_read_exit(&rt, cid, &code, &finished) && clock_mono_ms() < end) {
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, (int)(end - clock_mono_ms())) > 0)
            (void)!read(fd, events, sizeof(events));
    }
    close(fd);
    return code;
}

static char *log_of(int attempt)
{
    _cleanup_free_ char *path = launch_log_path(&paths, UID, "c", attempt);
    return read_small_file(path, 65536);
}

static void free_launch(struct launch *l)
{
    if (l->pidfd >= 0)
        close(l->pidfd);
    launch_done(l);
}

TEST(a_container_runs_and_its_exit_is_told)
{
    struct launch l;
    launch_pod(&l, "echo \"out $(hostname) $(id -u)\"; echo err >&2; echo kept > /work/x; exit 7", 0);
    T_INT(wait_for_exit(l.record.cid), 7);
    char *log = log_of(0);
    T_TRUE(log && strstr(log, " stdout F out web 0\n") && strstr(log, " stderr F err\n"));
    free(log);
    free_launch(&l);
}

TEST(the_next_attempt_keeps_volumes_and_the_log_before_it)
{
    struct launch l;
    launch_pod(&l, "cat /work/x; cat /etc/resolv.conf /etc/hostname; [ -e /fresh ] && exit 9; touch /fresh", 1);
    T_INT(wait_for_exit(l.record.cid), 0);
    char *log = log_of(1), *before = log_of(0);
    T_TRUE(log && strstr(log, " F kept\n") &&
           strstr(log, "search default.svc.cluster.local svc.cluster.local cluster.local\n"));
    T_TRUE(before != NULL);
    free(log);
    free(before);
    free_launch(&l);
}

TEST(commands_run_inside_and_end_in_time)
{
    struct launch l;
    struct err err;
    struct buf out = BUF_INIT(4096);
    launch_pod(&l, "trap 'exit 5' TERM; while :; do sleep 0.05; done", 2);
    _cleanup_free_ char *bundle = record_dir(&paths, UID, l.record.cid);
    json_t *args = json_pack("[sss]", "sh", "-c", "echo in $(hostname); exit 4");
    T_INT(command_run(&rt, bundle, l.record.cid, args, 0, &out, &err), 4);
    T_STR(buf_str(&out), "in web\n");
    json_decref(args);
    args = json_pack("[ss]", "sleep", "60");
    T_INT(command_run(&rt, bundle, l.record.cid, args, 200, NULL, &err), -ETIMEDOUT);
    json_decref(args);
    T_INT(syscall(SYS_pidfd_send_signal, l.pidfd, SIGTERM, NULL, 0), 0);
    T_INT(wait_for_exit(l.record.cid), 5);
    buf_done(&out);
    free_launch(&l);
}

TEST(a_command_that_is_not_there_is_an_error_and_leaves_nothing)
{
    struct launch l = {
        .rt = &rt, .node = NODE, .cluster_dns = "10.96.0.10", .cluster_domain = "cluster.local", .attempt = 3};
    l.uid = xstrdup(UID);
    l.container = xstrdup("c");
    l.hostname = xstrdup("web");
    l.pod_ips = xstrdup("10.244.0.2");
    l.pod = pod_of("");
    l.refs = json_object();
    l.services = json_object();
    json_t *command = jget(json_array_get(jget(l.pod, "spec.containers"), 0), "command");
    json_array_clear(command);
    json_array_append_new(command, json_string("/no/such/program"));
    launch_run(&l);
    T_INT(l.result, LAUNCH_START_ERROR);
    T_TRUE(strstr(l.err.msg, "/no/such/program") != NULL);
    _cleanup_free_ char *place = launch_dir(&paths, UID, "c", 3);
    T_TRUE(access(place, F_OK) < 0);
    launch_done(&l);
}

TEST(teardown_takes_everything_but_volumes_and_logs)
{
    struct launch l;
    struct err err = {0};
    launch_pod(&l, "sleep 60", 4);
    pid_t pid = l.record.pid;
    uint64_t start = process_start_time(pid);
    T_TRUE(start > 0);
    _cleanup_free_ char *run_dir = xasprintf("%s/run", dir);
    if (agent_teardown(paths.data, run_dir, NODE, &err) < 0)
        T_FAIL("teardown: %s", err.msg);
    T_TRUE(process_start_time(pid) != start);
    T_TRUE(access(paths.run, F_OK) < 0);
    _cleanup_free_ char *kept = pod_data_path(&paths, UID, "volumes/work/x"),
                        *gone = pod_data_path(&paths, UID, "containers");
    T_TRUE(access(kept, F_OK) == 0);
    T_TRUE(access(gone, F_OK) < 0);
    T_TRUE(unmount_below(dir));
    free_launch(&l);
}

TEST(a_process_namespace_is_held_by_process_1)
{
    struct err err;
    char text[64];
    _cleanup_free_ char *at = xasprintf("%s/shared", dir), *pin = xasprintf("%s/pid", at),
                        *holder = xasprintf("%s/holder", at);
    struct sandbox_options o = {.dir = at, .hostname = "web", .own_net = true, .own_ipc = true, .share_pid = true};
    T_INT(sandbox_make(&o, &err), 0);
    T_TRUE(sandbox_exists(at));
    _cleanup_free_ char *name = read_small_file(holder, sizeof(text));
    int pid = name ? (int)strtod(name, NULL) : 0;
    snprintf(text, sizeof(text), "/proc/%d/ns/pid", pid);
    struct stat held, pinned;
    T_TRUE(pid > 1 && stat(text, &held) == 0 && stat(pin, &pinned) == 0 && held.st_ino == pinned.st_ino);
    snprintf(text, sizeof(text), "/proc/%d/comm", pid);
    _cleanup_free_ char *comm = read_small_file(text, sizeof(text));
    T_STR(comm, "pause\n");
    sandbox_remove(at);
    T_TRUE(kill(pid, 0) < 0 && access(pin, F_OK) < 0 && access(holder, F_OK) < 0);
}

/* Everything from here on is in namespaces of its own. */
static bool prepare(void)
{
    struct err err = {0};
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return false;
    make_image();
    _cleanup_free_ char *data_dir = xasprintf("%s/data", dir), *run_dir = xasprintf("%s/run", dir);
    node_paths_init(&paths, data_dir, run_dir, NODE);
    cgroup_detect(&cgroups, NODE);
    if (runtime_init(&rt, &paths, &cgroups, NODE, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return false;
    }
    _cleanup_free_ char *run = pod_run_path(&paths, UID, NULL);
    struct sandbox_options o = {.dir = run, .hostname = "web", .own_net = true, .own_ipc = true};
    if (sandbox_make(&o, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return false;
    }
    return true;
}

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_runtime: needs root: it makes namespaces and runs containers\n");
        return 1;
    }
    if (!mkdtemp(dir) || !prepare()) {
        perror("test_runtime: prepare");
        return 1;
    }
    RUN(a_container_runs_and_its_exit_is_told);
    RUN(the_next_attempt_keeps_volumes_and_the_log_before_it);
    RUN(commands_run_inside_and_end_in_time);
    RUN(a_command_that_is_not_there_is_an_error_and_leaves_nothing);
    RUN(a_process_namespace_is_held_by_process_1);
    RUN(teardown_takes_everything_but_volumes_and_logs);
    runtime_done(&rt);
    node_paths_done(&paths);
    if (unmount_below(dir))
        remove_tree(dir);
    return DONE();
}
