/* server/pki: chains verify, are kept, and are made again exactly when they must be. */
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "cert/cert.h"
#include "server/pki.h"
#include "t.h"

static const char *const names[] = {"kubernetes", "kubernetes.default.svc", "10.96.0.1", "127.0.0.1", NULL};
static const char *const more_names[] = {"kubernetes", "kubernetes.default.svc", "10.96.0.1", "127.0.0.1", "fd00::1",
                                         NULL};
static char dir[96];
static struct err err;

static char *slurp(const char *path)
{
    char *text = file_read(path, 1 << 20, NULL, &err);
    return text ? text : xstrdup("");
}

static struct keypair load(const char *cert_path, const char *key_path)
{
    _cleanup_free_ char *cert = slurp(cert_path), *key = slurp(key_path);
    struct keypair p = {0};
    T_TRUE(keypair_parse(&p, cert, key));
    return p;
}

/* As a TLS peer does it. */
static bool chain_verifies(X509 *ca, X509 *leaf, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_STORE_CTX_set_purpose(ctx, purpose);
    bool ok = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

static const char *subject(X509 *cert)
{
    static char text[200];
    X509_NAME_oneline(X509_get_subject_name(cert), text, sizeof(text));
    return text;
}

static int mode(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

TEST(everything_is_made_and_verifies)
{
    struct pki p;
    T_INT(pki_ensure(&p, dir, names, &err), 0);
    struct keypair ca = load(p.ca_cert, p.ca_key), server = load(p.server_cert, p.server_key);
    struct keypair admin = load(p.admin_cert, p.admin_key), client = load(p.kubelet_client_cert, p.kubelet_client_key);
    T_TRUE(chain_verifies(ca.cert, server.cert, X509_PURPOSE_SSL_SERVER));
    T_TRUE(!chain_verifies(ca.cert, server.cert, X509_PURPOSE_SSL_CLIENT));
    T_TRUE(chain_verifies(ca.cert, admin.cert, X509_PURPOSE_SSL_CLIENT));
    T_TRUE(chain_verifies(ca.cert, client.cert, X509_PURPOSE_SSL_CLIENT));
    T_TRUE(!chain_verifies(ca.cert, admin.cert, X509_PURPOSE_SSL_SERVER));
    T_STR(subject(admin.cert), "/O=system:masters/CN=kubernetes-admin");
    T_STR(subject(client.cert), "/O=system:masters/CN=kube-apiserver-kubelet-client");
    T_INT(X509_check_host(server.cert, "kubernetes.default.svc", 0, 0, NULL), 1);
    T_INT(X509_check_host(server.cert, "example.com", 0, 0, NULL), 0);
    T_INT(X509_check_ip_asc(server.cert, "10.96.0.1", 0), 1);
    T_INT(X509_check_ip_asc(server.cert, "10.96.0.2", 0), 0);
    T_INT(mode(dir), 0700);
    T_INT(mode(p.ca_key), 0600);
    T_INT(mode(p.server_key), 0600);
    keypair_done(&ca);
    keypair_done(&server);
    keypair_done(&admin);
    keypair_done(&client);
    pki_done(&p);
}

TEST(what_is_good_stays_and_the_rest_is_made_again)
{
    struct pki p;
    T_INT(pki_ensure(&p, dir, names, &err), 0);
    _cleanup_free_ char *ca = slurp(p.ca_cert), *server = slurp(p.server_cert), *admin = slurp(p.admin_cert);
    char *again;
    pki_done(&p);

    T_INT(pki_ensure(&p, dir, names, &err), 0); /* nothing changed */
    T_STR(again = slurp(p.server_cert), server);
    free(again);
    pki_done(&p);

    T_INT(pki_ensure(&p, dir, more_names, &err), 0); /* one more address */
    again = slurp(p.server_cert);
    T_TRUE(strcmp(again, server) != 0);
    free(again);
    T_STR(again = slurp(p.admin_cert), admin);
    free(again);
    struct keypair pair = load(p.server_cert, p.server_key);
    T_INT(X509_check_ip_asc(pair.cert, "fd00::1", 0), 1);
    keypair_done(&pair);

    T_INT(file_write_atomic(p.admin_cert, "", 0, 0644, &err), 0); /* lost in a crash */
    T_INT(file_write_atomic(p.kubelet_client_key, server, strlen(server), 0600, &err), 0);
    pki_done(&p);
    T_INT(pki_ensure(&p, dir, more_names, &err), 0);
    pair = load(p.admin_cert, p.admin_key);
    keypair_done(&pair);
    pair = load(p.kubelet_client_cert, p.kubelet_client_key);
    keypair_done(&pair);
    T_STR(again = slurp(p.ca_cert), ca);
    free(again);
    pki_done(&p);
}

TEST(the_key_of_tokens_is_made_once)
{
    struct pki p;
    T_INT(pki_ensure(&p, dir, names, &err), 0);
    _cleanup_free_ char *key = slurp(p.sa_key), *public = slurp(p.sa_pub);
    T_INT(mode(p.sa_key), 0600);
    T_TRUE(strstr(key, "BEGIN PRIVATE KEY") && strstr(public, "BEGIN PUBLIC KEY"));
    unlink(p.sa_pub);
    pki_done(&p);
    T_INT(pki_ensure(&p, dir, names, &err), 0);
    _cleanup_free_ char *key_again = slurp(p.sa_key), *public_again = slurp(p.sa_pub);
    T_STR(key_again, key);
    T_STR(public_again, public);
    T_INT(file_write_atomic(p.sa_key, "nonsense", 8, 0600, &err), 0);
    _cleanup_free_ char *path = xstrdup(p.sa_key);
    pki_done(&p);
    T_INT(pki_ensure(&p, dir, names, &err), -1); /* every token out there would be void */
    T_TRUE(strstr(err.msg, "is no private key on the curve P-256") != NULL);
    T_INT(file_write_atomic(path, key, strlen(key), 0600, &err), 0);
}

TEST(a_broken_ca_is_not_replaced_silently)
{
    struct pki p;
    T_INT(pki_ensure(&p, dir, names, &err), 0);
    _cleanup_free_ char *cert = slurp(p.ca_cert), *key_path = xstrdup(p.ca_key), *key = slurp(p.ca_key);
    _cleanup_free_ char *want =
        xasprintf("%s and %s are not a certificate and its key; remove %s to make new ones", p.ca_cert, p.ca_key, dir);
    T_INT(file_write_atomic(p.ca_key, "x", 1, 0600, &err), 0);
    pki_done(&p);
    T_INT(pki_ensure(&p, dir, names, &err), -1);
    T_STR(err.msg, want);
    T_INT(file_write_atomic(key_path, key, strlen(key), 0600, &err), 0);
    T_INT(pki_ensure(&p, dir, names, &err), 0);
    pki_done(&p);
}

TEST(a_node_serves_and_asks_with_one_pair)
{
    struct pki p;
    _cleanup_free_ char *cert = NULL, *key = NULL;
    T_INT(pki_ensure(&p, dir, names, &err), 0);
    T_INT(pki_ensure_node(&p, "ca", "172.28.128.2,fd00::2", &cert, &key, &err),
          0); /* a name that must not hit the CA's files */
    struct keypair ca = load(p.ca_cert, p.ca_key), node = load(cert, key);
    T_TRUE(chain_verifies(ca.cert, node.cert, X509_PURPOSE_SSL_SERVER));
    T_TRUE(chain_verifies(ca.cert, node.cert, X509_PURPOSE_SSL_CLIENT));
    T_STR(subject(node.cert), "/O=system:nodes/CN=system:node:ca");
    T_INT(X509_check_ip_asc(node.cert, "172.28.128.2", 0), 1);
    T_INT(X509_check_ip_asc(node.cert, "fd00::2", 0), 1);
    T_INT(pki_ensure_node(&p, "../x", "172.28.128.2", &cert, &key, &err), -1);
    keypair_done(&ca);
    keypair_done(&node);
    pki_done(&p);
}

TEST(a_pair_is_renewed_by_its_time_names_and_issuer)
{
    enum { DAY = 86400 };
    const time_t now = 1800000000;
    struct keypair ca, other, leaf;
    const struct cert_spec ca_spec = {.common_name = "ca", .ca = true, .days = 3650};
    const struct cert_spec spec = {.common_name = "x", .names = names, .server = true, .days = 365};
    struct cert_spec changed = spec;
    keypair_make(&ca, &ca_spec, NULL, now);
    keypair_make(&other, &ca_spec, NULL, now);
    keypair_make(&leaf, &spec, &ca, now);
    T_TRUE(keypair_serves(&ca, &ca_spec, NULL, now, 3000));
    T_TRUE(keypair_serves(&leaf, &spec, &ca, now, 30));
    T_TRUE(keypair_serves(&leaf, &spec, &ca, now + 334L * DAY, 30));
    T_TRUE(!keypair_serves(&leaf, &spec, &ca, now + 336L * DAY, 30));
    T_TRUE(!keypair_serves(&leaf, &spec, &ca, now - 2 * DAY, 30)); /* from the future */
    T_TRUE(!keypair_serves(&leaf, &spec, &other, now, 30));
    changed.names = names + 1;
    T_TRUE(!keypair_serves(&leaf, &changed, &ca, now, 30));
    changed.names = NULL;
    T_TRUE(!keypair_serves(&leaf, &changed, &ca, now, 30));
    changed = spec;
    changed.common_name = "y";
    T_TRUE(!keypair_serves(&leaf, &changed, &ca, now, 30));
    keypair_done(&ca);
    keypair_done(&other);
    keypair_done(&leaf);
}

TEST(near_its_end_it_is_renewed_and_none_outlives_the_ca)
{
    static const struct cert_spec short_ca = {.common_name = "kubernetes", .ca = true, .days = 100};
    static const struct cert_spec admin = {
        .common_name = "kubernetes-admin", .organization = "system:masters", .client = true, .days = 29};
    struct pki p;
    struct keypair ca, leaf;
    _cleanup_free_ char *sub = xasprintf("%s-short", dir), *cert_path = xasprintf("%s/ca.crt", sub),
                        *key_path = xasprintf("%s/ca.key", sub);
    keypair_make(&ca, &short_ca, NULL, time(NULL));
    _cleanup_free_ char *cert = keypair_cert_pem(&ca), *key = keypair_key_pem(&ca);
    T_INT(dir_make(sub, 0700, &err), 0);
    T_INT(file_write_atomic(cert_path, cert, strlen(cert), 0644, &err), 0);
    T_INT(file_write_atomic(key_path, key, strlen(key), 0600, &err), 0);
    T_INT(pki_ensure(&p, sub, names, &err), 0);
    T_TRUE(pki_ca_days(&p) >= 99 && pki_ca_days(&p) <= 100);
    leaf = load(p.server_cert, p.server_key);
    T_INT(ASN1_TIME_compare(X509_get0_notAfter(leaf.cert), X509_get0_notAfter(ca.cert)), 0);
    keypair_done(&leaf);

    keypair_make(&leaf, &admin, &ca, time(NULL));
    _cleanup_free_ char *old_cert = keypair_cert_pem(&leaf), *old_key = keypair_key_pem(&leaf);
    T_INT(file_write_atomic(p.admin_cert, old_cert, strlen(old_cert), 0644, &err), 0);
    T_INT(file_write_atomic(p.admin_key, old_key, strlen(old_key), 0600, &err), 0);
    _cleanup_free_ char *server = slurp(p.server_cert);
    T_INT(pki_renew(&p, &err), 1);
    T_INT(pki_renew(&p, &err), 0);
    _cleanup_free_ char *admin_now = slurp(p.admin_cert), *server_now = slurp(p.server_cert);
    T_TRUE(strcmp(admin_now, old_cert) != 0);
    T_STR(server_now, server);
    keypair_done(&leaf);
    keypair_done(&ca);
    pki_done(&p);
}

int main(void)
{
    char top[] = "/tmp/c8s-test-pki-XXXXXX";
    if (!mkdtemp(top))
        return 1;
    snprintf(dir, sizeof(dir), "%s/data/pki", top);
    RUN(everything_is_made_and_verifies);
    RUN(what_is_good_stays_and_the_rest_is_made_again);
    RUN(the_key_of_tokens_is_made_once);
    RUN(a_broken_ca_is_not_replaced_silently);
    RUN(a_node_serves_and_asks_with_one_pair);
    RUN(a_pair_is_renewed_by_its_time_names_and_issuer);
    RUN(near_its_end_it_is_renewed_and_none_outlives_the_ca);
    tree_remove(top, &err);
    return DONE();
}
