/* ValidatingAdmissionPolicies: asked about everything that is going to be written or deleted. */
#pragma once
#include "server/write.h"

struct policies; /* compiled ones, by name */
struct policies *policies_new(void);
void policies_free(struct policies *p);

/* The Status that refuses it, or NULL. doc NULL: deleted; old NULL: created. Documents are as they are kept; warnings
 * go to the request. */
json_t *policies_decide(struct request *r, const char *operation, const json_t *doc, const json_t *old);
