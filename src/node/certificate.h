/* A certificate that a node has from the cluster and keeps fresh (upstream: the kubelet's certificate manager): asked
 * for as a CertificateSigningRequest when it is missing, and again before it ends. The key is made here and never
 * leaves the machine. */
#pragma once
#include <openssl/ssl.h>

#include "cert/cert.h"
#include "client/client.h"

struct certificate;
struct certificate_config {
    const char *signer, *auth; /* "kubernetes.io/kubelet-serving", "server auth" */
    struct cert_spec spec;     /* subject and names */
    const char *cert, *key;    /* files */
    SSL_CTX *tls;              /* gets every new pair; borrowed; may be NULL */
    void (*renewed)(
        void *arg); /* tls has a pair that the cluster has just signed; may be NULL; may not free anything */
    void *renewed_arg;
};
/* Copies the config. ready (may be NULL) is called once, from the loop, when there is a pair. */
struct certificate *certificate_new(struct client *c, const struct certificate_config *config, void (*ready)(void *arg),
                                    void *arg);
void certificate_free(struct certificate *c); /* NULL is fine; before its client */

/* Whether the files hold a pair that is still valid. */
bool certificate_is_there(const char *cert, const char *key);
