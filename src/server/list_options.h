/* Which revision a list is of and where its page begins: ?limit= ?continue= ?resourceVersion= ?resourceVersionMatch=,
 * with upstream's rules (apimachinery ValidateListOptions, apiserver storage.ValidateListOptions and continue.go). */
#pragma once
#include "server/pipeline.h"

struct list_options {
    uint64_t rv;            /* of the snapshot */
    size_t limit;           /* 0: none */
    char *after_ns, *after; /* the last object of the page before; NULL: from the start */
};

/* NULL, or the Status to answer: 400, 410 Expired, 422 or 504. */
json_t *list_options_parse(const struct request *r, struct list_options *ret);
void list_options_done(struct list_options *o);
/* The token that goes on behind `last`; the caller frees. */
char *continue_token(uint64_t rv, const struct object *last);

/* What a GET or a watch may ask for in ?resourceVersion=: a number (0 when absent) that is not still to come. */
json_t *check_revision(const struct request *r, uint64_t *ret_rv);
