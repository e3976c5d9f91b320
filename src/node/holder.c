/* See holder.h. */
#include "node/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "node/paths.h"
#include "node/runtime.h"
#include "node/spawn.h"

#define CAPABILITIES 64 /* as many as two words hold; those the kernel does not know are refused */

static const unsigned char program[] = {
#include "node/pause.inc"
};

/* In memory and sealed: what containers find behind /proc/1/exe is no file of the node's. */
static int program_open(struct err *err)
{
    int fd = memfd_create("pause", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int seals = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    if (fd >= 0 && write(fd, program, sizeof(program)) == sizeof(program) && fcntl(fd, F_ADD_SEALS, seals) == 0)
        return fd;
    err_set(err, errno, "make the program of process 1");
    if (fd >= 0)
        close(fd);
    return -1;
}

/* In the child: system calls only. */
static bool lock_in(void *arg)
{
    const char *dir = arg;
    (void)signal(SIGCHLD, SIG_IGN);
    (void)setsid();
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=555") < 0 || chdir(dir) < 0 ||
        syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return false;
    for (unsigned long c = 0; c < CAPABILITIES; c++)
        (void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static int remember(const char *dir, pid_t pid, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/holder", dir);
    _cleanup_free_ char *text = xasprintf("%d %llu", (int)pid, (unsigned long long)process_start_time(pid));
    int r = write_file_atomically(path, text, strlen(text), 0600);
    return r < 0 ? err_set(err, -r, "write %s", path) : 0;
}

static int pin(const char *dir, pid_t pid, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/pid", dir), *ns = xasprintf("/proc/%d/ns/pid", (int)pid);
    _cleanup_close_ int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);
    if (file < 0 || mount(ns, path, NULL, MS_BIND, NULL) < 0)
        return err_set(err, errno, "pin namespace at %s", path);
    return 0;
}

int holder_start(const char *dir, const char *cgroup_procs, struct err *err)
{
    static const char *const argv[] = {"/pause", NULL}, *const env[] = {NULL};
    _cleanup_close_ int fd = program_open(err);
    struct spawn s = {.argv = argv,
                      .env = env,
                      .program_fd = fd,
                      .cgroup_procs = cgroup_procs,
                      .namespaces = CLONE_NEWPID | CLONE_NEWNS,
                      .prepare = lock_in,
                      .arg = (void *)dir};
    pid_t pid = fd < 0 ? -1 : spawn_start(&s, err);
    if (pid < 0)
        return -1;
    if (remember(dir, pid, err) == 0 && pin(dir, pid, err) == 0)
        return 0;
    kill(pid, SIGKILL);
    (void)spawn_wait(pid);
    return -1;
}

/* Its process number, 0 when it has ended; false: there was none. */
static bool recall(const char *path, pid_t *ret)
{
    _cleanup_free_ char *text = read_small_file(path, 64);
    char *rest = text ? strchr(text, ' ') : NULL;
    int64_t pid, start;
    if (rest)
        *rest++ = '\0';
    if (!rest || !str_to_i64(text, 2, INT32_MAX, &pid) || !str_to_i64(rest, 1, INT64_MAX, &start))
        return false;
    *ret = process_start_time((pid_t)pid) == (uint64_t)start ? (pid_t)pid : 0;
    return true;
}

bool holder_lives(const char *dir)
{
    _cleanup_free_ char *path = xasprintf("%s/holder", dir);
    pid_t pid;
    return !recall(path, &pid) || pid > 0;
}

void holder_kill(const char *dir)
{
    _cleanup_free_ char *path = xasprintf("%s/holder", dir);
    pid_t pid;
    if (!recall(path, &pid))
        return;
    if (pid > 0 && kill(pid, SIGKILL) == 0)
        (void)waitpid(pid, NULL, 0); /* ours unless an earlier life has started it: then there is none to wait for */
    (void)unlink(path);
}
