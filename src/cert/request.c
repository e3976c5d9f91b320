/* See request.h. */
#include "cert/request.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "cert/internal.h"

const struct cert_usage cert_usages[] = {
    {"signing", "digitalSignature", NULL},
    {"digital signature", "digitalSignature", NULL},
    {"content commitment", "nonRepudiation", NULL},
    {"key encipherment", "keyEncipherment", NULL},
    {"key agreement", "keyAgreement", NULL},
    {"data encipherment", "dataEncipherment", NULL},
    {"cert sign", "keyCertSign", NULL},
    {"crl sign", "cRLSign", NULL},
    {"encipher only", "encipherOnly", NULL},
    {"decipher only", "decipherOnly", NULL},
    {"any", NULL, "anyExtendedKeyUsage"},
    {"server auth", NULL, "serverAuth"},
    {"client auth", NULL, "clientAuth"},
    {"code signing", NULL, "codeSigning"},
    {"email protection", NULL, "emailProtection"},
    {"s/mime", NULL, "emailProtection"},
    {"ipsec end system", NULL, "ipsecEndSystem"},
    {"ipsec tunnel", NULL, "ipsecTunnel"},
    {"ipsec user", NULL, "ipsecUser"},
    {"timestamping", NULL, "timeStamping"},
    {"ocsp signing", NULL, "OCSPSigning"},
    {"microsoft sgc", NULL, "msSGC"},
    {"netscape sgc", NULL, "nsSGC"},
    {0},
};

/* --- reading --- */

/* NULL when it holds a NUL, which would end the text early for some readers and not for others. */
static char *string_text(const ASN1_STRING *s)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, s);
    char *text = len >= 0 && !memchr(utf8, 0, (size_t)len) ? xstrndup((char *)utf8, (size_t)len) : NULL;
    OPENSSL_free(utf8);
    return text;
}

static bool add(char ***list, size_t *n, char *text_take)
{
    if (!text_take || *n == CERT_NAMES_MAX) {
        free(text_take);
        return false;
    }
    *list = xrealloc(*list, (*n + 2) * sizeof(**list));
    (*list)[(*n)++] = text_take;
    (*list)[*n] = NULL;
    return true;
}

static bool read_subject(struct cert_request *r)
{
    const X509_NAME *subject = X509_REQ_get_subject_name(r->req);
    for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
        const X509_NAME_ENTRY *e = X509_NAME_get_entry(subject, i);
        int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(e));
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(e);
        if (nid == NID_organizationName && !add(&r->organizations, &r->n_organizations, string_text(value)))
            return false;
        if (nid != NID_commonName)
            continue;
        free(r->common_name);
        if (!(r->common_name = string_text(value)))
            return false;
    }
    return true;
}

static char *address_text(const ASN1_OCTET_STRING *s)
{
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(s);
    return (len == 4 || len == 16) &&
                   inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), text, sizeof(text))
               ? xstrdup(text)
               : NULL;
}

static bool read_name(struct cert_request *r, const GENERAL_NAME *name)
{
    if (name->type == GEN_DNS)
        return add(&r->dns_names, &r->n_dns_names, string_text(name->d.dNSName));
    if (name->type == GEN_IPADD)
        return add(&r->ips, &r->n_ips, address_text(name->d.iPAddress));
    r->n_others++;
    return true;
}

static GENERAL_NAMES *alternative_names(X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return names;
}

