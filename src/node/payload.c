/* See payload.h. */
#include "node/payload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"
#include "node/paths.h"

struct payload_file {
    char *path;
    void *bytes;
    size_t len;
    unsigned mode;
    int64_t uid;
};

static bool is_plain_path(const char *path)
{
    _cleanup_free_ char **parts = str_split(path, '/', NULL);
    for (char **part = parts; *part; part++)
        if (!**part || streq(*part, ".") || streq(*part, ".."))
            return false;
    return true;
}

int payload_add(struct payload *p, const char *path, const void *bytes, size_t len, unsigned mode, struct err *err)
{
    if (!is_plain_path(path))
        return err_set(err, 0, "invalid path %s", path);
    p->files = xrealloc(p->files, (p->n + 1) * sizeof(*p->files));
    p->files[p->n++] = (struct payload_file){
        .path = xstrdup(path), .bytes = xmemdup(len ? bytes : "", len ? len : 1), .len = len, .mode = mode & 0777};
    return 0;
}

void payload_own(struct payload *p, int64_t uid)
{
    p->files[p->n - 1].uid = uid;
}

void payload_done(struct payload *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->files[i].path);
        free(p->files[i].bytes);
    }
    free(p->files);
    *p = (struct payload){0};
}

/* The name of the set's directory: equal sets have equal names. */
static char *set_name(const struct payload *p, int64_t gid)
{
    uint64_t h = (uint64_t)gid;
    for (size_t i = 0; i < p->n; i++) {
        const struct payload_file *f = &p->files[i];
        h = h * 31 + hash_bytes(f->path, strlen(f->path));
        h = h * 31 + hash_bytes(f->bytes, f->len);
        h = h * 31 + f->mode;
        h = h * 31 + (uint64_t)f->uid;
    }
    return xasprintf("..%016llx", (unsigned long long)h);
}

static int write_files(const struct payload *p, const char *set, int64_t gid)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct payload_file *f = &p->files[i];
        _cleanup_free_ char *path = xasprintf("%s/%s", set, f->path);
        _cleanup_free_ char *parent = xstrdup(path);
        *strrchr(parent, '/') = '\0';
        unsigned mode = gid >= 0 ? f->mode | ((f->mode & 0400) >> 3) : f->mode;
        int r = make_dirs(parent, 0755);
        r = r < 0 ? r : write_file_atomically(path, f->bytes, f->len, mode);
        if (r < 0)
            return r;
        if (gid >= 0 || f->uid)
            (void)!chown(path, (uid_t)f->uid, (gid_t)gid);
    }
    return 0;
}

/* Points dir/..data to the set in one step. */
static int switch_data(const char *dir, const char *set)
{
    _cleanup_free_ char *tmp = xasprintf("%s/..data_tmp", dir), *data = xasprintf("%s/..data", dir);
    (void)unlink(tmp);
    return symlink(set, tmp) < 0 || rename(tmp, data) < 0 ? -errno : 0;
}

static bool has_top(const struct payload *p, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < p->n; i++)
        if (strncmp(p->files[i].path, name, len) == 0 && (p->files[i].path[len] == '/' || !p->files[i].path[len]))
            return true;
    return false;
}

static void link_tops(const struct payload *p, const char *dir)
{
    for (size_t i = 0; i < p->n; i++) {
        _cleanup_free_ char *top = xstrdup(p->files[i].path);
        top[strcspn(top, "/")] = '\0';
        _cleanup_free_ char *link = xasprintf("%s/%s", dir, top), *target = xasprintf("..data/%s", top);
        (void)!symlink(target, link);
    }
}

/* Drops links to what is no more, and older sets. */
static void sweep(const struct payload *p, const char *dir, const char *set)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, e->d_name);
        bool is_set = e->d_name[0] == '.' && e->d_name[1] == '.' && e->d_name[2] && !streq(e->d_name, "..data");
        if (is_set && !streq(e->d_name, set))
            remove_tree(path);
        else if (e->d_name[0] != '.' && !has_top(p, e->d_name))
            (void)unlink(path);
    }
    if (d)
        closedir(d);
}

int payload_write(const struct payload *p, const char *dir, int64_t gid, struct err *err)
{
    _cleanup_free_ char *name = set_name(p, gid);
    _cleanup_free_ char *set = xasprintf("%s/%s", dir, name), *data = xasprintf("%s/..data", dir);
    char now[64];
    ssize_t len = readlink(data, now, sizeof(now) - 1);
    now[len > 0 ? len : 0] = '\0';
    if (streq(now, name))
        return 0;
    remove_tree(set); /* the rest of an attempt that was interrupted */
    int r = make_dirs(set, 0755);
    r = r < 0 ? r : write_files(p, set, gid);
    r = r < 0 ? r : switch_data(dir, name);
    if (r < 0)
        return err_set(err, -r, "write %s", dir);
    link_tops(p, dir);
    sweep(p, dir, name);
    return 0;
}
