/* See sandbox.h. */
#include "node/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "node/holder.h"
#include "node/paths.h"

static const struct pin {
    const char *name;
    int flag;
} pins[] = {{"net", CLONE_NEWNET}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"pid", 0}};

struct fresh {
    int (*fn)(void *arg, struct err *err);
    void *arg;
    struct err *err;
    int result;
};

static void *fresh_main(void *arg)
{
    struct fresh *f = arg;
    f->result = f->fn(f->arg, f->err);
    return NULL;
}

int run_in_fresh_thread(int (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
    struct fresh f = {fn, arg, err, 0};
    pthread_t thread;
    int r = pthread_create(&thread, NULL, fresh_main, &f);
    if (r)
        return err_set(err, r, "start a thread");
    pthread_join(thread, NULL);
    return f.result;
}

/* Sysctls every pod gets, as CRI runtimes set them: ports below 1024 and ping need no privilege inside a pod's own
 * network. */
static void set_sysctl(const char *path, const char *value)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, value, strlen(value));
}

static int pin(const char *dir, const char *name, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    _cleanup_free_ char *ns = xasprintf("/proc/thread-self/ns/%s", name);
    _cleanup_close_ int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);
    if (file < 0)
        return err_set(err, errno, "create %s", path);
    if (mount(ns, path, NULL, MS_BIND, NULL) < 0)
        return err_set(err, errno, "pin namespace at %s", path);
    return 0;
}

static int make_in_thread(void *arg, struct err *err)
{
    const struct sandbox_options *o = arg;
    int flags = CLONE_NEWUTS | (o->own_ipc ? CLONE_NEWIPC : 0) | (o->own_net ? CLONE_NEWNET : 0);
    if (unshare(flags) < 0)
        return err_set(err, errno, "make namespaces");
    if (sethostname(o->hostname, strlen(o->hostname)) < 0)
        return err_set(err, errno, "set the host name");
    if (o->own_net) {
        set_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
        set_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    }
    if (o->share_pid && holder_start(o->dir, o->cgroup_procs, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(pins); i++)
        if ((flags & pins[i].flag) && pin(o->dir, pins[i].name, err) < 0)
            return -1;
    return 0;
}

static bool is_pinned(const char *dir, const char *name)
{
    struct statfs fs;
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

bool sandbox_exists(const char *dir)
{
    return is_pinned(dir, "uts"); /* the last one made */
}

bool sandbox_is_whole(const char *dir)
{
    for (size_t i = 0; i < ARRAY_LEN(pins); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, pins[i].name);
        if (access(path, F_OK) == 0 && !is_pinned(dir, pins[i].name))
            return false;
    }
    return sandbox_exists(dir) && holder_lives(dir);
}

int sandbox_make(const struct sandbox_options *o, struct err *err)
{
    int r = make_dirs(o->dir, 0700);
    if (r < 0)
        return err_set(err, -r, "create %s", o->dir);
    if (sandbox_exists(o->dir))
        return 0;
    sandbox_remove(o->dir); /* the rest of an attempt that was interrupted */
    if (run_in_fresh_thread(make_in_thread, (void *)o, err) == 0)
        return 0;
    sandbox_remove(o->dir);
    return -1;
}

void sandbox_remove(const char *dir)
{
    holder_kill(dir);
    for (size_t i = 0; i < ARRAY_LEN(pins); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, pins[i].name);
        (void)umount2(path, MNT_DETACH);
        (void)unlink(path);
    }
}
