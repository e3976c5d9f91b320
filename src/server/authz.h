/* Who may do what: one table of rules. Pure. */
#pragma once
#include <jansson.h>

#include "server/authn.h"
#include "server/request.h"

/* path: the whole path, for requests that are not about a resource. */
bool authorized(const struct user *u, unsigned verb, const struct request_path *what, const char *path);
/* The 403 Status that says what was not allowed. New reference. */
json_t *forbidden_status(const struct user *u, unsigned verb, const char *method, const struct request_path *what,
                         const char *path);