static bool read_names(struct cert_request *r)
{
    GENERAL_NAMES *names = alternative_names(r->req);
    bool good = true;
    for (int i = 0; good && i < sk_GENERAL_NAME_num(names); i++)
        good = read_name(r, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return good;
}

static X509_REQ *read_pem(const char *pem, size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    cert_must(bio, "BIO");
    X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return req;
}

struct cert_request *cert_request_parse(const char *pem, size_t len, struct err *err)
{
    struct cert_request *r = NEW(struct cert_request);
    r->common_name = xstrdup("");
    r->req = read_pem(pem, len);
    if (!r->req)
        err_set(err, 0, "PEM block type must be CERTIFICATE REQUEST");
    else if (!X509_REQ_get0_pubkey(r->req) || X509_REQ_verify(r->req, X509_REQ_get0_pubkey(r->req)) != 1)
        err_set(err, 0, "the signature is not that of the request's own key");
    else if (!read_subject(r) || !read_names(r))
        err_set(err, 0, "a name cannot be read, or there are more than %d", CERT_NAMES_MAX);
    else
        return r;
    ERR_clear_error();
    cert_request_free(r);
    return NULL;
}

static void free_list(char **list)
{
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}

void cert_request_free(struct cert_request *r)
{
    if (!r)
        return;
    X509_REQ_free(r->req);
    free(r->common_name);
    free_list(r->organizations);
    free_list(r->dns_names);
    free_list(r->ips);
    free(r);
}

/* --- making --- */

static void add_names(X509_REQ *req, const char *const *list)
{
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    GENERAL_NAMES *names = cert_general_names(list);
    cert_must(X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, 0) == 1 &&
                  X509_REQ_add_extensions(req, extensions),
              "subjectAltName");
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

char *cert_request_make(EVP_PKEY *key, const struct cert_spec *spec)
{
    X509_REQ *req = X509_REQ_new();
    X509_NAME *subject = cert_subject(spec);
    cert_must(req && X509_REQ_set_subject_name(req, subject) && X509_REQ_set_pubkey(req, key), "request");
    X509_NAME_free(subject);
    if (spec->names && spec->names[0])
        add_names(req, spec->names);
    cert_must(X509_REQ_sign(req, key, EVP_sha256()) > 0, "signature");
    BIO *bio = BIO_new(BIO_s_mem());
    cert_must(bio && PEM_write_bio_X509_REQ(bio, req), "PEM");
    X509_REQ_free(req);
    return cert_take_text(bio);
}

/* --- signing --- */

static const struct cert_usage *find_usage(const char *name)
{
    for (const struct cert_usage *u = cert_usages; u->name; u++)
        if (streq(u->name, name))
            return u;
    return NULL;
}

static bool add_usages(X509 *cert, X509 *issuer, const char *const *usages)
{
    struct buf key = BUF_INIT(0), extended = BUF_INIT(0);
    bool known = true;
    for (; known && *usages; usages++) {
        const struct cert_usage *u = find_usage(*usages);
        known = u != NULL;
        if (known && u->key)
            buf_addf(&key, ",%s", u->key);
        else if (known)
            buf_addf(&extended, "%s%s", extended.len ? "," : "", u->extended);
    }
    if (known && key.len) {
        _cleanup_free_ char *text = xasprintf("critical%s", key.data);
        cert_add_extension(cert, issuer, NID_key_usage, text);
    }
    if (known && extended.len)
        cert_add_extension(cert, issuer, NID_ext_key_usage, extended.data);
    buf_done(&key);
    buf_done(&extended);
    return known;
}

static void copy_names(X509 *cert, X509_REQ *req)
{
    GENERAL_NAMES *names = alternative_names(req);
    if (sk_GENERAL_NAME_num(names) > 0)
        cert_must(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0), "subjectAltName");
    GENERAL_NAMES_free(names);
}

static char *cert_text(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    cert_must(bio && PEM_write_bio_X509(bio, cert), "PEM");
    return cert_take_text(bio);
}

char *cert_request_sign(const struct cert_request *r, const struct keypair *ca, const char *const *usages, time_t now,
                        time_t until)
{
    X509 *cert = X509_new();
    cert_must(cert && X509_set_version(cert, X509_VERSION_3) && X509_set_pubkey(cert, X509_REQ_get0_pubkey(r->req)) &&
                  X509_set_subject_name(cert, X509_REQ_get_subject_name(r->req)) &&
                  X509_set_issuer_name(cert, X509_get_subject_name(ca->cert)),
              "certificate");
    cert_set_validity(cert, now, until);
    cert_end_with(cert, ca->cert);
    cert_set_random_serial(cert);
    char *pem = NULL;
    if (add_usages(cert, ca->cert, usages)) {
        cert_add_extension(cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE");
        cert_add_extension(cert, ca->cert, NID_authority_key_identifier, "keyid");
        copy_names(cert, r->req);
        cert_must(X509_sign(cert, ca->key, EVP_sha256()) > 0, "signature");
        pem = cert_text(cert);
    }
    X509_free(cert);
    return pem;
}
