/* See diskusage.h. */
#include "node/diskusage.h"

#include <ftw.h>
#include <stddef.h>
#include <sys/stat.h>

#define OPEN_DIRS_MAX 16
#define BLOCK_BYTES 512 /* of st_blocks, whatever the file system */

static __thread struct disk_usage *sum_of_walk; /* nftw() hands nothing on */

static int add_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)path, (void)at;
    if (type == FTW_NS)
        return 0;
    sum_of_walk->bytes += (int64_t)st->st_blocks * BLOCK_BYTES;
    sum_of_walk->inodes++;
    return 0;
}

void disk_usage_add(const char *tree, struct disk_usage *sum)
{
    sum_of_walk = sum;
    (void)nftw(tree, add_one, OPEN_DIRS_MAX, FTW_PHYS | FTW_MOUNT);
    sum_of_walk = NULL;
}
