/* See imagegc.h, and agent_impl.h for the part that looks and deletes. Imported images are never deleted: nobody could
 * pull them again. */
#define LOG_AREA "node"
#include "node/imagegc.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/image.h"

#define RECORD_MAX 16384

/* --- the choice --- */

static int longest_unused_first(const void *a, const void *b)
{
    const struct gc_image *x = a, *y = b;
    return x->used_usec < y->used_usec ? -1 : x->used_usec > y->used_usec;
}

int64_t image_gc_excess(int64_t used_bytes, int64_t capacity_bytes)
{
    bool full = capacity_bytes > 0 && used_bytes >= capacity_bytes / 100 * IMAGE_GC_HIGH_PERCENT;
    return full ? used_bytes - capacity_bytes / 100 * IMAGE_GC_LOW_PERCENT : 0;
}

int64_t image_gc_choose(struct gc_image *images, size_t n, int64_t excess_bytes, int64_t now_usec)
{
    int64_t freed = 0;
    qsort(images, n, sizeof(*images), longest_unused_first);
    for (size_t i = 0; i < n && freed < excess_bytes; i++) {
        struct gc_image *image = &images[i];
        image->doomed = !image->kept && now_usec - image->used_usec >= IMAGE_GC_AGE_USEC;
        freed += image->doomed ? image->size : 0;
    }
    return freed;
}

/* --- the machine --- */

/* imageIDs of every container that any node here keeps, running or not. */
static void read_used(const char *run, struct map *used)
{
    glob_t found = {0};
    _cleanup_free_ char *pattern = xasprintf("%s/../*/pods/*/containers/*/record.json", run);
    (void)glob(pattern, GLOB_NOSORT, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct err ignored;
        _cleanup_free_ char *text = read_small_file(found.gl_pathv[i], RECORD_MAX);
        _cleanup_json_ json_t *record = text ? jparse(text, strlen(text), &ignored) : NULL;
        if (record)
            (void)map_put(used, jstr_or(record, "imageID", ""), used);
    }
    globfree(&found);
}

static struct gc_image *candidates(const json_t *list, const struct map *used)
{
    struct gc_image *images = xcalloc(json_array_size(list) + 1, sizeof(*images));
    size_t i;
    json_t *image;
    json_array_foreach((json_t *)list, i, image) {
        const char *repo_digest = jstr(image, "repoDigest");
        images[i] = (struct gc_image){.reference = jstr_or(image, "reference", ""),
                                      .size = jint(image, "size", 0),
                                      .used_usec = jint(image, "usedUsec", 0),
                                      .kept = !repo_digest || map_get(used, repo_digest)};
    }
    return images;
}

static void remove_doomed(const char *data_dir, const struct gc_image *images, size_t n)
{
    struct err err;
    const char **refs = xcalloc(n + 1, sizeof(*refs));
    size_t doomed = 0;
    for (size_t i = 0; i < n; i++)
        if (images[i].doomed)
            refs[doomed++] = images[i].reference;
    if (image_remove(data_dir, refs, &err) < 0)
        log_warn("images: %s", err.msg);
    else
        log_info("the disk is full: %zu images that nobody used are gone", doomed);
    free(refs);
}

void images_free(const struct node_paths *paths, int64_t excess_bytes)
{
    struct err err;
    struct map used = {0};
    _cleanup_json_ json_t *list = image_list(paths->data, &err);
    read_used(paths->run, &used);
    struct gc_image *images = candidates(list, &used);
    if (image_gc_choose(images, json_array_size(list), excess_bytes, clock_wall_usec()) > 0)
        remove_doomed(paths->data, images, json_array_size(list));
    free(images);
    map_done(&used);
}

static void collect_work(void *arg)
{
    const struct agent *a = arg;
    struct statvfs fs;
    if (statvfs(a->paths.data, &fs) < 0)
        return;
    int64_t unit = (int64_t)fs.f_frsize, capacity = (int64_t)fs.f_blocks * unit;
    int64_t in_use = capacity - (int64_t)fs.f_bavail * unit; /* what is set aside for root is not to be had */
    int64_t excess = image_gc_excess(in_use, capacity);
    if (excess > 0)
        images_free(&a->paths, excess);
}

static void collect_done(void *arg)
{
    (void)arg;
}

void images_collect(struct agent *a)
{
    agent_job(a, collect_work, collect_done, a);
}
