/* Any bytes as a token: refused with a reason (nobody guesses a signature), and base64url has one text for one value.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/account_token.h"
#include "cert/cert.h"
#include "base/str.h"
#include "server/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static EVP_PKEY *key;
    const char *text = (const char *)data;
    struct err err = {0};
    size_t len;
    if (!key) {
        key = key_make();
    }
    if (jwt_verify(key, "k", text, size, &err) || !*err.msg)
        abort();
    _cleanup_free_ void *plain = base64url_decode(text, size, &len);
    _cleanup_free_ char *again = plain ? base64url_encode(plain, len) : NULL;
    if (again && (strlen(again) != size || memcmp(again, text, size) != 0))
        abort();
    struct account_token t;
    _cleanup_json_ json_t *claims = jparse(text, size, &err);
    if (claims && account_claims_read(&t, claims, "i", 5, &err) == 0)
        account_audience_fits(&t, NULL, "i", NULL);
    return 0;
}
