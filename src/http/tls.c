/* See tls.h; and the TLS contexts of http.h. A BIO of our own reads what was fed and appends to `out`, so that an idle
 * connection keeps no buffer at all. */
#include "http/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/alloc.h"
#include "http/http.h"

/* --- the BIO --- */

static int bio_read(BIO *bio, char *to, int size)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!t->in_len) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = (size_t)size < t->in_len ? (size_t)size : t->in_len;
    memcpy(to, t->in, n);
    t->in += n;
    t->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *from, int len)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_add(&t->out, from, (size_t)len);
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static const BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method; /* made once, for the program's life */
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "c8s connection");
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    return method;
}

/* --- one connection --- */

static void init(struct tls *t, SSL_CTX *ctx)
{
    BIO *bio = BIO_new(bio_method());
    *t = (struct tls){.ssl = SSL_new(ctx)};
    if (!bio || !t->ssl)
        abort(); /* only without memory */
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
}

void tls_init_server(struct tls *t, SSL_CTX *ctx)
{
    init(t, ctx);
    SSL_set_accept_state(t->ssl);
}

void tls_init_client(struct tls *t, SSL_CTX *ctx, const char *server_name)
{
    struct in6_addr address;
    init(t, ctx);
    SSL_set_connect_state(t->ssl);
    if (!server_name) {
        SSL_set_verify(t->ssl, SSL_VERIFY_NONE, NULL);
        return;
    }
    if (inet_pton(AF_INET, server_name, &address) == 1 || inet_pton(AF_INET6, server_name, &address) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), server_name);
    } else {
        SSL_set1_host(t->ssl, server_name);
        SSL_set_tlsext_host_name(t->ssl, server_name);
    }
}

void tls_done(struct tls *t)
{
    SSL_free(t->ssl);
    buf_done(&t->out);
    t->ssl = NULL;
}

void tls_feed(struct tls *t, const void *cipher_text, size_t len)
{
    t->in = cipher_text;
    t->in_len = len;
}

static int failed(struct tls *t, struct err *err)
{
    unsigned long code = ERR_peek_last_error();
    long verify = SSL_get_verify_result(t->ssl);
    if (verify != X509_V_OK && !SSL_is_server(t->ssl))
        err_set(err, 0, "TLS: %s%s", X509_verify_cert_error_string(verify),
                verify == X509_V_ERR_CERT_NOT_YET_VALID || verify == X509_V_ERR_CERT_HAS_EXPIRED
                    ? " (the clocks of the two machines?)"
                    : "");
    else
        err_set(err, 0, "TLS: %s", code ? ERR_reason_error_string(code) : "broken connection");
    return TLS_FAILED;
}

/* What an SSL_ call that returned `rc` means. */
static int outcome(struct tls *t, int rc, struct err *err)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_NONE:
        return 0;
    case SSL_ERROR_WANT_READ:
        return TLS_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_EOF;
    default:
        return failed(t, err);
    }
}

int tls_handshake(struct tls *t, struct err *err)
{
    if (SSL_is_init_finished(t->ssl))
        return 0;
    ERR_clear_error();
    return outcome(t, SSL_do_handshake(t->ssl), err);
}

ssize_t tls_read(struct tls *t, void *to, size_t size, struct err *err)
{
    ERR_clear_error();
    int n = SSL_read(t->ssl, to, (int)size);
    return n > 0 ? n : outcome(t, n, err);
}

int tls_write(struct tls *t, const void *bytes, size_t len, struct err *err)
{
    size_t written;
    ERR_clear_error();
    if (len && SSL_write_ex(t->ssl, bytes, len, &written) != 1) /* the BIO takes everything: no partial writes */
        return failed(t, err);
    return 0;
}

void tls_close_notify(struct tls *t)
{
    ERR_clear_error();
    SSL_shutdown(t->ssl);
}

X509 *tls_peer_cert(const struct tls *t)
{
    return SSL_get_verify_result(t->ssl) == X509_V_OK ? SSL_get0_peer_certificate(t->ssl) : NULL;
}

