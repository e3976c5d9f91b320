/* See paths.h. */
#include "node/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

#define OPEN_DIRS_MAX 32 /* descriptors nftw may hold */

void node_paths_init(struct node_paths *p, const char *data_dir, const char *run_dir, const char *node)
{
    p->data = xstrdup(data_dir);
    p->volumes = xasprintf("%s/volumes", data_dir);
    p->run = xasprintf("%s/nodes/%s", run_dir, node);
    p->pods = xasprintf("%s/nodes/%s/pods", data_dir, node);
    p->exits = xasprintf("%s/exits", p->run);
    p->oci = xasprintf("%s/oci", p->run);
}

void node_paths_done(struct node_paths *p)
{
    free(p->data);
    free(p->volumes);
    free(p->run);
    free(p->pods);
    free(p->exits);
    free(p->oci);
}

static char *join(const char *pods, const char *uid, const char *rest)
{
    return rest ? xasprintf("%s/%s/%s", pods, uid, rest) : xasprintf("%s/%s", pods, uid);
}

char *pod_data_path(const struct node_paths *p, const char *uid, const char *rest)
{
    return join(p->pods, uid, rest);
}

char *pod_run_path(const struct node_paths *p, const char *uid, const char *rest)
{
    _cleanup_free_ char *pods = xasprintf("%s/pods", p->run);
    return join(pods, uid, rest);
}

int make_dirs(const char *path, unsigned mode)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return -errno;
    _cleanup_free_ char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent)
        return -ENOENT;
    *slash = '\0';
    int r = make_dirs(parent, 0755);
    if (r < 0)
        return r;
    return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -errno;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    (void)remove(path);
    return 0;
}

void remove_tree(const char *path)
{
    (void)nftw(path, remove_one, OPEN_DIRS_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* The table is read anew after each round: a mount may have hidden another below it. */
static void unmount_round(const char *path, size_t *ret_found, size_t *ret_gone)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    struct mntent entry, *m;
    char line[8192]; /* an overlay's options name all its layers */
    *ret_found = *ret_gone = 0;
    while (f && (m = getmntent_r(f, &entry, line, sizeof(line)))) {
        const char *rest = str_after(m->mnt_dir, path);
        if (!rest || (*rest != '/' && *rest != '\0'))
            continue;
        (*ret_found)++;
        *ret_gone += umount2(m->mnt_dir, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
    }
    if (f)
        endmntent(f);
}

bool unmount_below(const char *path)
{
    size_t found, gone;
    do
        unmount_round(path, &found, &gone);
    while (gone > 0);
    return found == 0;
}

int write_file_atomically(const char *path, const void *data, unsigned long len, unsigned mode)
{
    _cleanup_free_ char *tmp = xasprintf("%s.tmp", path);
    _cleanup_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (unsigned long)n;
    }
    if (fchmod(fd, mode) < 0 || rename(tmp, path) < 0)
        return -errno;
    return 0;
}

char *read_small_file(const char *path, unsigned long max)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct buf b = BUF_INIT(max);
    char chunk[8192];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        buf_add(&b, chunk, (size_t)n);
    if (n < 0 || b.overflowed) {
        int why = b.overflowed ? EFBIG : errno;
        buf_done(&b);
        errno = why;
        return NULL;
    }
    return b.data ? buf_take(&b) : xstrdup("");
}
