/* A detached JSON Web Signature (RFC 7515, appendix F) by a shared secret: how the holder of a bootstrap token knows
 * that the cluster has that token, too (upstream: cluster-bootstrap, token/jws). */
#pragma once
#include <stdbool.h>

/* "HEADER..SIGNATURE", HS256. The caller frees. */
char *jws_sign(const char *text, const char *key_id, const char *secret);
bool jws_fits(const char *signature, const char *text, const char *key_id, const char *secret);
