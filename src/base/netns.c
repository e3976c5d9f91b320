/* See netns.h. */
#include "base/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"

#define THREAD_NETNS "/proc/thread-self/ns/net"

struct netns_guard netns_enter(int fd)
{
    struct netns_guard guard = {-1};
    if (fd < 0)
        return guard;
    guard.home_fd = open(THREAD_NETNS, O_RDONLY | O_CLOEXEC);
    if (guard.home_fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
        perror("c8s: enter network namespace");
        abort();
    }
    return guard;
}

void netns_leave(struct netns_guard *guard)
{
    if (guard->home_fd < 0)
        return;
    if (setns(guard->home_fd, CLONE_NEWNET) < 0) {
        perror("c8s: leave network namespace");
        abort();
    }
    close(guard->home_fd);
    guard->home_fd = -1;
}

int netns_open(const char *path, struct err *err)
{
    struct statfs fs;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open network namespace %s", path);
    if (fstatfs(fd, &fs) < 0 || fs.f_type != NSFS_MAGIC) {
        close(fd);
        return err_set(err, EINVAL, "%s is not a network namespace", path);
    }
    return fd;
}

int netns_create(const char *path, struct err *err)
{
    struct err ignored;
    int fd = netns_open(path, &ignored);
    if (fd >= 0)
        return fd;
    _cleanup_close_ int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);
    if (file < 0)
        return err_set(err, errno, "create %s", path);
    _cleanup_close_ int home = open(THREAD_NETNS, O_RDONLY | O_CLOEXEC);
    if (home < 0 || unshare(CLONE_NEWNET) < 0)
        return err_set(err, errno, "create network namespace");
    int failed = mount(THREAD_NETNS, path, NULL, MS_BIND, NULL) < 0 ? errno : 0;
    if (setns(home, CLONE_NEWNET) < 0) {
        perror("c8s: leave network namespace");
        abort();
    }
    if (failed)
        return err_set(err, failed, "pin network namespace at %s", path);
    return netns_open(path, err);
}

void netns_remove(const char *path)
{
    (void)umount2(path, MNT_DETACH);
    (void)unlink(path);
}
