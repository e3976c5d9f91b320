/* The roles and bindings that every cluster has. */
#pragma once
#include <stddef.h>

/* A rule of a ClusterRole, or of a Role where ns is not NULL; rows of one role stand together. Lists are separated by
 * blanks; "core" is the group "". */
struct default_rule {
    const char *ns, *role;
    const char *verbs, *groups, *resources;
    const char *names; /* NULL: all */
    const char *paths; /* instead of groups and resources */
};

struct default_label {
    const char *role;      /* a ClusterRole */
    const char *aggregate; /* it carries aggregate-to-THIS; NULL: it does not */
    const char *collects;  /* its rules are those of ClusterRoles with aggregate-to-THIS; NULL: they are its own */
};

/* A ClusterRoleBinding to the ClusterRole of its name, or a RoleBinding to the Role of its name. */
struct default_binding {
    const char *ns, *name;
    const char *role;           /* NULL: the binding's name */
    const char *kind, *subject; /* "User", "Group", or "ServiceAccount" of kube-system; NULL: nobody yet */
};

extern const struct default_rule default_rules[];
extern const size_t n_default_rules;
extern const struct default_label default_labels[];
extern const size_t n_default_labels;
extern const struct default_binding default_bindings[];
extern const size_t n_default_bindings;
