/* JSON Web Tokens in the one form we write and accept: compact, signed with ES256 by one key (RFC 7515, 7518). Pure. */
#pragma once
#include <openssl/evp.h>

#include "json/json.h"

/* Bytes: a token must fit into a request header beside the others. */
#define JWT_MAX 16384

/* What a token's header calls its key: the hash of the public half, as upstream's. The caller frees. */
char *jwt_key_id(EVP_PKEY *key);
/* The public half as a JSON Web Key (RFC 7517). New reference. */
json_t *jwt_public_key(EVP_PKEY *key);
/* The caller frees. */
char *jwt_sign(EVP_PKEY *key, const char *key_id, const json_t *claims);
/* The claims of a token that this key signed, else NULL with err set. What they say is the caller's to check. New
 * reference. */
json_t *jwt_verify(EVP_PKEY *key, const char *key_id, const char *token, size_t len, struct err *err);
