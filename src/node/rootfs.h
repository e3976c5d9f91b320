/* The file system of a container: overlayfs of the image's layers and a directory of its own. Blocking, any thread. */
#pragma once
#include "base/err.h"

/* layers: lowest first, NULL-terminated. dir: the container's; upper, work, and the mount point rootfs are made in it.
 */
int rootfs_mount(const char *dir, char *const *layers, struct err *err);
/* What the container wrote stays. A missing mount is fine. */
void rootfs_unmount(const char *dir);
