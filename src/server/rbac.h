/* Role-based access control: the roles and bindings in the store, asked what somebody may do. Bindings are indexed by
 * subject; a role's rules are taken apart when they are first asked and kept as long as its version. */
#pragma once
#include "server/authn.h"
#include "server/policy.h"
#include "store/store.h"

struct rbac;

/* Follows the store until freed; not from inside a callback of the store. */
struct rbac *rbac_new(struct store *s);
void rbac_free(struct rbac *b);

/* One rule that somebody has, and where it is from. Borrowed. */
struct rbac_grant {
    const struct policy_rule *rule;
    const char *binding_ns, *binding; /* ns "": a ClusterRoleBinding */
    const char *role_kind, *role;
    const char *subject_kind, *subject; /* as the user or group that it stands for */
};

/* Visits the rules that hold for the user in the namespace ("": those of the cluster alone) until visit returns false.
 * Roles that are bound and missing are told in errors (array of texts; may be NULL). */
typedef bool rbac_visit_fn(void *arg, const struct rbac_grant *g);
void rbac_each(struct rbac *b, const struct user *u, const char *ns, rbac_visit_fn *visit, void *arg, json_t *errors);

/* The rules of a role; NULL when there is none. Borrowed until the store changes. ns "": a ClusterRole. */
const struct policy *rbac_role(struct rbac *b, const char *ns, const char *name);

/* Whether some rule allows it; then *ret_reason (may be NULL) says which, the caller frees. */
bool rbac_allows(struct rbac *b, const struct user *u, const struct action *a, char **ret_reason, json_t *errors);
