/* The image store from inside: one change of it, which becomes visible with its last step. */
#pragma once
#include "node/image.h"

struct image_change {
    const char *data_dir, *layout;
    const char *digest; /* what the registry calls it; NULL: it came out of a file */
    char *scratch;      /* DATA_DIR/images/tmp/N */
    json_t *refs;       /* reference -> {id, digest}, of what was stored */
};
/* Folders, lock, scratch. *ret_lock is the lock's fd. */
int image_change_begin(struct image_change *im, int *ret_lock, struct err *err);
/* Stores the images of im->layout. name: the reference of a single one; NULL: they are named inside. */
int image_store_layout(struct image_change *im, const char *name, struct err *err);
/* Publishes, if result is 0, and cleans up. Returns the result. */
int image_change_finish(struct image_change *im, int result, struct err *err);

/* reference -> {id, digest}. Changes want the lock. */
json_t *image_index_load(const char *data_dir, struct err *err);
int image_index_save(const char *data_dir, const json_t *index, struct err *err);

/* authfile: credentials, or NULL. */
int skopeo_copy(const char *from, const char *to, const char *authfile, struct err *err);
