/* See cert.h. */
#include "cert/cert.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cert/internal.h"

#define DAY_SECONDS 86400
#define SKEW_SECONDS_MIN 300
#define SHORT_SECONDS (8 * 3600) /* lives shorter than that begin now, as upstream's: little would be left */

void cert_must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "c8s: OpenSSL: %s failed\n", what);
    abort();
}

void keypair_done(struct keypair *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    *p = (struct keypair){0};
}

/* --- making --- */

static GENERAL_NAME *general_name(const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    cert_must(name, "GENERAL_NAME");
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(text);
    if (ip) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, ip);
        return name;
    }
    ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
    cert_must(dns && ASN1_STRING_set(dns, text, -1), "ASN1_STRING_set");
    GENERAL_NAME_set0_value(name, GEN_DNS, dns);
    return name;
}

GENERAL_NAMES *cert_general_names(const char *const *names)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    cert_must(list, "GENERAL_NAMES");
    for (; names && *names; names++)
        cert_must(sk_GENERAL_NAME_push(list, general_name(*names)), "GENERAL_NAMES");
    return list;
}

X509_NAME *cert_subject(const struct cert_spec *spec)
{
    X509_NAME *name = X509_NAME_new();
    cert_must(name, "X509_NAME");
    if (spec->organization)
        cert_must(X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                             (const unsigned char *)spec->organization, -1, -1, 0),
                  "subject");
    cert_must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)spec->common_name,
                                         -1, -1, 0),
              "subject");
    return name;
}

void cert_add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    cert_must(ext && X509_add_ext(cert, ext, -1), value);
    X509_EXTENSION_free(ext);
}

static void add_extensions(X509 *cert, X509 *issuer, const struct cert_spec *spec)
{
    cert_add_extension(cert, issuer, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    cert_add_extension(cert, issuer, NID_key_usage,
                       spec->ca ? "critical,digitalSignature,keyCertSign" : "critical,digitalSignature");
    if (spec->client || spec->server)
        cert_add_extension(cert, issuer, NID_ext_key_usage,
                           !spec->server   ? "clientAuth"
                           : !spec->client ? "serverAuth"
                                           : "clientAuth,serverAuth");
    cert_add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    cert_add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
    if (spec->names && spec->names[0]) {
        GENERAL_NAMES *names = cert_general_names(spec->names);
        cert_must(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0), "subjectAltName");
        GENERAL_NAMES_free(names);
    }
}

void cert_set_random_serial(X509 *cert)
{
    unsigned char bytes[16];
    cert_must(RAND_bytes(bytes, sizeof(bytes)) == 1, "RAND_bytes");
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always as long */
    BIGNUM *n = BN_bin2bn(bytes, sizeof(bytes), NULL);
    cert_must(n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)), "serial number");
    BN_free(n);
}

/* Five minutes, as the signers of Kubernetes have it, and up to a day for what lives long: a machine may find out that
 * it took local time for UTC after the cluster was made. Who renews after a part of the lifetime must not notice. */
void cert_set_validity(X509 *cert, time_t now, time_t until)
{
    time_t before = (until - now) / 100;
    if (until - now < SHORT_SECONDS)
        before = 0;
    else
        before = before < SKEW_SECONDS_MIN ? SKEW_SECONDS_MIN : before < DAY_SECONDS ? before : DAY_SECONDS;
    cert_must(ASN1_TIME_set(X509_getm_notBefore(cert), now - before) && ASN1_TIME_set(X509_getm_notAfter(cert), until),
              "validity");
}

void cert_end_with(X509 *cert, const X509 *ca)
{
    if (ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(ca)) > 0)
        cert_must(X509_set1_notAfter(cert, X509_get0_notAfter(ca)), "validity");
}

