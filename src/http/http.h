/* HTTP over TCP and TLS on the loop: a server that hands out exchanges and a client for one request at a time. The
 * protocol engines (h1.h, h2.h, ws.h, spdy.h) do no I/O; this is the connection that feeds them. Loop thread only. */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

#define HTTP_BODY_MAX (3 << 20) /* upstream's limit for a request body: 3 MiB; larger is answered 413 */

struct http_header {
    const char *name, *value; /* names are matched without regard to case */
};
/* The first value in a list that a NULL name ends (NULL: an empty one); NULL when there is none. */
const char *http_header_find(const struct http_header *headers, const char *name);

/* --- a duplex byte stream: what an upgraded connection is on either side --- */
struct duplex;
struct duplex_handler {
    void (*data)(void *arg, const void *bytes, size_t len); /* len 0: the peer will send no more (half-close) */
    void (*closed)(void *arg);                              /* gone, once; the duplex is freed afterwards */
    void (*drained)(void *arg);                             /* optional: duplex_pending() has come down to 0 */
};
void duplex_start(struct duplex *d, const struct duplex_handler *h, void *arg);
void duplex_write(struct duplex *d, const void *bytes, size_t len); /* copies */
size_t duplex_pending(const struct duplex *d);                      /* bytes written that have not left yet */
void duplex_pause(struct duplex *d, bool paused); /* back pressure: stops reading; 64 KiB may still come */
void duplex_shutdown(struct duplex *d);           /* no more writes; what is queued still leaves */
void duplex_close(struct duplex *d);              /* after what is queued has left; `closed` follows */
/* Joins two: bytes flow both ways with back pressure and half-close until both are closed. */
void duplex_splice(struct duplex *a, struct duplex *b);

/* --- server --- */
struct http_server;
struct http_exchange;
/* A complete request, its body included. The handler answers now or later, exactly once. */
typedef void http_handler_fn(void *arg, struct http_exchange *x);

/* tls NULL: plain. With client certificates, tls is set to ask for, not to demand, one. */
struct http_server *http_server_new(uv_loop_t *loop, SSL_CTX *tls, http_handler_fn *handler, void *arg);
/* The words for what never reaches the handler (not HTTP, too large): returns the body, which is freed after use, and
 * its type. Without it the answer is the reason as plain text. */
typedef char *http_refusal_fn(int code, const char *why, const char **ret_content_type);
void http_server_set_refusal(struct http_server *s, http_refusal_fn *refusal);
/* Requests that are handed out as soon as their head is there, because their body is passed on and not gathered. */
typedef bool http_streams_fn(void *arg, const char *target);
void http_server_set_streams(struct http_server *s, http_streams_fn *streams);
/* May be called several times. netns_fd: base/netns.h, -1 for here. port 0 picks one, returned in *ret_port (may be
 * NULL). */
int http_server_listen(struct http_server *s, int netns_fd, const char *ip, int port, int *ret_port, struct err *err);
/* Closes listeners and connections at once, upgraded ones too (their `closed` follows); freed when the loop has run. */
void http_server_free(struct http_server *s);

const char *http_method(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x);  /* percent-encoded, without the query, starts with "/" */
const char *http_query(const struct http_exchange *x); /* "" or "a=b&c=d", percent-encoded */
const char *http_get_header(const struct http_exchange *x, const char *name); /* NULL when absent */
/* n-th header with this name, from 0: Sec-WebSocket-Protocol and X-Stream-Protocol-Version may come several times. */
const char *http_get_header_nth(const struct http_exchange *x, const char *name, size_t n);
const char *http_body(const struct http_exchange *x, size_t *ret_len);
/* The body of a request that was handed out before its end, if http_body_flows(): to be asked for by http_body_start()
 * before the request's handler returns. An answer that ends before the body does ends the connection, too, or the
 * stream. */
struct http_body_handler {
    void (*data)(void *arg, const void *bytes, size_t len);
    void (*end)(void *arg);
};
bool http_body_flows(const struct http_exchange *x);
int64_t http_body_length(const struct http_exchange *x); /* as announced; -1: unknown */
void http_body_start(struct http_exchange *x, const struct http_body_handler *h, void *arg);
/* For a handler that returns before it has asked: what comes until then is kept, and no more than the peer may send
 * unasked is let come. No effect on bodies that do not flow. */
void http_body_hold(struct http_exchange *x);
void http_body_pause(struct http_exchange *x, bool paused); /* back pressure */
/* All request headers, NULL name ends; for forwarding. */
const struct http_header *http_headers(const struct http_exchange *x);
X509 *http_peer_cert(const struct http_exchange *x); /* verified client certificate or NULL; borrowed */
const char *http_peer_ip(const struct http_exchange *x);
void http_set_user_data(struct http_exchange *x, void *data, void (*free_data)(void *)); /* freed with the exchange */
void *http_user_data(const struct http_exchange *x);

