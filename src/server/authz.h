/* Who may do what: those who may do everything, nodes by what runs on them, everybody else by the roles they are given.
 */
#pragma once
#include <jansson.h>

#include "server/authn.h"
#include "server/policy.h"

struct server;

/* *ret_reason (may be NULL): why so, or NULL; the caller frees. */
bool authorized(struct server *s, const struct user *u, const struct action *a, char **ret_reason);
/* The 403 Status that says what was not allowed; reason may be NULL. New reference. */
json_t *forbidden_status(const struct user *u, const struct action *a, const char *reason);

/* The name behind "system:node:", for members of system:nodes; otherwise NULL. */
const char *node_of_user(const struct user *u);
/* What a node may do by being that node; authz_node.c. *ret_why: why not, where there is more to say; the caller frees.
 */
bool node_allows(const struct server *s, const char *node, const struct action *a, char **ret_why);
