/* cert: requests for certificates, made, read and signed. */
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cert/request.h"
#include "t.h"

static const char *const names[] = {"n1", "10.0.0.1", "fd00::1", NULL};
static const struct cert_spec node = {.common_name = "system:node:n1", .organization = "system:nodes", .names = names};
static const struct cert_spec authority = {.common_name = "ca", .ca = true, .days = 10};

static char *make(EVP_PKEY **ret_key)
{
    *ret_key = key_make();
    return cert_request_make(*ret_key, &node);
}

TEST(what_is_made_is_read)
{
    struct err err;
    EVP_PKEY *key;
    _cleanup_free_ char *pem = make(&key);
    struct cert_request *r = cert_request_parse(pem, strlen(pem), &err);
    T_TRUE(r != NULL);
    T_STR(r->common_name, "system:node:n1");
    T_INT(r->n_organizations, 1);
    T_STR(r->organizations[0], "system:nodes");
    T_INT(r->n_dns_names, 1);
    T_STR(r->dns_names[0], "n1");
    T_INT(r->n_ips, 2);
    T_STR(r->ips[1], "fd00::1");
    T_INT(r->n_others, 0);
    cert_request_free(r);
    EVP_PKEY_free(key);
}

TEST(what_is_none_is_refused)
{
    struct err err;
    EVP_PKEY *key;
    _cleanup_free_ char *pem = make(&key);
    T_TRUE(!cert_request_parse("", 0, &err));
    T_TRUE(!cert_request_parse(pem, strlen(pem) / 2, &err));
    T_STR(err.msg, "PEM block type must be CERTIFICATE REQUEST");
    EVP_PKEY_free(key);
}

TEST(it_is_signed_for_its_own_key_and_names)
{
    static const char *const usages[] = {"digital signature", "server auth", NULL}, *const odd[] = {"flying", NULL};
    struct err err;
    struct keypair ca, pair;
    EVP_PKEY *key;
    time_t now = time(NULL);
    _cleanup_free_ char *pem = make(&key);
    struct cert_request *r = cert_request_parse(pem, strlen(pem), &err);
    keypair_make(&ca, &authority, NULL, now);
    T_TRUE(!cert_request_sign(r, &ca, odd, now, now + 3600));
    _cleanup_free_ char *cert = cert_request_sign(r, &ca, usages, now, now + 3600), *private = key_pem(key);
    T_TRUE(keypair_parse(&pair, cert, private));
    T_TRUE(keypair_serves(&pair, &node, &ca, now, 0));
    T_TRUE(!keypair_serves(&pair, &node, &ca, now + 3601, 0));
    T_TRUE(!keypair_serves(&pair, &node, &ca, now - 301, 0));
    T_TRUE(keypair_serves(&ca, &authority, NULL, now - 7200, 0)); /* the clock was set back */
    T_INT(X509_get_extended_key_usage(pair.cert), XKU_SSL_SERVER);
    T_INT(X509_get_key_usage(pair.cert), KU_DIGITAL_SIGNATURE);
    keypair_done(&pair);
    keypair_done(&ca);
    cert_request_free(r);
    EVP_PKEY_free(key);
}

int main(void)
{
    RUN(what_is_made_is_read);
    RUN(what_is_none_is_refused);
    RUN(it_is_signed_for_its_own_key_and_names);
    return DONE();
}
