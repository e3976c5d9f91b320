/* Taking images out of the store: references first, then whatever no reference leads to any more. See image.h. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"
#include "base/str.h"
#include "json/json.h"
#include "node/image_impl.h"

/* What is still referred to: manifests as "HEX.json", layers as "HEX". */
static int mark(const char *data_dir, const json_t *index, struct map *manifests, struct map *layers, struct err *err)
{
    const char *reference;
    json_t *entry;
    json_object_foreach((json_t *)index, reference, entry) {
        struct image image;
        if (image_lookup(data_dir, reference, &image, err) < 0)
            return -1;
        _cleanup_free_ char *name = xasprintf("%s.json", str_or(str_after(image.id, "sha256:"), image.id));
        (void)map_put(manifests, name, manifests);
        for (char **layer = image.layers; *layer; layer++)
            (void)map_put(layers, strrchr(*layer, '/') + 1, layers);
        image_done(&image);
    }
    return 0;
}

static void sweep(const char *data_dir, const char *folder, const struct map *kept)
{
    _cleanup_free_ char *dir = xasprintf("%s/images/%s", data_dir, folder);
    DIR *d = opendir(dir);
    struct err ignored;
    for (struct dirent *e; d && (e = readdir(d));) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' && !map_get(kept, e->d_name))
            (void)tree_remove(path, &ignored);
    }
    if (d)
        closedir(d);
}

static int remove_locked(const char *data_dir, const char *const *refs, struct err *err)
{
    struct map manifests = {0}, layers = {0};
    _cleanup_json_ json_t *index = image_index_load(data_dir, err);
    if (!index)
        return -1;
    for (; *refs; refs++)
        json_object_del(index, *refs);
    int r = mark(data_dir, index, &manifests, &layers, err) < 0 ? -1 : image_index_save(data_dir, index, err);
    if (r == 0) {
        sweep(data_dir, "manifests", &manifests);
        sweep(data_dir, "layers", &layers);
    }
    map_done(&manifests);
    map_done(&layers);
    return r;
}

int image_remove(const char *data_dir, const char *const *refs, struct err *err)
{
    _cleanup_free_ char *root = realpath(data_dir, NULL);
    struct image_change im = {.data_dir = root ? root : data_dir};
    _cleanup_close_ int lock = -1;
    int r = image_change_begin(&im, &lock, err) < 0 ? -1 : remove_locked(im.data_dir, refs, err);
    int ended = image_change_finish(&im, r, err);
    return r < 0 ? r : ended;
}
