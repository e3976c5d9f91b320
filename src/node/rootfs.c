/* See rootfs.h. */
#include "node/rootfs.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "node/paths.h"
#include "node/sandbox.h"

#define MOUNT_DATA_MAX 4095 /* one page, with the NUL: the kernel's limit for mount options */

struct overlay {
    const char *dir;
    char *const *layers;
};

/* The layers' paths of a large image do not fit a page. So they get short names, links l/0, l/1…, and the mount is made
 * by a thread whose working directory is there. */
static int link_layers(const struct overlay *o, struct buf *lower, struct err *err)
{
    size_t n = 0;
    while (o->layers[n])
        n++;
    for (size_t i = n; i-- > 0;) { /* overlayfs wants the topmost first */
        _cleanup_free_ char *name = xasprintf("l/%zu", i);
        (void)unlink(name);
        if (symlink(o->layers[i], name) < 0)
            return err_set(err, errno, "link layer %s", o->layers[i]);
        buf_addf(lower, "%s%s", lower->len ? ":" : "", name);
    }
    return n ? 0 : err_set(err, 0, "the image has no layers");
}

static int mount_in_thread(void *arg, struct err *err)
{
    const struct overlay *o = arg;
    struct buf data = BUF_INIT(MOUNT_DATA_MAX), lower = BUF_INIT(MOUNT_DATA_MAX);
    int r = -1;
    if (unshare(CLONE_FS) < 0 || chdir(o->dir) < 0)
        err_set(err, errno, "enter %s", o->dir);
    else if (link_layers(o, &lower, err) == 0) {
        buf_addf(&data, "lowerdir=%s,upperdir=upper,workdir=work", buf_str(&lower));
        if (lower.overflowed || data.overflowed)
            err_set(err, 0, "the image has too many layers");
        else if (mount("overlay", "rootfs", "overlay", 0, buf_str(&data)) < 0)
            err_set(err, errno, "mount overlay at %s/rootfs", o->dir);
        else
            r = 0;
    }
    buf_done(&data);
    buf_done(&lower);
    return r;
}

int rootfs_mount(const char *dir, char *const *layers, struct err *err)
{
    static const char *const parts[] = {"upper", "work", "rootfs", "l"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, parts[i]);
        int r = make_dirs(path, 0755);
        if (r < 0)
            return err_set(err, -r, "create %s", path);
    }
    struct overlay o = {dir, layers};
    return run_in_fresh_thread(mount_in_thread, &o, err);
}

void rootfs_unmount(const char *dir)
{
    _cleanup_free_ char *path = xasprintf("%s/rootfs", dir);
    (void)umount2(path, MNT_DETACH);
}
