/* See daemon.h. */
#include "cli/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

/* What the node agents start. Each row: any one of the programs will do. */
static const struct {
    const char *programs[2], *package;
} needed[] = {{{"conmon"}, "conmon"}, {{"crun", "runc"}, "crun"}};

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    _cleanup_free_ char **dirs = str_split(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':', NULL);
    for (char **dir = dirs; *dir; dir++) {
        _cleanup_free_ char *full = xasprintf("%s/%s", *dir, program);
        if (access(full, X_OK) == 0)
            return true;
    }
    return false;
}

int daemon_check(const char *log_level, struct err *err)
{
    int level = log_level_from_name(log_level);
    if (level < 0)
        return err_set(err, 0, "--log-level takes debug, info, warn or error");
    log_set_level((enum log_level)level);
    if (geteuid() != 0)
        return err_set(err, 0, "needs root: it makes network namespaces and runs containers (try sudo)");
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!in_path(needed[i].programs[0]) && !(needed[i].programs[1] && in_path(needed[i].programs[1])))
            return err_set(err, 0, "%s is not installed (apt-get install %s)", needed[i].programs[0],
                           needed[i].package);
    return 0;
}

/* A connection or a watch is a descriptor; the soft limit of a login shell (1024) is too low for a server. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

void daemon_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    umask(022);
}

static void stop_on_signal(uv_signal_t *signal, int number)
{
    struct daemon_signals *s = signal->data;
    bool (*on_term)(void *arg) = number == SIGTERM ? TAKE(s->on_term) : NULL;
    if (!on_term || !on_term(s->arg))
        uv_stop(signal->loop);
}

void daemon_on_term(struct daemon_signals *s, bool (*on_term)(void *arg), void *arg)
{
    s->on_term = on_term;
    s->arg = arg;
}

void daemon_catch(struct daemon_signals *s, uv_loop_t *loop)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        uv_signal_init(loop, &s->signals[i]);
        s->signals[i].data = s;
        uv_signal_start(&s->signals[i], stop_on_signal, numbers[i]);
    }
}

void daemon_release(struct daemon_signals *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->signals); i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
}
