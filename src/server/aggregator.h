/* Groups and versions that others serve: an APIService names the Service behind which they are. Requests are
 * authenticated and authorised here and passed on with the user's name in headers, which the other side believes
 * because of our certificate (upstream: kube-aggregator). */
#pragma once
#include "server/pipeline.h"

void aggregator_init(struct server *s); /* once everything of the cluster's own is there */
void aggregator_done(struct server *s);
/* Kinds have come or gone: the APIServices of what is served here follow. */
void aggregator_sync(struct server *s);

void aggregator_renewed(struct server *s); /* our certificate towards them is another one */

/* Whether this path, "/apis/GROUP/VERSION[/…]", is served by somebody else. */
bool aggregator_has(const struct server *s, const char *path);
request_fn aggregator_handle; /* such a request, or one for "/openapi/v3" and such a path: passes it on */

/* What others serve joins our own in these documents (discovery.h, openapi.h); `doc` may be NULL where there may be
 * nothing of our own. All return doc or a new one. */
json_t *aggregator_add_groups(const struct server *s, json_t *doc);
json_t *aggregator_add_group(const struct server *s, const char *group, json_t *doc);
json_t *aggregator_add_discovery(const struct server *s, json_t *doc);
json_t *aggregator_add_openapi(const struct server *s, json_t *doc);
