/* Starting programs from a process with threads. The child shares our memory until it execs (as posix_spawn does it),
 * so it makes system calls and nothing else; what posix_spawn cannot do, a mount namespace of its own and a cgroup, is
 * why this exists. Blocking, any thread. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct spawn {
    const char *const *argv;            /* argv[0] is looked up in PATH when it has no slash */
    const char *const *env;             /* NULL: ours */
    int stdin_fd, stdout_fd, stderr_fd; /* 0: /dev/null */
    int extra_fd;                       /* 0: none; else becomes descriptor 3 */
    bool private_cgroup2;               /* in a mount namespace where /sys/fs/cgroup is cgroup2 alone */
    const char *cgroup_procs;           /* a cgroup.procs file to move into, or NULL */
    int program_fd;                     /* 0: argv[0] names the program; else this is it */
    int namespaces;                     /* CLONE_NEW…: new ones */
    bool (*prepare)(void *arg);         /* in the child before the program, system calls only; false: errno says why */
    void *arg;
};

/* The pid, or -1. Whoever starts a child waits for it. */
pid_t spawn_start(const struct spawn *s, struct err *err);
/* Waits; the exit code, or 128 + the signal. */
int spawn_wait(pid_t pid);
/* Runs to the end; what the child writes on stdout and stderr goes into out (its maximum holds, the rest is dropped).
 * After timeout_ms (0: never) the child is killed and the result is -ETIMEDOUT. The exit code, or -errno with err set.
 */
int spawn_run(const struct spawn *s, struct buf *out, int timeout_ms, struct err *err);
