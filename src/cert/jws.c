/* See jws.h. The header is to the byte what upstream writes: its readers compare texts. */
#include "cert/jws.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

char *jws_sign(const char *text, const char *key_id, const char *secret)
{
    unsigned char mac[SHA256_DIGEST_LENGTH];
    _cleanup_free_ char *header = xasprintf("{\"alg\":\"HS256\",\"kid\":\"%s\"}", key_id);
    _cleanup_free_ char *coded = base64url_encode(header, strlen(header)), *body = base64url_encode(text, strlen(text));
    _cleanup_free_ char *signed_text = xasprintf("%s.%s", coded, body);
    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)signed_text, strlen(signed_text), mac,
              NULL))
        abort(); /* out of memory */
    _cleanup_free_ char *signature = base64url_encode(mac, sizeof(mac));
    return xasprintf("%s..%s", coded, signature);
}

bool jws_fits(const char *signature, const char *text, const char *key_id, const char *secret)
{
    _cleanup_free_ char *want = jws_sign(text, key_id, secret);
    return strlen(signature) == strlen(want) && CRYPTO_memcmp(signature, want, strlen(want)) == 0;
}
