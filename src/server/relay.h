/* A request passed on to somebody else and its answer passed back, as a reverse proxy does it: bodies stream both ways
 * with back pressure, upgraded connections are joined byte for byte, links to where it was answered lead through us. */
#pragma once
#include "http/http.h"
#include "server/pipeline.h"

struct relay_target {
    char ip[64];
    int port;
    SSL_CTX *tls;                       /* NULL: plain */
    const char *server_name;            /* as in struct http_call_spec */
    bool from_node;                     /* asked from the first node's network (service_address.h) */
    const struct http_header *identity; /* who asks, instead of what the request says of that; NULL: nothing is said */
};

/* The request is gone. target: path and query there; prefix: what stood before that path here. */
void relay(struct request *r, const struct relay_target *to, const char *target, const char *prefix);

/* Headers without those that belong to one hop or to us alone; one allocation, what it points to is the original's. */
struct http_header *relay_headers(const struct http_header *headers, bool upgrades);
/* Location of an answer that came from `host`, as it has to be said here. NULL: as it is. The caller frees. */
char *relay_location(const char *location, const char *host, const char *prefix);
