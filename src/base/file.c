/* See file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

char *file_read(const char *path, size_t max, size_t *ret_len, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_set(err, errno, "open %s", path);
        return NULL;
    }
    size_t len = 0, cap = 4096;
    _cleanup_free_ char *data = xmalloc(cap);
    for (;;) {
        ssize_t n = read(fd, data + len, cap - len - 1);
        if (n < 0) {
            err_set(err, errno, "read %s", path);
            return NULL;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max) {
            err_set(err, EFBIG, "read %s", path);
            return NULL;
        }
        if (len + 1 == cap)
            data = xrealloc(data, cap *= 2);
    }
    data[len] = '\0';
    if (ret_len)
        *ret_len = len;
    return TAKE(data);
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    _cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int file_replace(const char *from, const char *to, struct err *err)
{
    return rename(from, to) < 0 || sync_folder_of(to) < 0 ? err_set(err, errno, "write %s", to) : 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    _cleanup_free_ char *beside = xasprintf("%s.new-%d", path, (int)gettid());
    _cleanup_close_ int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set(err, errno, "create %s", beside);
    if (fchmod(fd, mode) < 0 || write_all(fd, data, len) < 0 || fsync(fd) < 0 || rename(beside, path) < 0 ||
        sync_folder_of(path) < 0) {
        err_set(err, errno, "write %s", path);
        (void)unlink(beside);
        return -1;
    }
    return 0;
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
    _cleanup_free_ char *p = xstrdup(path);
    for (char *slash = p + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(p, 0755) < 0 && errno != EEXIST)
            return err_set(err, errno, "create directory %s", p);
        *slash = '/';
    }
    return mkdir(p, mode) < 0 && errno != EEXIST ? err_set(err, errno, "create directory %s", p) : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int tree_remove(const char *path, struct err *err)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
        return err_set(err, errno, "remove %s", path);
    return 0;
}
