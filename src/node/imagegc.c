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

int64_t image_gc_choose(struct gc_image *images, size_t n, int64_t used_bytes, int64_t capacity_bytes, int64_t now_usec)
{
    int64_t freed = 0, excess = used_bytes - capacity_bytes / 100 * IMAGE_GC_LOW_PERCENT;
    if (capacity_bytes <= 0 || used_bytes < capacity_bytes / 100 * IMAGE_GC_HIGH_PERCENT)
        return 0;
    qsort(images, n, sizeof(*images), longest_unused_first);
    for (size_t i = 0; i < n && freed < excess; i++) {
        struct gc_image *image = &images[i];
        image->doomed = !image->kept && now_usec - image->used_usec >= IMAGE_GC_AGE_USEC;
        freed += image->doomed ? image->size : 0;
    }
    return freed;
}

/* --- the machine --- */

struct collect_job {
    struct agent *agent;
    struct err err;
};

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

static void remove_doomed(const char *data_dir, const struct gc_image *images, size_t n, struct err *err)
{
    const char **refs = xcalloc(n + 1, sizeof(*refs));
    size_t doomed = 0;
    for (size_t i = 0; i < n; i++)
        if (images[i].doomed)
            refs[doomed++] = images[i].reference;
    if (image_remove(data_dir, refs, err) < 0)
        log_warn("images: %s", err->msg);
    else
        log_info("the disk is more than %d %% full: %zu images that nobody used are gone", IMAGE_GC_HIGH_PERCENT,
                 doomed);
    free(refs);
}

static void collect_work(void *arg)
{
    struct collect_job *j = arg;
    const struct node_paths *paths = &j->agent->paths;
    struct statvfs fs;
    struct map used = {0};
    if (statvfs(paths->data, &fs) < 0)
        return;
    int64_t unit = (int64_t)fs.f_frsize, capacity = (int64_t)fs.f_blocks * unit;
    int64_t in_use = capacity - (int64_t)fs.f_bavail * unit; /* what is set aside for root is not to be had */
    if (in_use < capacity / 100 * IMAGE_GC_HIGH_PERCENT)
        return;
    _cleanup_json_ json_t *list = image_list(paths->data, &j->err);
    read_used(paths->run, &used);
    struct gc_image *images = candidates(list, &used);
    if (image_gc_choose(images, json_array_size(list), in_use, capacity, clock_wall_usec()) > 0)
        remove_doomed(paths->data, images, json_array_size(list), &j->err);
    free(images);
    map_done(&used);
}

static void collect_done(void *arg)
{
    free(arg);
}

void images_collect(struct agent *a)
{
    struct collect_job *j = NEW(struct collect_job);
    j->agent = a;
    agent_job(a, collect_work, collect_done, j);
}
