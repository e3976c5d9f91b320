/* Whole files and trees. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* The whole file, NUL-terminated; NULL when it can't be read or is larger than max. The caller frees. */
char *file_read(const char *path, size_t max, size_t *ret_len, struct err *err);
/* Replaces the file in one step (write beside it, fsync, rename): after a crash it is the old one or the new one. */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *err);
/* rename, and the folder on the disk: after a crash it does not come back as it was. */
int file_replace(const char *from, const char *to, struct err *err);
/* mkdir -p. */
int dir_make(const char *path, mode_t mode, struct err *err);
/* rm -rf, without crossing into other file systems; a missing path is fine. */
int tree_remove(const char *path, struct err *err);
