/* What a restarted agent must know about a container and cannot ask anybody: one small file beside each container's
 * bundle, RUN_DIR/nodes/NODE/pods/UID/containers/CID/record.json. Written before the container exists, again once it
 * runs. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "node/paths.h"
#include "node/runtime.h"

struct record {
    char cid[CID_SIZE];
    char *container, *image, *image_id;
    int attempt; /* restartCount */
    int stop_signal;
    pid_t pid;          /* 0: it was created at most, never started */
    uint64_t pid_start; /* process_start_time() */
    int64_t started_usec;
};

char *record_dir(const struct node_paths *p, const char *uid, const char *cid); /* the bundle; the caller frees */
int record_write(const struct node_paths *p, const char *uid, const struct record *r, struct err *err);
/* All records of a pod, oldest attempt first. The caller frees with records_free(). */
struct record *records_read(const struct node_paths *p, const char *uid, size_t *ret_n);
void records_free(struct record *records, size_t n);
