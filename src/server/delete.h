/* What DELETE and evictions share. */
#pragma once
#include "server/write.h"

#define GRACE_UNSET (-1)

struct delete_options {
    int64_t grace_seconds;   /* GRACE_UNSET: the object's own */
    const char *propagation; /* "" unless Orphan, Foreground or Background was asked for */
    const char *uid, *rv;    /* preconditions; "" for none */
    bool dry_run;
    json_t *storage; /* what the texts point into */
};

/* DeleteOptions in the body (NULL: none); single parameters of the query stand in for what the body does not say.
 * Returns NULL or what is wrong. */
json_t *delete_options_read(const struct request *r, const json_t *body, struct delete_options *ret);
void delete_options_done(struct delete_options *o);

/* Deletes the request's object and answers; reply NULL: as DELETE does. condition: one more for .status.conditions of
 * what lives on for a while; NULL for none, borrowed. */
void delete_object(struct request *r, const struct delete_options *o, const json_t *condition, reply_fn *reply);