/* Adds a response header; before http_reply() or http_stream_start(). Copies. */
void http_add_header(struct http_exchange *x, const char *name, const char *value);
/* The whole answer. Copies the body. The exchange is gone afterwards. */
void http_reply(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len);
/* The same without a copy: release(release_arg) is called when the bytes have left. */
void http_reply_shared(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                       void (*release)(void *), void *release_arg);
/* An answer in pieces (chunked), for watches and followed logs. Pieces leave at once. */
void http_stream_start(struct http_exchange *x, int code, const char *content_type);
/* The same with a Content-Length, unless it is -1; exactly so many bytes must follow (none to HEAD). */
void http_stream_start_sized(struct http_exchange *x, int code, const char *content_type, int64_t length);
void http_stream_write(struct http_exchange *x, const void *bytes, size_t len);
size_t http_stream_pending(const struct http_exchange *x); /* bytes not yet taken by the peer */
/* While streaming: everything written has left; for answers that are passed on and can be paused at their source. */
void http_on_drained(struct http_exchange *x, void (*drained)(void *arg), void *arg);
void http_stream_end(struct http_exchange *x); /* the exchange is gone afterwards */
/* Cuts the connection (HTTP/2: resets the stream) instead of ending the answer properly; `gone` is not called. The
 * exchange is gone afterwards. */
void http_abort(struct http_exchange *x);
/* Called once if the peer goes away before the answer is finished; the exchange is gone afterwards. */
void http_on_gone(struct http_exchange *x, void (*gone)(void *arg), void *arg);
/* HTTP/1.1 only. Answers 101 with these headers (NULL name ends) and turns the connection into a duplex; the exchange
 * is gone. */
struct duplex *http_upgrade(struct http_exchange *x, const struct http_header *headers);

/* --- client: one request, one connection --- */
struct http_call;
struct http_call_spec {
    int netns_fd; /* -1: here */
    const char *ip;
    int port;
    SSL_CTX *tls;                      /* NULL: plain */
    const char *server_name;           /* TLS: verified name or address; NULL: not verified (probes, as upstream) */
    const char *method, *target;       /* target: path and query */
    const struct http_header *headers; /* NULL name ends, or NULL; Host is added when missing */
    const void *body;
    size_t len;
    bool streams_body; /* the body comes through http_call_write(), body_length bytes or in chunks (-1) */
    int64_t body_length;
    int connect_ms; /* until connected; 0: timeout_ms counts for this too */
    int timeout_ms; /* until the response head; 0: none */
    int silence_ms; /* a peer whose kernel acknowledges nothing for about so long is gone; 0: never */
};
/* All callbacks optional but `done`. Upgraded: after `upgraded` no other callback follows; it gets the duplex. */
struct http_call_handler {
    void (*head)(void *arg, int code, const struct http_header *headers);
    void (*data)(void *arg, const void *bytes, size_t len);
    void (*upgraded)(void *arg, const struct http_header *headers, struct duplex *d);
    void (*done)(void *arg, const struct err *err); /* err NULL: the answer was complete */
    void (*drained)(void *arg);                     /* http_call_pending() has come down to 0 */
};
struct http_call *http_call_start(uv_loop_t *loop, const struct http_call_spec *spec, const struct http_call_handler *h,
                                  void *arg);
void http_call_cancel(struct http_call *c);                               /* no callback follows */
void http_call_write(struct http_call *c, const void *bytes, size_t len); /* copies */
void http_call_end_body(struct http_call *c);
size_t http_call_pending(const struct http_call *c); /* bytes of the request that have not left yet */
void http_call_pause(struct http_call *c, bool paused);

/* --- TLS contexts --- */
/* Paths to PEM files. cert NULL: none yet, handshakes that need it fail. ca NULL: peers' certificates are not asked for
 * (server) or not verified (client). */
SSL_CTX *tls_server_ctx(const char *cert, const char *key, const char *client_ca, struct err *err);
/* Another certificate from now on; connections that are there keep theirs. */
int tls_ctx_use(SSL_CTX *ctx, const char *cert, const char *key, struct err *err);
SSL_CTX *tls_client_ctx(const char *cert_or_null, const char *key_or_null, const char *ca_or_null, struct err *err);
/* A client that trusts these certificates, which are PEM in memory; NULL: the system's. */
SSL_CTX *tls_client_ctx_pem(const char *pem, size_t len, struct err *err);
/* As tls_ctx_use(), of PEM in memory. */
int tls_ctx_use_pem(SSL_CTX *ctx, const char *cert, const char *key, struct err *err);

/* --- text of URLs --- */
/* Decodes %XX (and '+' when plus is set) of len bytes; NULL on bad escapes or an encoded NUL. The caller frees. */
char *url_decode(const char *s, size_t len, bool plus);
char *url_encode(const char *s); /* everything but unreserved characters; the caller frees */
/* The host of an https URL, an IPv6 address without its brackets; *port stays as it is where none is named, *ret_path
 * (may be NULL) is what follows: "" or from the '/' on. NULL: it is no such URL. The caller frees. */
char *url_https_host(const char *url, int *port, const char **ret_path);
/* Value of a query parameter, decoded; NULL when absent or badly encoded. n-th occurrence. The caller frees. */
char *query_get(const char *query, const char *name, size_t nth);
/* A boolean parameter as upstream reads it: false when absent, "0" or "false" in any case (Python clients say "False").
 */
bool query_bool(const char *query, const char *name);
