/* Taking things away: of one pod, and of a whole node from what lies in its directories alone. */
#define LOG_AREA "node"
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/launch.h"
#include "node/record.h"
#include "node/sandbox.h"

#define REMOVE_TRIES 100 /* a killed process leaves its group when it has been reaped: try for a second */
#define REMOVE_WAIT_NS 10000000
#define MONITOR_WAIT_MS 2000

static void wait_for_group(const struct cgroups *g, const char *path)
{
    for (int i = 0; i < REMOVE_TRIES && !cgroup_remove(g, path); i++) {
        struct timespec pause = {.tv_nsec = REMOVE_WAIT_NS};
        nanosleep(&pause, NULL);
    }
}

/* conmon ends by itself soon after its container; the last trace is gone when it is. */
static void wait_for_monitor(const struct node_paths *paths, const char *uid, const char *cid)
{
    _cleanup_free_ char *bundle = record_dir(paths, uid, cid);
    _cleanup_free_ char *pidfile = xasprintf("%s/conmon.pid", bundle);
    _cleanup_free_ char *text = read_small_file(pidfile, 32);
    int64_t pid;
    char comm[64];
    if (!text || !str_to_i64(text, 2, INT32_MAX, &pid))
        return;
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    snprintf(comm, sizeof(comm), "/proc/%lld/comm", (long long)pid);
    _cleanup_free_ char *name = read_small_file(comm, 64);
    struct pollfd p = {fd, POLLIN, 0};
    if (fd >= 0 && name && streq(name, "conmon\n") && poll(&p, 1, MONITOR_WAIT_MS) == 0)
        (void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

/* A container whose cgroup is unknown (runc on a machine with version 1 only) is still a process. */
static void kill_process(const struct record *r)
{
    if (r->pid > 0 && r->pid_start && process_start_time(r->pid) == r->pid_start)
        (void)kill(r->pid, SIGKILL);
}

void pod_wipe(const struct runtime *rt, const char *node, const char *uid, bool data)
{
    const struct node_paths *paths = rt->paths;
    char group[CGROUP_PATH_SIZE];
    size_t n;
    struct record *records = records_read(paths, uid, &n);
    _cleanup_free_ char *run = pod_run_path(paths, uid, NULL), *disk = pod_data_path(paths, uid, NULL);
    _cleanup_free_ char *containers = pod_data_path(paths, uid, "containers");
    for (size_t i = 0; i < n; i++)
        kill_process(&records[i]);
    cgroup_kill(rt->cgroups, cgroup_path(group, node, uid, NULL));
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *exit_file = xasprintf("%s/%s", paths->exits, records[i].cid);
        runtime_delete(rt, records[i].cid);
        wait_for_monitor(paths, uid, records[i].cid);
        (void)unlink(exit_file);
    }
    records_free(records, n);
    wait_for_group(rt->cgroups, group);
    sandbox_remove(run);
    if (unmount_below(run))
        remove_tree(run);
    const char *doomed = data ? disk : containers;
    if (unmount_below(doomed))
        remove_tree(doomed);
}

/* Names of pods beneath dir that are in no record of ours any more also count: both trees are looked at. */
static void wipe_all(const struct runtime *rt, const char *node, const char *pods, bool data)
{
    DIR *d = opendir(pods);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            pod_wipe(rt, node, e->d_name, data);
    if (d)
        closedir(d);
}

int agent_teardown(const char *data_dir, const char *run_dir, const char *node_name, struct err *err)
{
    struct node_paths paths;
    struct cgroups cgroups;
    struct runtime rt;
    node_paths_init(&paths, data_dir, run_dir, node_name);
    _cleanup_free_ char *run_pods = xasprintf("%s/pods", paths.run);
    cgroup_detect(&cgroups, node_name);
    int r = 0;
    if (access(paths.run, F_OK) == 0 || access(paths.pods, F_OK) == 0)
        r = runtime_init(&rt, &paths, &cgroups, node_name, err);
    else
        rt = (struct runtime){.paths = &paths, .cgroups = &cgroups};
    if (r == 0) {
        wipe_all(&rt, node_name, run_pods, false);
        wipe_all(&rt, node_name, paths.pods, false);
        runtime_done(&rt);
        if (!unmount_below(paths.run) || !unmount_below(paths.pods))
            r = err_set(err, EBUSY, "unmount %s", paths.run);
        else
            remove_tree(paths.run);
    }
    cgroup_remove_node(&cgroups, node_name);
    (void)rmdir("/run/crun"); /* crun makes it whatever --root says; stays when somebody uses it */
    node_paths_done(&paths);
    return r;
}
