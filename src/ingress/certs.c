/* See certs.h. HAProxy refuses its whole configuration for one bad certificate, so each is first given to a TLS server
 * of this very library. */
#include "ingress/certs.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define CHAIN_MAX 20 /* certificates; real chains have three */
#define VALID_SECONDS (10L * 365 * 86400)
#define SKEW_SECONDS 300

/* An encrypted key has no use here; nobody is asked for a password. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return 0;
}

static int refuse(struct err *err, const char *what)
{
    char text[256] = "";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    return err_set(err, 0, "%s%s%s", what, *text ? ": " : "", text);
}

static int add_chain(SSL_CTX *tls, BIO *in, BIO *out, struct err *err)
{
    for (int n = 0;; n++) {
        X509 *cert = PEM_read_bio_X509(in, NULL, no_password, NULL);
        if (!cert && n == 0)
            return refuse(err, "tls.crt holds no certificate");
        if (!cert || n == CHAIN_MAX) {
            X509_free(cert);
            ERR_clear_error();
            return 0;
        }
        int taken = n == 0 ? SSL_CTX_use_certificate(tls, cert) : SSL_CTX_add1_chain_cert(tls, cert);
        int result = taken == 1 && PEM_write_bio_X509(out, cert) == 1 ? 0 : refuse(err, "tls.crt cannot be used");
        X509_free(cert);
        if (result < 0)
            return -1;
    }
}

static const char *algorithm_of(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") ? "RSA" : EVP_PKEY_is_a(key, "EC") ? "EC" : "other";
}

static int add_key(SSL_CTX *tls, BIO *in, BIO *out, const char **algorithm, struct err *err)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
    if (!key)
        return refuse(err, "tls.key holds no key that can be read");
    int result = 0;
    if (SSL_CTX_use_PrivateKey(tls, key) != 1 || SSL_CTX_check_private_key(tls) != 1)
        result = refuse(err, "tls.key does not fit tls.crt");
    else if (PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) != 1)
        result = refuse(err, "tls.key cannot be used");
    *algorithm = algorithm_of(key);
    EVP_PKEY_free(key);
    return result;
}

static char *take_text(BIO *out)
{
    char *data;
    long len = BIO_get_mem_data(out, &data);
    return xstrndup(data, (size_t)len);
}

char *cert_bundle(const char *cert, size_t cert_len, const char *key, size_t key_len, const char **algorithm,
                  struct err *err)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    BIO *certs = BIO_new_mem_buf(cert, (int)cert_len), *keys = BIO_new_mem_buf(key, (int)key_len);
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!tls || !certs || !keys || !out)
        abort(); /* out of memory */
    if (add_chain(tls, certs, out, err) == 0 && add_key(tls, keys, out, algorithm, err) == 0)
        text = take_text(out);
    BIO_free(out);
    BIO_free(keys);
    BIO_free(certs);
    SSL_CTX_free(tls);
    return text;
}

char *cert_self_signed(void)
{
    static const unsigned char subject[] = "Ingress default certificate";
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *out = BIO_new(BIO_s_mem());
    uint64_t serial;
    if (!key || !cert || !out || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
        abort();
    X509_NAME *name = X509_get_subject_name(cert);
    bool fine = X509_set_version(cert, X509_VERSION_3) == 1 &&
                ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(cert), -SKEW_SECONDS) &&
                X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SECONDS) &&
                X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, subject, -1, -1, 0) == 1 &&
                X509_set_issuer_name(cert, name) == 1 && X509_set_pubkey(cert, key) == 1 &&
                X509_sign(cert, key, EVP_sha256()) > 0 && PEM_write_bio_X509(out, cert) == 1 &&
                PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (!fine)
        abort();
    char *text = take_text(out);
    BIO_free(out);
    X509_free(cert);
    EVP_PKEY_free(key);
    return text;
}
