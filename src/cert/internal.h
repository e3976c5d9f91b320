/* What cert.c and request.c share. */
#pragma once
#include <openssl/x509v3.h>

#include "cert/cert.h"

#define CLOCK_SKEW_SECONDS 300 /* certificates are valid at once for a client whose clock is a little behind */

/* OpenSSL fails here only without memory or entropy. */
void cert_must(bool ok, const char *what);
GENERAL_NAMES *cert_general_names(const char *const *names);
X509_NAME *cert_subject(const struct cert_spec *spec);
void cert_add_extension(X509 *cert, X509 *issuer, int nid, const char *value);
void cert_set_random_serial(X509 *cert);
char *cert_take_text(BIO *bio);
