/* One TLS connection without I/O: cipher text is fed in, plain text read out; what must go to the peer gathers in
 * `out`. */
#pragma once
#include <openssl/ssl.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct tls {
    SSL *ssl;
    const char *in; /* fed and not yet consumed; borrowed during tls_feed() … tls_read() */
    size_t in_len;
    struct buf out; /* records for the peer */
};

/* server_name: what the peer's certificate must name (host or address); NULL, or a context without CA: anything goes.
 */
void tls_init_server(struct tls *t, SSL_CTX *ctx);
void tls_init_client(struct tls *t, SSL_CTX *ctx, const char *server_name);
void tls_done(struct tls *t);
/* The bytes must stay until tls_read() has returned TLS_AGAIN, TLS_EOF or TLS_FAILED. */
void tls_feed(struct tls *t, const void *cipher_text, size_t len);
enum { TLS_EOF = 0, TLS_AGAIN = -1, TLS_FAILED = -2 };
/* 0: done; TLS_AGAIN: feed more. Both this and tls_read() may add to `out`. */
int tls_handshake(struct tls *t, struct err *err);
/* Number of bytes, TLS_EOF after the peer's close_notify, TLS_AGAIN, or TLS_FAILED with err set. */
ssize_t tls_read(struct tls *t, void *to, size_t size, struct err *err);
int tls_write(struct tls *t, const void *bytes, size_t len, struct err *err); /* all of it; TLS_FAILED with err set */
void tls_close_notify(struct tls *t);
/* The peer's certificate if it was verified against the context's CA, else NULL; borrowed. */
X509 *tls_peer_cert(const struct tls *t);
bool tls_agreed_on(const struct tls *t, const char *protocol); /* by ALPN */
