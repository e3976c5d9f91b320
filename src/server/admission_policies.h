/* ValidatingAdmissionPolicies: asked about everything that is going to be written or deleted. */
#pragma once
#include "server/webhook_match.h"
#include "server/write.h"

struct policies; /* compiled ones, by name */
struct policies *policies_new(void);
void policies_free(struct policies *p);

/* Whether there is any that could be asked. */
bool policies_any(const struct server *s);
/* The Status that refuses it, or NULL. doc NULL: deleted; old NULL: created. Documents are as they are kept; warnings
 * go to the request. */
json_t *policies_decide(struct request *r, const char *operation, const json_t *doc, const json_t *old);
/* The same for what acts on an object without being a version of it: a Binding, PodExecOptions. */
json_t *policies_decide_about(struct request *r, const char *operation, const struct webhook_type *type,
                              const json_t *doc);
