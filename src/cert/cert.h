/* Keys and certificates in memory: ECDSA P-256, made from a description and checked against it. No files: see pki.h. */
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <time.h>

struct cert_spec {
    const char *common_name, *organization; /* organization may be NULL */
    const char *const *names;               /* DNS names and addresses, NULL-terminated; may be NULL */
    bool ca, client, server;                /* what it is for */
    int days;
};

struct keypair {
    X509 *cert;
    EVP_PKEY *key;
};

void keypair_done(struct keypair *p);
/* A new key and its certificate, signed by `issuer` (NULL: by itself). Only OpenSSL's own failure (out of memory, no
 * entropy) ends it, and that ends the program. */
void keypair_make(struct keypair *ret, const struct cert_spec *spec, const struct keypair *issuer, time_t now);
/* Reads PEM texts; false when they are not a certificate and its key. */
bool keypair_parse(struct keypair *ret, const char *cert_pem, const char *key_pem);
/* PEM texts; the caller frees. */
char *keypair_cert_pem(const struct keypair *p);
char *keypair_key_pem(const struct keypair *p);
/* "sha256:…" over the public key of a PEM certificate: how kubeadm pins a CA. False: it is none. */
#define CERT_PIN_SIZE 72
bool cert_pin(const char *cert_pem, char out[CERT_PIN_SIZE]);
/* Keys alone, without a certificate: what signs tokens. key_parse: NULL when the text is no private key on P-256. */
EVP_PKEY *key_make(void);
EVP_PKEY *key_parse(const char *pem);
char *key_pem(const EVP_PKEY *key);
char *key_public_pem(const EVP_PKEY *key);
/* Is it what spec would make: subject, names, signed by the issuer, and valid for `spare_days` more? */
bool keypair_serves(const struct keypair *p, const struct cert_spec *spec, const struct keypair *issuer, time_t now,
                    int spare_days);
