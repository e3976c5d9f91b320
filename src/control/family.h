/* Controllers and the pods that are theirs: which pods those are, who is concerned by a pod, and pods made from a
 * template. For the controllers whose selector is a LabelSelector and whose pods are not just a number. */
#pragma once
#include "client/controller.h"
#include "control/podstate.h"

struct family {
    const struct kind *kind; /* of the owners */
    struct informer *owners, *pods;
    int pods_by_controller, pod_digest;
};
struct member {
    struct object *pod; /* borrowed from the informer */
    const struct pod_state *state;
};

void family_start(struct family *f, struct controller *c, const struct kind *kind);
/* Enqueues the pod's owner; of an orphan those that would take it. */
void family_map_pod(const struct family *f, struct controller *c, struct object *pod);
void family_map_doc(const struct family *f, struct controller *c, const json_t *pod);
/* All pods of this owner, finished ones too. Orphans that the selector matches (and that may_take, if given, agrees to)
 * are adopted, own ones that it no longer matches are let go, unless the owner is being deleted. The caller frees. */
typedef bool may_take_fn(const json_t *owner, const struct object *pod);
struct member *family_claim(const struct family *f, struct controller *c, const json_t *owner, may_take_fn *may_take,
                            size_t *ret_n);
const char *member_label(const struct member *m, const char *key); /* NULL when missing */
/* "Created pod: x" and its like on the owner, as every workload controller says it. */
void family_answered(const struct family *f, struct controller *c, const char *ns, const char *name,
                     const struct controller_call *call, int code, const json_t *body);
void family_delete_pod(struct controller *c, const struct object *pod);

/* A pod with the template's labels, annotations, finalizers and spec, owned by `owner`, without a name. */
json_t *pod_from_template(const json_t *owner, const json_t *template);
