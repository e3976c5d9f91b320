/* See jwt.h. The algorithm is never the token's to choose: its header must say exactly what ours say. */
#include "server/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define SCALAR_SIZE 32 /* bytes of one number of P-256 */
#define SIGNATURE_SIZE (2 * SCALAR_SIZE)
#define DER_MAX 80 /* bytes of a signature as OpenSSL writes it: 72 at most */

/* Only OpenSSL's own failure (out of memory, no entropy). */
static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "c8s: OpenSSL: %s failed\n", what);
    abort();
}

/* --- the key --- */

char *jwt_key_id(EVP_PKEY *key)
{
    unsigned char *der = NULL, hash[SHA256_DIGEST_LENGTH];
    int len = i2d_PUBKEY(key, &der);
    must(len > 0, "public key");
    SHA256(der, (size_t)len, hash);
    OPENSSL_free(der);
    return base64url_encode(hash, sizeof(hash));
}

static char *coordinate(EVP_PKEY *key, const char *name)
{
    unsigned char bytes[SCALAR_SIZE];
    BIGNUM *n = NULL;
    must(EVP_PKEY_get_bn_param(key, name, &n) == 1 && BN_bn2binpad(n, bytes, sizeof(bytes)) > 0, name);
    BN_free(n);
    return base64url_encode(bytes, sizeof(bytes));
}

json_t *jwt_public_key(EVP_PKEY *key)
{
    _cleanup_free_ char *id = jwt_key_id(key), *x = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X),
                        *y = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "use", "sig", "kty", "EC", "kid", id, "crv", "P-256", "alg",
                     "ES256", "x", x, "y", y);
}

/* --- signatures: two numbers side by side here, ASN.1 at OpenSSL's --- */

static void sign_bytes(EVP_PKEY *key, const char *text, size_t len, unsigned char out[SIGNATURE_SIZE])
{
    unsigned char der[DER_MAX];
    const unsigned char *at = der;
    size_t der_len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestSign(ctx, der, &der_len, (const unsigned char *)text, len) == 1,
         "signature");
    EVP_MD_CTX_free(ctx);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, SCALAR_SIZE) > 0 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + SCALAR_SIZE, SCALAR_SIZE) > 0,
         "signature");
    ECDSA_SIG_free(sig);
}

static bool signature_fits(EVP_PKEY *key, const char *text, size_t len, const unsigned char bytes[SIGNATURE_SIZE])
{
    unsigned char *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    must(sig && ECDSA_SIG_set0(sig, BN_bin2bn(bytes, SCALAR_SIZE, NULL),
                               BN_bin2bn(bytes + SCALAR_SIZE, SCALAR_SIZE, NULL)) == 1,
         "signature");
    int der_len = i2d_ECDSA_SIG(sig, &der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(der_len > 0 && ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1, "signature");
    bool fits = EVP_DigestVerify(ctx, der, (size_t)der_len, (const unsigned char *)text, len) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    return fits;
}

/* --- tokens --- */

static void add_part(struct buf *out, const json_t *doc)
{
    _cleanup_free_ char *text = jprint(doc), *coded = base64url_encode(text, strlen(text));
    buf_adds(out, coded);
}

char *jwt_sign(EVP_PKEY *key, const char *key_id, const json_t *claims)
{
    struct buf out = BUF_INIT(0);
    unsigned char signature[SIGNATURE_SIZE];
    _cleanup_json_ json_t *header = json_pack("{s:s, s:s}", "alg", "ES256", "kid", key_id);
    add_part(&out, header);
    buf_addc(&out, '.');
    add_part(&out, claims);
    sign_bytes(key, out.data, out.len, signature);
    _cleanup_free_ char *coded = base64url_encode(signature, sizeof(signature));
    buf_addc(&out, '.');
    buf_adds(&out, coded);
    return buf_take(&out);
}

static json_t *read_part(const char *text, size_t len, const char *what, struct err *err)
{
    size_t n;
    _cleanup_free_ char *plain = base64url_decode(text, len, &n);
    if (!plain) {
        err_set(err, 0, "the token's %s is not base64url", what);
        return NULL;
    }
    json_t *doc = jparse(plain, n, err);
    if (!doc)
        err_wrap(err, "the token's %s", what);
    if (!doc || json_is_object(doc))
        return doc;
    json_decref(doc);
    err_set(err, 0, "the token's %s is no JSON object", what);
    return NULL;
}

/* "crit" names extensions that a reader must know: we know none. */
static bool header_is_ours(const json_t *header, const char *key_id)
{
    return streq(jstr_or(header, "alg", ""), "ES256") && streq(jstr_or(header, "kid", ""), key_id) &&
           streq(jstr_or(header, "typ", "JWT"), "JWT") && !jhas(header, "crit");
}

json_t *jwt_verify(EVP_PKEY *key, const char *key_id, const char *token, size_t len, struct err *err)
{
    size_t signature_len;
    const char *end = token + len, *first = memchr(token, '.', len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (len > JWT_MAX || !second) {
        err_set(err, 0, len > JWT_MAX ? "the token is too long" : "the token has not three parts");
        return NULL;
    }
    _cleanup_json_ json_t *header = read_part(token, (size_t)(first - token), "header", err);
    if (!header)
        return NULL;
    _cleanup_free_ unsigned char *signature = base64url_decode(second + 1, (size_t)(end - second - 1), &signature_len);
    if (!header_is_ours(header, key_id) || !signature || signature_len != SIGNATURE_SIZE ||
        !signature_fits(key, token, (size_t)(second - token), signature)) {
        err_set(err, 0, "the token's signature is invalid");
        return NULL;
    }
    return read_part(first + 1, (size_t)(second - first - 1), "payload", err);
}
