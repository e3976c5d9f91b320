/* Certificates for HAProxy. Pure but for the key that is made. */
#pragma once
#include <stddef.h>

#include "base/err.h"

/* One PEM text of a certificate, its chain and its key, printed anew from what was understood; NULL with the reason
 * when a TLS server would refuse it. The caller frees. algorithm: "RSA", "EC", ...: of several certificates for a name
 * a server shows the one that the client can check. */
char *cert_bundle(const char *cert, size_t cert_len, const char *key, size_t key_len, const char **algorithm,
                  struct err *err);
/* The same, made for nobody in particular: shown where no other fits. */
char *cert_self_signed(void);
