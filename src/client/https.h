/* The transport of client.h over HTTPS: for agents on machines of their own. A request is a connection; a watch is one
 * whose answer goes on, one JSON document a line. */
#pragma once
#include <openssl/ssl.h>

#include "client/client.h"

struct client_https_config {
    int netns_fd; /* base/netns.h; -1: here */
    const char *ip;
    int port;
    const char *server_name; /* verified in the certificate; NULL: ip */
    const char *token;       /* shown instead of a certificate; may be NULL */
    SSL_CTX *tls;            /* with the client's certificate; borrowed; NULL: plain HTTP, for tests */
};
struct client *client_https_new(uv_loop_t *loop, const struct client_https_config *config);
/* tls has another certificate: watches end, with code 0, and those who watch begin again from where they were. */
void client_https_reconnect(struct client *c);
