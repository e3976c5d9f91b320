/* node: a certificate that is asked for, used, kept over a restart and renewed. */
#include <time.h>

#include "base/file.h"

#include "control/csrsigning.h"
#include "control/list.h"
#include "kinds/csr.h"
#include "node/certificate.h"
#include "server_world.h"

#define CSRS "/apis/certificates.k8s.io/v1/certificatesigningrequests"

static struct controllers *controllers;
static struct client *manager, *newcomer;
static char *cert_path, *key_path;
static struct csr_authority authority;

static void start(void)
{
    static const char *const groups[] = {"system:authenticated", NULL}, *const joining[] = {"system:bootstrappers",
                                                                                            NULL};
    authority = (struct csr_authority){world.pki.ca_cert, world.pki.ca_key, CSR_SECONDS_DEFAULT};
    manager = server_local_client(world.server, "system:kube-controller-manager", groups);
    newcomer = server_local_client(world.server, "system:bootstrap:abcdef", joining);
    controllers = controllers_new(manager);
    controllers_add(controllers, &csrapproving_controller);
    controllers_add_with(controllers, &csrsigning_controller, &authority);
    controllers_start(controllers);
    cert_path = xasprintf("%s/node.crt", world.dir);
    key_path = xasprintf("%s/node.key", world.dir);
}

static void on_ready(void *arg)
{
    *(bool *)arg = true;
}

struct countdown {
    int left;
    bool over;
};

static void on_renewed(void *arg)
{
    struct countdown *c = arg;
    c->over = --c->left <= 0;
}

/* Runs one keeper until it has a pair, or (renewed) so many new ones. */
static void keep(SSL_CTX *tls, int renewed)
{
    struct countdown count = {renewed, renewed == 0};
    const struct certificate_config config = {.signer = CSR_SIGNER_NODE_CLIENT,
                                              .auth = "client auth",
                                              .spec = {.common_name = "system:node:n1", .organization = "system:nodes"},
                                              .cert = cert_path,
                                              .key = key_path,
                                              .tls = tls,
                                              .renewed = on_renewed,
                                              .renewed_arg = &count};
    bool ready = false;
    struct certificate *c = certificate_new(newcomer, &config, on_ready, &ready);
    run_until(&ready);
    run_until(&count.over);
    certificate_free(c);
}

static size_t count_requests(void)
{
    T_INT(get(CSRS), 200);
    return json_array_size(jget(answer.doc, "items"));
}

TEST(it_is_asked_for_and_used)
{
    struct err err;
    SSL_CTX *tls = tls_client_ctx(NULL, NULL, world.pki.ca_cert, &err);
    T_TRUE(!certificate_is_there(cert_path, key_path));
    keep(tls, 1);
    T_TRUE(certificate_is_there(cert_path, key_path));
    T_INT(count_requests(), 1);
    T_INT(ask_as(tls, "GET", "/api/v1/nodes", NULL, NULL, NULL), 200);
    T_INT(ask_as(tls, "GET", "/api/v1/secrets", NULL, NULL, NULL), 403);
    T_TRUE(strstr(text("message"), "User \"system:node:n1\"") != NULL);
    SSL_CTX_free(tls);
}

TEST(what_is_there_is_kept)
{
    keep(NULL, 0);
    T_INT(count_requests(), 1);
}

TEST(near_its_end_it_is_renewed)
{
    static const struct cert_spec spec = {.common_name = "system:node:n1", .organization = "system:nodes", .days = 10};
    struct keypair old, now;
    struct err err;
    keypair_make(&old, &spec, NULL, time(NULL) - 9 * 86400);
    _cleanup_free_ char *cert = keypair_cert_pem(&old), *key = keypair_key_pem(&old);
    T_INT(file_write_atomic(cert_path, cert, strlen(cert), 0644, &err), 0);
    T_INT(file_write_atomic(key_path, key, strlen(key), 0600, &err), 0);
    T_TRUE(certificate_is_there(cert_path, key_path));
    keep(NULL, 1);
    T_INT(count_requests(), 2);
    _cleanup_free_ char *new_cert = file_read(cert_path, 65536, NULL, &err),
                        *new_key = file_read(key_path, 65536, NULL, &err);
    T_TRUE(keypair_parse(&now, new_cert, new_key));
    T_TRUE(X509_cmp(now.cert, old.cert) != 0);
    keypair_done(&old);
    keypair_done(&now);
}

/* Whoever asks with what the TLS context has now is known, long after the first pair has ended. */
TEST(it_is_renewed_again_and_again)
{
    struct err err;
    SSL_CTX *tls = tls_client_ctx(cert_path, key_path, world.pki.ca_cert, &err);
    T_INT(unlink(cert_path), 0);
    authority.seconds = 3;
    keep(tls, 3); /* 3 s less than three tenths of three lives: the first is over */
    T_INT(ask_as(tls, "GET", "/api/v1/nodes", NULL, NULL, NULL), 200);
    T_TRUE(count_requests() >= 5);
    SSL_CTX_free(tls);
}

TEST(the_world_ends)
{
    controllers_free(controllers);
    client_free(manager);
    client_free(newcomer);
    free(cert_path);
    free(key_path);
    end_world();
}

int main(void)
{
    make_world();
    start();
    RUN(it_is_asked_for_and_used);
    RUN(what_is_there_is_kept);
    RUN(near_its_end_it_is_renewed);
    RUN(it_is_renewed_again_and_again);
    RUN(the_world_ends);
    return DONE();
}
