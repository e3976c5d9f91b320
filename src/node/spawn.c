/* See spawn.h. */
#include "node/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

#define CHILD_STACK_SIZE (64 << 10)
#define FIRST_FREE_FD 10 /* above the descriptors a child is given */

struct child {
    const struct spawn *s;
    sigset_t mask; /* of the parent, to be restored */
    int failed;    /* errno of the step that failed; the memory is shared */
    const char *step;
};

static int fail(struct child *c, const char *step)
{
    c->failed = errno;
    c->step = step;
    return 127;
}

static bool mount_cgroup2(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
           mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

static bool enter_cgroup(const char *procs)
{
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, "0", 1) == 1;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Gives the child exactly the descriptors that were asked for. */
static bool place_fds(const struct spawn *s)
{
    int wanted[] = {s->stdin_fd, s->stdout_fd, s->stderr_fd, s->extra_fd};
    for (int i = 0; i < 4; i++) {
        if (wanted[i] == 0 && i < 3)
            wanted[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (wanted[i] > 0)
            wanted[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
        if (wanted[i] < 0)
            return false;
    }
    for (int i = 0; i < 4; i++)
        if (wanted[i] > 0 && dup2(wanted[i], i) < 0)
            return false;
    return close_range(s->extra_fd ? 4 : 3, UINT32_MAX, CLOSE_RANGE_CLOEXEC) == 0;
}

static int child_main(void *arg)
{
    struct child *c = arg;
    const struct spawn *s = c->s;
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL); /* an ignored SIGPIPE would be inherited */
    if (s->private_cgroup2 && !mount_cgroup2())
        return fail(c, "mount cgroup2 privately");
    if (s->cgroup_procs && !enter_cgroup(s->cgroup_procs))
        return fail(c, "enter cgroup");
    if (!place_fds(s))
        return fail(c, "set up descriptors");
    if (s->prepare && !s->prepare(s->arg))
        return fail(c, "prepare");
    sigprocmask(SIG_SETMASK, &c->mask, NULL);
    if (s->program_fd)
        execveat(s->program_fd, "", (char *const *)s->argv, (char *const *)s->env, AT_EMPTY_PATH);
    else
        execvpe(s->argv[0], (char *const *)s->argv, s->env ? (char *const *)s->env : environ);
    return fail(c, "run");
}

pid_t spawn_start(const struct spawn *s, struct err *err)
{
    struct child c = {.s = s};
    sigset_t all;
    _cleanup_free_ char *stack = xmalloc(CHILD_STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &c.mask);
    pid_t pid = clone(child_main, stack + CHILD_STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD | s->namespaces, &c);
    int clone_errno = errno;
    pthread_sigmask(SIG_SETMASK, &c.mask, NULL);
    if (pid < 0)
        return err_set(err, clone_errno, "start %s", s->argv[0]);
    if (c.failed) {
        (void)spawn_wait(pid);
        return err_set(err, c.failed, "%s: %s", s->argv[0], c.step);
    }
    return pid;
}

int spawn_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Reads until the end or the deadline; false: the time is up. */
static bool gather(int fd, struct buf *out, int timeout_ms)
{
    int64_t end = clock_mono_ms() + timeout_ms;
    char chunk[4096];
    for (;;) {
        int64_t left = timeout_ms ? end - clock_mono_ms() : -1;
        struct pollfd p = {fd, POLLIN, 0};
        if (timeout_ms && left <= 0)
            return false;
        if (poll(&p, 1, (int)left) == 0)
            return false;
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n == 0 || (n < 0 && errno != EINTR))
            return true;
        if (n > 0 && out)
            buf_add(out, chunk, (size_t)n);
    }
}

int spawn_run(const struct spawn *s, struct buf *out, int timeout_ms, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "make a pipe"), -EMFILE;
    _cleanup_close_ int read_end = ends[0];
    struct spawn with_pipe = *s;
    with_pipe.stdout_fd = with_pipe.stderr_fd = ends[1];
    pid_t pid = spawn_start(&with_pipe, err);
    close(ends[1]);
    if (pid < 0)
        return err->code ? -err->code : -EIO;
    bool in_time = gather(read_end, out, timeout_ms);
    if (!in_time)
        kill(pid, SIGKILL);
    int code = spawn_wait(pid);
    if (in_time)
        return code;
    err_set(err, 0, "%s took longer than %d ms", s->argv[0], timeout_ms);
    return -ETIMEDOUT;
}
