/* What a directory takes of its disk, as `du` counts it. Blocking, any thread. */
#pragma once
#include <stdint.h>

struct disk_usage {
    int64_t bytes, inodes;
};
/* Adds a tree, without other file systems mounted in it; a missing one is nothing. */
void disk_usage_add(const char *tree, struct disk_usage *sum);
