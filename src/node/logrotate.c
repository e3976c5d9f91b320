/* Logs that have grown are put aside and conmon is told to begin a new one, as the kubelet does
 * (containerLogMaxSize and containerLogMaxFiles, with its defaults). Between two looks a container cannot write more
 * than conmon's own limit (runtime.c). */
#define LOG_AREA "node"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/launch.h"
#include "node/pod.h"
#include "node/record.h"

#define SIZE_MAX_BYTES (10 << 20)
#define FILES_MAX 5           /* the one being written included */
#define REOPEN_LOGS "2 0 0\n" /* a line for conmon's ctl pipe; 1 is a terminal's size */

struct rotate_job {
    struct agent *agent;
    char **logs, **ctls; /* n of each */
    size_t n;
};

/* --- files that were put aside: LOG.20261120-101112 --- */

static int newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

/* Removes all but the `keep` newest. */
static void remove_rotated(const char *log, size_t keep)
{
    _cleanup_free_ char *dir = xstrdup(log);
    char *base = strrchr(dir, '/');
    struct dirent **names;
    *base++ = '\0';
    int n = scandir(dir, &names, NULL, newest_first);
    for (int i = 0; i < n; i++) {
        const char *rest = str_after(names[i]->d_name, base);
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, names[i]->d_name);
        if (rest && *rest == '.' && keep > 0)
            keep--;
        else if (rest && *rest == '.')
            (void)unlink(path);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

void log_remove(const char *log)
{
    (void)unlink(log);
    remove_rotated(log, 0);
}

/* --- one look --- */

static void tell_conmon(const char *ctl, const char *log)
{
    _cleanup_close_ int fd = open(ctl, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || write(fd, REOPEN_LOGS, strlen(REOPEN_LOGS)) < 0)
        log_debug("log %s is not begun anew: %s", log, strerror(errno)); /* its container is ending */
}

static void rotate(const char *log, const char *ctl)
{
    struct stat st;
    struct tm now;
    char when[32];
    time_t seconds = time(NULL);
    if (stat(log, &st) < 0 || st.st_size <= SIZE_MAX_BYTES)
        return;
    remove_rotated(log, FILES_MAX - 2);
    strftime(when, sizeof(when), "%Y%m%d-%H%M%S", gmtime_r(&seconds, &now));
    _cleanup_free_ char *aside = xasprintf("%s.%s", log, when);
    if (rename(log, aside) == 0)
        tell_conmon(ctl, log);
}

static void rotate_work(void *arg)
{
    struct rotate_job *j = arg;
    for (size_t i = 0; i < j->n; i++)
        rotate(j->logs[i], j->ctls[i]);
}

static void rotate_done(void *arg)
{
    struct rotate_job *j = arg;
    for (size_t i = 0; i < j->n; i++) {
        free(j->logs[i]);
        free(j->ctls[i]);
    }
    j->agent->rotating = false;
    free(j->logs);
    free(j->ctls);
    free(j);
}

static void add(struct rotate_job *j, const struct pod *p, const struct container_facts *f)
{
    const struct node_paths *paths = &j->agent->paths;
    _cleanup_free_ char *bundle = record_dir(paths, p->uid, f->cid);
    j->logs = xrealloc(j->logs, (j->n + 1) * sizeof(*j->logs));
    j->ctls = xrealloc(j->ctls, (j->n + 1) * sizeof(*j->ctls));
    j->logs[j->n] = launch_log_path(paths, p->uid, f->name, f->restart_count);
    j->ctls[j->n++] = xasprintf("%s/ctl", bundle);
}

void logs_rotate(struct agent *a)
{
    if (a->rotating)
        return;
    struct rotate_job *j = NEW(struct rotate_job);
    j->agent = a;
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        const struct pod *p = e->value;
        for (size_t i = 0; i < p->n; i++)
            if (p->containers[i]->f.state == CONTAINER_RUNNING)
                add(j, p, &p->containers[i]->f);
    }
    a->rotating = true;
    agent_job(a, rotate_work, rotate_done, j);
}
