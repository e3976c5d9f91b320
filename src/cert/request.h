/* Certificate signing requests (PKCS #10, RFC 2986): made by agents for keys that never leave them, read and signed by
 * the cluster. In memory: no files. */
#pragma once
#include <openssl/x509v3.h>

#include "base/err.h"
#include "cert/cert.h"

#define CERT_NAMES_MAX 100 /* alternative names, organizations: far more than any server has */

struct cert_request {
    X509_REQ *req;
    char *common_name;                        /* "" when there is none */
    char **organizations, **dns_names, **ips; /* NULL-terminated */
    size_t n_organizations, n_dns_names, n_ips;
    size_t n_others; /* mail addresses, URIs: no signer of ours takes them */
};

/* Reads PEM text. NULL: it is none, or is not signed by its own key. */
struct cert_request *cert_request_parse(const char *pem, size_t len, struct err *err);
void cert_request_free(struct cert_request *r); /* NULL is fine */

/* Subject and names of spec, as PEM; the caller frees. */
char *cert_request_make(EVP_PKEY *key, const struct cert_spec *spec);

/* Key usages in the words of the API ("digital signature", "client auth"); certificates.k8s.io/v1 KeyUsage. */
struct cert_usage {
    const char *name;
    const char *key, *extended; /* what OpenSSL calls it: in one of the two extensions */
};
extern const struct cert_usage cert_usages[]; /* ends with a NULL name */

/* A certificate for the request's key with its subject and names, for these usages (NULL-terminated), valid from
 * a little before now to `until`. PEM, the caller frees; NULL when a usage is unknown. */
char *cert_request_sign(const struct cert_request *r, const struct keypair *ca, const char *const *usages, time_t now,
                        time_t until);