void keypair_make(struct keypair *ret, const struct cert_spec *spec, const struct keypair *issuer, time_t now)
{
    EVP_PKEY *key = key_make();
    X509 *cert = X509_new();
    cert_must(cert, "certificate");
    X509 *signer = issuer ? issuer->cert : cert;
    X509_NAME *subject = cert_subject(spec);
    cert_must(X509_set_version(cert, X509_VERSION_3) && X509_set_pubkey(cert, key) &&
                  X509_set_subject_name(cert, subject) && X509_set_issuer_name(cert, X509_get_subject_name(signer)),
              "certificate");
    X509_NAME_free(subject);
    cert_set_random_serial(cert);
    cert_set_validity(cert, now, now + (time_t)spec->days * DAY_SECONDS);
    cert_end_with(cert, signer);
    add_extensions(cert, signer, spec);
    cert_must(X509_sign(cert, issuer ? issuer->key : key, EVP_sha256()) > 0, "signature");
    *ret = (struct keypair){cert, key};
}

/* --- PEM --- */

bool keypair_parse(struct keypair *ret, const char *cert_pem, const char *key_pem)
{
    BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1), *key_bio = BIO_new_mem_buf(key_pem, -1);
    cert_must(cert_bio && key_bio, "BIO");
    *ret = (struct keypair){PEM_read_bio_X509(cert_bio, NULL, NULL, NULL),
                            PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL)};
    BIO_free(cert_bio);
    BIO_free(key_bio);
    if (ret->cert && ret->key && X509_check_private_key(ret->cert, ret->key) == 1)
        return true;
    keypair_done(ret);
    return false;
}

char *cert_take_text(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = xstrndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

char *keypair_cert_pem(const struct keypair *p)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cert_must(bio && PEM_write_bio_X509(bio, p->cert), "PEM");
    return cert_take_text(bio);
}

char *keypair_key_pem(const struct keypair *p)
{
    return key_pem(p->key);
}

/* --- keys alone --- */

EVP_PKEY *key_make(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    cert_must(key, "key");
    return key;
}

EVP_PKEY *key_parse(const char *pem)
{
    char curve[40] = "";
    BIO *bio = BIO_new_mem_buf(pem, -1);
    cert_must(bio, "BIO");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (key && EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1 && streq(curve, "prime256v1"))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

char *key_pem(const EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cert_must(bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), "PEM");
    return cert_take_text(bio);
}

char *key_public_pem(const EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cert_must(bio && PEM_write_bio_PUBKEY(bio, key), "PEM");
    return cert_take_text(bio);
}

/* --- checking --- */

static bool names_equal(const X509 *cert, const struct cert_spec *spec)
{
    GENERAL_NAMES *want = cert_general_names(spec->names),
                  *have = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = sk_GENERAL_NAME_num(want); /* of nothing: -1 */
    bool equal = n == (have ? sk_GENERAL_NAME_num(have) : 0);
    for (int i = 0; equal && i < n; i++)
        equal = GENERAL_NAME_cmp(sk_GENERAL_NAME_value(want, i), sk_GENERAL_NAME_value(have, i)) == 0;
    GENERAL_NAMES_free(want);
    GENERAL_NAMES_free(have);
    return equal;
}

static bool subject_equal(const X509 *cert, const struct cert_spec *spec)
{
    X509_NAME *want = cert_subject(spec);
    bool equal = X509_NAME_cmp(want, X509_get_subject_name(cert)) == 0;
    X509_NAME_free(want);
    return equal;
}

bool keypair_serves(const struct keypair *p, const struct cert_spec *spec, const struct keypair *issuer, time_t now,
                    int spare_days)
{
    time_t later = now + (time_t)spare_days * DAY_SECONDS;
    return X509_cmp_time(X509_get0_notBefore(p->cert), &now) < 0 &&
           X509_cmp_time(X509_get0_notAfter(p->cert), &later) > 0 &&
           X509_verify(p->cert, issuer ? issuer->key : p->key) == 1 && subject_equal(p->cert, spec) &&
           names_equal(p->cert, spec);
}

bool cert_pin(const char *cert_pem, char out[CERT_PIN_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
    char hex[65];
    BIO *bio = BIO_new_mem_buf(cert_pem, -1);
    cert_must(bio, "BIO");
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    int len = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : -1;
    bool good = len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    X509_free(cert);
    if (!good)
        return false;
    str_hex(digest, 32, hex);
    snprintf(out, CERT_PIN_SIZE, "sha256:%s", hex);
    return true;
}
