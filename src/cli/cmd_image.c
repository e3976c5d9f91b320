/* c8s image import, c8s image ls: images without a registry. */
#include <stdio.h>

#include "base/file.h"
#include "cli/commands.h"
#include "json/json.h"
#include "node/image.h"

struct image_options {
    const char *data_dir, *name;
};
static const struct image_options defaults = {.data_dir = DATA_DIR_DEFAULT};

static int fail(const char *command, const struct err *err)
{
    fprintf(stderr, "c8s image %s: %s\n", command, err->msg);
    return 1;
}

static int import(const void *options, char **args)
{
    const struct image_options *o = options;
    struct err err;
    char **refs;
    if (dir_make(o->data_dir, 0755, &err) < 0 || image_import(o->data_dir, args[0], o->name, &refs, &err) < 0)
        return fail("import", &err);
    for (char **ref = refs; *ref; ref++)
        puts(*ref);
    free(refs);
    return 0;
}

static int ls(const void *options, char **args)
{
    const struct image_options *o = options;
    struct err err;
    (void)args;
    _cleanup_json_ json_t *list = image_list(o->data_dir, &err);
    if (!list)
        return fail("ls", &err);
    size_t i;
    json_t *image;
    printf("%-50s %-14s %s\n", "REFERENCE", "ID", "SIZE");
    json_array_foreach(list, i, image)
        printf("%-50s %.12s   %.1f MB\n", jstr(image, "reference"), jstr(image, "id") + sizeof("sha256:") - 1,
               (double)jint(image, "size", 0) / 1e6);
    return 0;
}

#define DATA_DIR_OPT                                                                                                   \
    {                                                                                                                  \
        "data-dir", "DIR", OPT_STR, offsetof(struct image_options, data_dir), 0, 0, "where the cluster keeps its data" \
    }
static const struct opt import_opts[] = {
    DATA_DIR_OPT,
    {"name", "REF", OPT_STR, offsetof(struct image_options, name), 0, 0, "reference to give the image"},
    {0},
};
static const struct opt ls_opts[] = {DATA_DIR_OPT, {0}};

const struct command command_image_import = {
    .name = "image import",
    .arguments = "FILE",
    .summary = "Makes the images of a docker-archive, OCI archive or OCI layout known to every node.",
    .opts = import_opts,
    .min_args = 1,
    .max_args = 1,
    .run = import,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
const struct command command_image_ls = {
    .name = "image ls",
    .arguments = "",
    .summary = "Lists the images.",
    .opts = ls_opts,
    .run = ls,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