bool tls_agreed_on(const struct tls *t, const char *protocol)
{
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(t->ssl, &chosen, &len);
    return len == strlen(protocol) && memcmp(chosen, protocol, len) == 0;
}

/* --- contexts --- */

/* A bad client certificate does not end the handshake: the request is then an anonymous one, which the server room
 * refuses with a message (as upstream). The verify result stays with the connection. */
static int accept_any_client(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned int in_len, void *arg)
{
    static const unsigned char offer[] = "\x02h2\x08http/1.1";
    (void)ssl;
    (void)arg;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_len, offer, sizeof(offer) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int file_failed(struct err *err, const char *what, const char *path)
{
    unsigned long code = ERR_peek_error();
    err_set(err, 0, "TLS: %s %s: %s", what, path, code ? ERR_reason_error_string(code) : "failed");
    ERR_clear_error();
    return -1;
}

static SSL_CTX *ctx_failed(SSL_CTX *ctx)
{
    SSL_CTX_free(ctx);
    return NULL;
}

static SSL_CTX *new_ctx(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx)
        abort(); /* only without memory */
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN); /* the chain is what the file says */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return ctx;
}

int tls_ctx_use(SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return file_failed(err, "certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return file_failed(err, "key", key);
    return 0;
}

SSL_CTX *tls_server_ctx(const char *cert, const char *key, const char *client_ca, struct err *err)
{
    SSL_CTX *ctx = new_ctx(TLS_server_method());
    if (cert && tls_ctx_use(ctx, cert, key, err) < 0)
        return ctx_failed(ctx);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    /* Resumption by tickets, which cost the server no memory. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"c8s", 3);
    if (!client_ca)
        return ctx;
    if (SSL_CTX_load_verify_file(ctx, client_ca) != 1)
        return file_failed(err, "client CA", client_ca), ctx_failed(ctx);
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(client_ca));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any_client);
    return ctx;
}

SSL_CTX *tls_client_ctx(const char *cert_or_null, const char *key_or_null, const char *ca_or_null, struct err *err)
{
    static const unsigned char offer[] = "\x08http/1.1";
    SSL_CTX *ctx = new_ctx(TLS_client_method());
    if (cert_or_null && tls_ctx_use(ctx, cert_or_null, key_or_null, err) < 0)
        return ctx_failed(ctx);
    if (ca_or_null && SSL_CTX_load_verify_file(ctx, ca_or_null) != 1)
        return file_failed(err, "CA", ca_or_null), ctx_failed(ctx);
    if (ca_or_null)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_alpn_protos(ctx, offer, sizeof(offer) - 1);
    return ctx;
}

SSL_CTX *tls_client_ctx_pem(const char *pem, size_t len, struct err *err)
{
    SSL_CTX *ctx = tls_client_ctx(NULL, NULL, NULL, err);
    BIO *in = pem ? BIO_new_mem_buf(pem, (int)len) : NULL;
    int n = 0;
    for (X509 *cert; in && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)); X509_free(cert))
        n += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) == 1;
    BIO_free(in);
    ERR_clear_error(); /* the end of the text is one */
    if (pem ? !n : SSL_CTX_set_default_verify_paths(ctx) != 1) {
        SSL_CTX_free(ctx);
        return err_set(err, 0, "no certificate to trust"), NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

int tls_ctx_use_pem(SSL_CTX *ctx, const char *cert, const char *key, struct err *err)
{
    BIO *cert_in = BIO_new_mem_buf(cert, -1), *key_in = BIO_new_mem_buf(key, -1);
    X509 *c = PEM_read_bio_X509(cert_in, NULL, NULL, NULL);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(key_in, NULL, NULL, NULL);
    bool good = c && k && SSL_CTX_use_certificate(ctx, c) == 1 && SSL_CTX_use_PrivateKey(ctx, k) == 1;
    X509_free(c);
    EVP_PKEY_free(k);
    BIO_free(cert_in);
    BIO_free(key_in);
    ERR_clear_error();
    return good ? 0 : err_set(err, 0, "the client certificate and its key are not usable");
}
