/* One image layer from its archive into a directory, in the form overlayfs wants: whiteouts become character devices
 * 0:0, opaque directories get trusted.overlay.opaque. */
#pragma once
#include <stdint.h>

#include "base/err.h"

#define LAYER_BYTES_MAX (20LL << 30) /* against archives that unpack without end */
#define LAYER_ENTRIES_MAX 2000000

/* Any tar, plain, gzip, zstd, xz or bzip2. dir exists and is empty. Entries cannot leave it. *ret_bytes: of all files.
 */
int layer_unpack(const char *archive, const char *dir, int64_t *ret_bytes, struct err *err);
/* Unpacks an archive of plain files (an image archive, not a layer): directories and regular files only. */
int archive_unpack_files(const char *archive, const char *dir, struct err *err);
/* Does the archive have a member of this name? 1, 0, or -1 when it can't be read as an archive. */
int archive_has(const char *archive, const char *member, struct err *err);
