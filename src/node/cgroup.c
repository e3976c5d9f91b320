/* See cgroup.h. */
#include "node/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

#define TOP "/c8s"
#define DEPTH_MAX 16 /* of groups a container may have made below its own */

static const char *const needed_controllers[] = {"cpu", "memory", "pids"};

char *cgroup_path(char out[CGROUP_PATH_SIZE], const char *node, const char *uid, const char *cid)
{
    snprintf(out, CGROUP_PATH_SIZE, TOP "/%s%s%s%s%s", node, uid ? "/" : "", uid ? uid : "", cid ? "/" : "",
             cid ? cid : "");
    return out;
}

#define SHARES_MIN 2
#define SHARES_MAX 262144
#define QUOTA_MIN_USEC 1000 /* less is refused by the kernel */

int64_t cgroup_cpu_shares(int64_t milli)
{
    int64_t shares = milli * 1024 / 1000;
    return shares < SHARES_MIN ? SHARES_MIN : shares > SHARES_MAX ? SHARES_MAX : shares;
}

int64_t cgroup_cpu_weight(int64_t shares)
{
    return 1 + (shares - SHARES_MIN) * 9999 / (SHARES_MAX - SHARES_MIN);
}

int64_t cgroup_cpu_quota(int64_t milli)
{
    int64_t quota = milli * CPU_PERIOD_USEC / 1000;
    return quota < QUOTA_MIN_USEC ? QUOTA_MIN_USEC : quota;
}

static bool is_cgroup2(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static bool write_file(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Hands the controllers of a group on to its children; a group with processes of its own (a container's root) refuses.
 */
static bool delegate(const char *dir)
{
    _cleanup_free_ char *file = xasprintf("%s/cgroup.subtree_control", dir);
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(needed_controllers); i++) {
        char text[32];
        snprintf(text, sizeof(text), "+%s", needed_controllers[i]);
        all = write_file(file, text) && all;
    }
    return all;
}

void cgroup_detect(struct cgroups *ret, const char *node)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    *ret = (struct cgroups){.pure = is_cgroup2("/sys/fs/cgroup"), .devices = setrlimit(RLIMIT_MEMLOCK, &all) == 0};
    ret->root = ret->pure ? "/sys/fs/cgroup" : is_cgroup2("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : NULL;
    if (!ret->root)
        return;
    _cleanup_free_ char *ours = xasprintf("%s" TOP, ret->root);
    _cleanup_free_ char *nodes = xasprintf("%s/%s", ours, node);
    (void)mkdir(ours, 0755);
    (void)mkdir(nodes, 0755);
    ret->limits = ret->pure && delegate(ret->root) && delegate(ours) && delegate(nodes);
}

/* Calls visit for the group's sub-groups. */
static void each_child(const char *dir, int depth, void (*visit)(const char *child, int depth))
{
    DIR *d = depth < DEPTH_MAX ? opendir(dir) : NULL;
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *child = xasprintf("%s/%s", dir, e->d_name);
        visit(child, depth + 1);
    }
    closedir(d);
}

static void kill_tree(const char *dir, int depth)
{
    _cleanup_free_ char *kill_file = xasprintf("%s/cgroup.kill", dir);
    if (!write_file(kill_file, "1")) /* Linux 5.14; takes the sub-groups along */
        each_child(dir, depth, kill_tree);
}

void cgroup_kill(const struct cgroups *g, const char *path)
{
    if (!g->root)
        return;
    _cleanup_free_ char *dir = xasprintf("%s%s", g->root, path);
    kill_tree(dir, 0);
}

static void remove_tree(const char *dir, int depth)
{
    each_child(dir, depth, remove_tree);
    (void)rmdir(dir);
}

/* Calls visit for the path in every hierarchy: runc uses those of version 1 where there are some. */
static void each_hierarchy(const struct cgroups *g, const char *path, void (*visit)(const char *dir))
{
    _cleanup_free_ char *first = g->root ? xasprintf("%s%s", g->root, path) : NULL;
    DIR *d = g->pure ? NULL : opendir("/sys/fs/cgroup");
    if (first)
        visit(first);
    for (struct dirent *e; d && (e = readdir(d));) {
        _cleanup_free_ char *dir = xasprintf("/sys/fs/cgroup/%s%s", e->d_name, path);
        if (e->d_name[0] != '.' && access(dir, F_OK) == 0)
            visit(dir);
    }
    if (d)
        closedir(d);
}

static void remove_whole(const char *dir)
{
    remove_tree(dir, 0);
}

static void remove_empty(const char *dir)
{
    (void)rmdir(dir);
}

bool cgroup_remove(const struct cgroups *g, const char *path)
{
    each_hierarchy(g, path, remove_whole);
    if (!g->root)
        return true;
    _cleanup_free_ char *dir = xasprintf("%s%s", g->root, path);
    return access(dir, F_OK) < 0;
}

void cgroup_remove_node(const struct cgroups *g, const char *node)
{
    char path[CGROUP_PATH_SIZE];
    each_hierarchy(g, cgroup_path(path, node, CGROUP_MONITORS, NULL), remove_empty);
    each_hierarchy(g, cgroup_path(path, node, NULL, NULL), remove_empty);
    each_hierarchy(g, TOP, remove_empty);
}
