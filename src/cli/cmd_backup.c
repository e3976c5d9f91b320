/* c8s backup, c8s restore: the cluster's objects, certificates and keys in one file. */
#include <stdio.h>

#include "cli/commands.h"
#include "store/backup.h"

struct backup_options {
    const char *data_dir;
};
static const struct backup_options defaults = {.data_dir = DATA_DIR_DEFAULT};

/* What is not made again by itself; images and volumes are not in a backup. */
static const char *const dirs[] = {"pki", NULL};

static int fail(const char *command, const struct err *err)
{
    fprintf(stderr, "c8s %s: %s\n", command, err->msg);
    return 1;
}

static int backup(const void *options, char **args)
{
    const struct backup_options *o = options;
    struct err err;
    if (backup_make(o->data_dir, dirs, args[0], &err) < 0)
        return fail("backup", &err);
    printf("%s holds the cluster of %s: its objects, Secrets among them, and its keys\n", args[0], o->data_dir);
    return 0;
}

static int restore(const void *options, char **args)
{
    const struct backup_options *o = options;
    struct err err;
    if (backup_restore(args[0], o->data_dir, dirs, &err) < 0)
        return fail("restore", &err);
    printf("%s is what the backup held; `c8s up --data-dir %s` goes on from there\n", o->data_dir, o->data_dir);
    return 0;
}

static const struct opt opts[] = {
    {"data-dir", "DIR", OPT_STR, offsetof(struct backup_options, data_dir), 0, 0,
     "where the cluster keeps its data (" DATA_DIR_DEFAULT ")"},
    {0},
};
const struct command command_backup = {
    .name = "backup",
    .arguments = "FILE",
    .summary = "Writes objects, certificates and keys into one file, also while the cluster runs.",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .run = backup,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
const struct command command_restore = {
    .name = "restore",
    .arguments = "FILE",
    .summary = "Puts a backup in the place of a stopped cluster's state; the old database stays as state.db.old.",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .run = restore,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
