/* What cert.c and request.c share. */
#pragma once
#include <openssl/x509v3.h>

#include "cert/cert.h"

/* OpenSSL fails here only without memory or entropy. */
void cert_must(bool ok, const char *what);
GENERAL_NAMES *cert_general_names(const char *const *names);
X509_NAME *cert_subject(const struct cert_spec *spec);
void cert_add_extension(X509 *cert, X509 *issuer, int nid, const char *value);
void cert_set_random_serial(X509 *cert);
/* Valid from before now, for clients whose clock is behind and for us when ours is set back. */
void cert_set_validity(X509 *cert, time_t now, time_t until);
void cert_end_with(X509 *cert, const X509 *ca); /* or before */
char *cert_take_text(BIO *bio);
