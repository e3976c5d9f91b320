/* See stray.h. */
#include "ingress/stray.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"

#define TERM_MS 700
#define KILL_MS 300

/* A number may be somebody else's by now: the command line decides. */
static bool is_ours(int64_t pid, const char *config_path)
{
    char path[64];
    struct err err;
    size_t len = 0;
    snprintf(path, sizeof(path), "/proc/%lld/cmdline", (long long)pid);
    _cleanup_free_ char *line = file_read(path, 16384, &len, &err);
    for (const char *arg = line; arg && arg < line + len; arg += strlen(arg) + 1)
        if (streq(arg, config_path))
            return strstr(line, "haproxy") != NULL;
    return false;
}

static bool end(int fd, int signal, int ms)
{
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
    return poll(&ended, 1, ms) == 1;
}

void stray_end(const char *pid_path, const char *config_path)
{
    struct err err;
    int64_t pid;
    _cleanup_free_ char *text = file_read(pid_path, 100, NULL, &err);
    if (!text)
        return;
    text[strcspn(text, "\n")] = '\0';
    if (!str_to_i64(text, 2, INT32_MAX, &pid))
        return;
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (fd >= 0 && is_ours(pid, config_path) && !end(fd, SIGTERM, TERM_MS))
        end(fd, SIGKILL, KILL_MS);
}
