/* Objects of a CustomResourceDefinition in another version of it, where that is for a webhook to say
 * (kind->conversion). Upstream: apiextensions-apiserver pkg/apiserver/conversion. */
#pragma once
#include "server/write.h"

struct conversion;
/* docs: the same objects in the same order, in the version asked for; borrowed. NULL: status says why; taken. */
typedef void conversion_fn(void *arg, json_t *docs, json_t *status);
/* docs: an array, taken; those that are in the version already stay as they are, but one is not. Never calls back
 * before it has returned. */
struct conversion *conversion_start(struct server *s, const struct kind *to, json_t *docs_new, conversion_fn *done,
                                    void *arg);
void conversion_cancel(struct conversion *c); /* no callback follows; NULL is fine */

/* Whether the object is to be converted before it is shown as of this version. */
bool conversion_needed(const struct object *o, const struct kind *version);

/* conversion_requests.c: requests that wait for conversions. Each returns true when the request does, and then goes on
 * by itself. */
bool conversion_of_body(struct request *r);
bool conversion_of_patch(struct request *r, enum update_part part);
bool conversion_of_reply(struct request *r, int code, struct object *obj);
bool conversion_of_page(struct request *r, const struct page *page);
void conversion_forget(struct request *r); /* it goes */
