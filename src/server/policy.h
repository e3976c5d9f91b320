/* Rules of roles, taken apart, and questions put to them. Pure. Rules: pkg/apis/rbac/v1/evaluation_helpers.go. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* What somebody wants to do. Texts are "" where absent, never NULL. */
struct action {
    const char *verb; /* "list", also those that are no method: "bind", "impersonate" */
    bool is_resource;
    const char *group, *resource, *subresource, *ns, *name; /* of a resource */
    const char *fields;                                     /* its field selector, as text */
    const char *path;                                       /* otherwise */
};

/* Lists end with NULL. */
struct policy_rule {
    const char **verbs, **groups, **resources, **names, **urls;
};

/* One allocation. */
struct policy {
    size_t n;
    struct policy_rule rules[];
};

/* From the rules of a Role or ClusterRole; what is no rule allows nothing. The caller frees. */
struct policy *policy_new(const json_t *rules);

bool rule_allows(const struct policy_rule *r, const struct action *a);

/* Takes a rule to pieces: every single right in it, as a question. Stops when visit returns false. */
typedef bool policy_visit_fn(void *arg, const struct action *right);
void rule_each_right(const struct policy_rule *r, policy_visit_fn *visit, void *arg);

/* A right as upstream prints rules, but with several verbs: {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]};
 * verbs is what stands between the last brackets. */
void right_print(struct buf *out, const struct action *right, const char *verbs);
