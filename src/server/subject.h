/* Requests that act on an object by something that is no object: a Binding, an Eviction, a TokenRequest, or the options
 * of a connection (exec and its like). Webhooks are asked about that. */
#pragma once
#include "server/webhook_match.h"

struct request;

extern const struct webhook_type subject_binding, subject_eviction, subject_token, subject_exec, subject_attach,
    subject_portforward, subject_pod_proxy, subject_service_proxy, subject_node_proxy;

/* Asks the webhooks before the request's handler runs. Returns whether anybody is asked: then the handler is run, or
 * the request answered, later. */
bool subject_review(struct request *r);

/* The options of a connection as a document of this type, from the query and, for a proxy, the path behind it. */
json_t *connect_options(const struct webhook_type *type, const char *query, const char *path);
/* The other way: the query with what the document says. The caller frees. */
char *connect_query(const struct webhook_type *type, const char *query, const json_t *options);
