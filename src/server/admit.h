/* Admission: what stands between a decoded object and the decision to write it. The plug-ins are rows of two tables in
 * admit.c; those of more than a few lines have a file each. */
#pragma once
#include "server/write.h"

struct admission {
    struct server *server;
    struct request *request; /* what this is a part of */
    const struct kind *kind;
    json_t *doc;       /* changed by the plug-ins of the first table */
    const json_t *old; /* NULL: created */
    enum update_part part;
    const struct user *user; /* who asks */
    json_t **warnings;       /* array of texts, or NULL until there is one */
};

/* Returns the Status that refuses the object, or NULL. */
typedef json_t *admit_fn(const struct admission *a);

/* `pods "x" is forbidden: WHY`. */
json_t *admission_forbidden(const struct admission *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *admission_namespace(const struct admission *a);

admit_fn admit_runtime_class;                          /* admit_runtimeclass.c */
admit_fn admit_priority, admit_default_priority;       /* admit_priority.c */
admit_fn admit_quota;                                  /* admit_quota.c */
admit_fn admit_node, admit_node_lease, admit_node_pod; /* admit_node.c */
admit_fn admit_csr_changes, admit_csr;                 /* admit_csr.c */
admit_fn admit_role, admit_binding;                    /* admit_roles.c */
admit_fn admit_limit_defaults, admit_limits;           /* admit_limits.c */
admit_fn admit_pod_security, admit_template_security;  /* admit_security.c */
admit_fn admit_storage_protection, admit_claim_resize; /* admit_storage.c */
