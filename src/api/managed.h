/* metadata.managedFields: who set which fields (KEP-555; apimachinery pkg/util/managedfields). An object without it is
 * not tracked, until somebody applies: then all its fields belong to "before-first-apply". Pure. */
#pragma once
#include "kinds/kind.h"

#define MANAGER_NAME_MAX 128 /* upstream's limit for field managers */

/* Who writes. */
struct writer {
    const char *manager;
    const char *subresource; /* "" for the object itself */
    int64_t now_usec;        /* wall clock */
};

/* The list after an ordinary write: what the writer has added or changed is its own, nobody owns what is gone. doc may
 * carry a list of its own in which the client has changed something; one item that is empty takes all of them away. old
 * NULL: created. Borrows; a new reference, or NULL for none. */
json_t *managed_update(const struct kind *k, const json_t *old, const json_t *doc, const struct writer *w);

/* A version that differs from the old one in nothing but times of the list gets those of the old one: it is no change.
 */
void managed_keep_times(json_t *doc, const json_t *old);

/* The document after server-side apply of config, metadata.managedFields included and decoded, but without defaults;
 * equal to live when nothing changes. live NULL: created. Borrows; a new reference, or NULL and the Status that says
 * why not. */
json_t *managed_apply(const struct kind *k, const json_t *live, const json_t *config, const struct writer *w,
                      bool force, json_t **ret_status);
