/* See image_layer.h. libarchive does the formats; the policy (what may be written where) is here. */
#include "node/image_layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/str.h"

#define BLOCK_SIZE (128 << 10)
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

static void close_reader(struct archive **a)
{
    archive_read_free(*a);
}
static void close_writer(struct archive **a)
{
    archive_write_free(*a);
}

static struct archive *open_reader(const char *path, struct err *err)
{
    struct archive *a = archive_read_new();
    archive_read_support_filter_all(a);
    archive_read_support_format_tar(a);
    archive_read_support_format_empty(a);
    if (archive_read_open_filename(a, path, BLOCK_SIZE) == ARCHIVE_OK)
        return a;
    err_set(err, 0, "%s: %s", path, archive_error_string(a));
    archive_read_free(a);
    return NULL;
}

/* The member's path below the root, without leading "/" and "./"; NULL when it has "..". */
static const char *safe_path(const char *path)
{
    for (;;) {
        if (path[0] == '/')
            path++;
        else if (path[0] == '.' && (path[1] == '/' || !path[1]))
            path++;
        else
            break;
    }
    for (const char *p = path; (p = strstr(p, "..")); p += 2)
        if ((p == path || p[-1] == '/') && (!p[2] || p[2] == '/'))
            return NULL;
    return path;
}

/* Handles the member if it is a whiteout: 1 done, 0 is none, -1 failed. */
static int whiteout(const char *dir, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *hidden = str_after(name, WHITEOUT);
    int parent = (int)(name - path);
    if (!hidden)
        return 0;
    if (streq(name, OPAQUE)) {
        _cleanup_free_ char *where = xasprintf("%s/%.*s", dir, parent, path);
        return setxattr(where, "trusted.overlay.opaque", "y", 1, 0) < 0 ? err_set(err, errno, "mark %s opaque", where)
                                                                        : 1;
    }
    _cleanup_free_ char *where = xasprintf("%s/%.*s%s", dir, parent, path, hidden);
    return mknod(where, S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST ? err_set(err, errno, "white out %s", where) : 1;
}

static int copy_data(struct archive *from, struct archive *to, int64_t *bytes, struct err *err)
{
    const void *block;
    size_t size;
    int64_t offset;
    int r;
    while ((r = archive_read_data_block(from, &block, &size, &offset)) == ARCHIVE_OK) {
        *bytes += (int64_t)size;
        if (*bytes > LAYER_BYTES_MAX)
            return err_set(err, 0, "unpacks to more than %lld GiB", LAYER_BYTES_MAX >> 30);
        if (archive_write_data_block(to, block, size, offset) < ARCHIVE_WARN)
            return err_set(err, 0, "%s", archive_error_string(to));
    }
    return r == ARCHIVE_EOF ? 0 : err_set(err, 0, "%s", archive_error_string(from));
}

/* Writes one member below dir. */
static int extract(struct archive *from, struct archive *to, struct archive_entry *entry, const char *dir, bool layer,
                   int64_t *bytes, struct err *err)
{
    const char *path = safe_path(archive_entry_pathname(entry));
    const char *link = archive_entry_hardlink(entry);
    if (!path || (link && !safe_path(link)))
        return err_set(err, 0, "member \"%s\" leads out of the archive", archive_entry_pathname(entry));
    if (!*path)
        return 0;
    int hidden = layer ? whiteout(dir, path, err) : 0;
    if (hidden)
        return hidden < 0 ? -1 : 0;
    if (!layer && archive_entry_filetype(entry) != AE_IFREG && archive_entry_filetype(entry) != AE_IFDIR)
        return 0;
    _cleanup_free_ char *full = xasprintf("%s/%s", dir, path);
    archive_entry_set_pathname(entry, full);
    if (link) {
        _cleanup_free_ char *full_link = xasprintf("%s/%s", dir, safe_path(link));
        archive_entry_set_hardlink(entry, full_link);
    }
    if (archive_write_header(to, entry) < ARCHIVE_WARN)
        return err_set(err, 0, "%s", archive_error_string(to));
    if (archive_entry_size(entry) > 0 && !link && copy_data(from, to, bytes, err) < 0)
        return -1;
    return archive_write_finish_entry(to) < ARCHIVE_WARN ? err_set(err, 0, "%s", archive_error_string(to)) : 0;
}

static int unpack(const char *path, const char *dir, bool layer, int64_t *bytes, struct err *err)
{
    _cleanup_(close_reader) struct archive *from = open_reader(path, err);
    _cleanup_(close_writer) struct archive *to = archive_write_disk_new();
    int flags = ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_TIME;
    if (layer)
        flags |= ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_ACL;
    archive_write_disk_set_options(to, flags);
    struct archive_entry *entry;
    int r = ARCHIVE_EOF;
    *bytes = 0;
    for (int64_t n = 0; from && (r = archive_read_next_header(from, &entry)) == ARCHIVE_OK; n++) {
        if (n == LAYER_ENTRIES_MAX)
            return err_set(err, 0, "%s: more than %d members", path, LAYER_ENTRIES_MAX);
        if (extract(from, to, entry, dir, layer, bytes, err) < 0)
            return err_wrap(err, "unpack %s", path);
    }
    if (!from)
        return -1;
    if (r != ARCHIVE_EOF)
        return err_set(err, 0, "unpack %s: %s", path, archive_error_string(from));
    return archive_write_close(to) < ARCHIVE_WARN ? err_set(err, 0, "unpack %s: %s", path, archive_error_string(to))
                                                  : 0;
}

int layer_unpack(const char *archive, const char *dir, int64_t *ret_bytes, struct err *err)
{
    return unpack(archive, dir, true, ret_bytes, err);
}

int archive_unpack_files(const char *archive, const char *dir, struct err *err)
{
    int64_t bytes;
    return unpack(archive, dir, false, &bytes, err);
}

int archive_has(const char *archive, const char *member, struct err *err)
{
    _cleanup_(close_reader) struct archive *a = open_reader(archive, err);
    struct archive_entry *entry;
    if (!a)
        return -1;
    int r;
    while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
        const char *path = safe_path(archive_entry_pathname(entry));
        if (path && streq(path, member))
            return 1;
    }
    return r == ARCHIVE_EOF ? 0 : err_set(err, 0, "%s: %s", archive, archive_error_string(a));
}
