/* Asking webhooks about a request that is about to be decided. */
#pragma once
#include "server/webhook_match.h"
#include "server/write.h"

/* Nobody objects. doc: what the webhooks have made of it, to be decided anew, since everything else may have changed
 * meanwhile; taken; NULL for a deletion. seen_rv: the version they were asked about; 0 for a creation. */
typedef void webhooks_resume_fn(struct request *r, json_t *doc, uint64_t seen_rv, enum update_part part);

/* doc: defaulted and through the first half of admission, borrowed; NULL for a deletion. old: NULL for a creation.
 * Returns whether anybody is asked: then the request is answered from here, or resumed, later. */
bool webhooks_ask(struct request *r, const char *operation, json_t *doc, struct object *old, enum update_part part,
                  webhooks_resume_fn *resume);
/* The same about what a request carries beside the object it acts on. doc is borrowed; what becomes of it goes to
 * resume() and is not decided on here. */
bool webhooks_ask_about(struct request *r, const char *operation, const struct webhook_type *type, const json_t *doc,
                        webhooks_resume_fn *resume);
/* Whether there are webhooks at all. */
bool webhooks_any(const struct server *s);
/* The server goes: nobody is waited for any more. */
void webhooks_done(struct server *s);
