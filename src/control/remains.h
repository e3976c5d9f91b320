/* What a terminating namespace still waits for, as conditions of its status. Pure. */
#pragma once
#include <jansson.h>

#include "kinds/kind.h"

struct remains {
    json_t *kinds;      /* "pods." -> number of objects; NULL: none */
    json_t *finalizers; /* name -> number of objects */
};

void remains_done(struct remains *r);
/* One object that is left. */
void remains_add(struct remains *r, const struct kind *k, const json_t *doc);
/* The status that ns should have; failure: why deletions were refused, or NULL. New reference. */
json_t *remains_status(const struct remains *r, const json_t *ns, const char *failure, int64_t now_usec);
