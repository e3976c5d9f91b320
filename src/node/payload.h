/* A set of files that appears in a directory all at once: each is a link into ..data, which is a link to the directory
 * of the newest complete set (upstream: pkg/volume/util/atomic_writer.go). Blocking, any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct payload {
    struct payload_file *files;
    size_t n;
};

/* path: relative, without "..". Copies. */
int payload_add(struct payload *p, const char *path, const void *bytes, size_t len, unsigned mode, struct err *err);
/* The file added last belongs to this user instead of root. */
void payload_own(struct payload *p, int64_t uid);
/* Does nothing when dir holds this already. gid -1: leave the group. */
int payload_write(const struct payload *p, const char *dir, int64_t gid, struct err *err);
void payload_done(struct payload *p);
