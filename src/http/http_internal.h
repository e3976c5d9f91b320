/* The server side of http.h, for the files that make it: http_server.c (listeners and lives), http_exchange.c (one
 * request and its answer, whatever carries them), http1_session.c and http2_session.c (connections). */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "http/conn.h"
#include "http/http.h"

/* A head (and the TLS handshake before the first) has to be complete by then: against clients that send a byte a
 * minute. */
#define HEAD_MS 30000
/* A body, or an answer being taken, has to move. */
#define MOVE_MS 30000
/* Idle connections: longer than kubectl and client-go keep theirs (90 s), so that they close first. */
#define IDLE_MS 180000

struct http_server {
    uv_loop_t *loop;
    SSL_CTX *tls;
    http_handler_fn *handler;
    http_refusal_fn *refusal;
    http_streams_fn *streams;
    void *arg;
    struct list listeners, sessions, upgraded;
    uv_timer_t tick;
    size_t refs; /* the owner, the clock, listeners, connections */
    size_t n_conns;
    bool closed;
};

/* One connection. It outlives the connection while a request without `gone` is still unanswered. */
struct http_session {
    struct list link;           /* in the server's */
    struct http_server *server; /* NULL once that is being freed */
    struct conn *conn;          /* NULL once upgraded */
    void (*close)(struct http_session *s);
    void (*tick)(struct http_session *s, uint64_t now); /* optional: every TICK_MS */
};

/* Accepts a connection; NULL when it is already gone. */
struct http_session *http1_session_new(uv_stream_t *listener, SSL_CTX *tls);

/* For a connection whose TLS handshake has agreed on HTTP/2. */
void http2_session_new(struct http_server *server, struct conn *conn);

/* How an answer travels. What ends the exchange frees it or makes it ready for the next request. */
struct http_carrier {
    void (*reply)(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                  void (*release)(void *), void *release_arg);
    void (*stream_start)(struct http_exchange *x, int code, const char *content_type, int64_t length);
    void (*stream_write)(struct http_exchange *x, const void *bytes, size_t len);
    size_t (*stream_pending)(const struct http_exchange *x);
    void (*stream_end)(struct http_exchange *x);
    void (*abort)(struct http_exchange *x);
    void (*body_pause)(struct http_exchange *x); /* body_paused has changed */
    void (*gone_set)(struct http_exchange *x);   /* `gone` is to be called now if the peer has left before */
    struct duplex *(*upgrade)(struct http_exchange *x, const struct http_header *headers);
    struct conn *(*conn)(const struct http_exchange *x); /* NULL: gone */
};

struct http_exchange {
    const struct http_carrier *carrier;
    const char *method;
    char *path; /* target with the '?' replaced */
    const char *query;
    const struct http_header *headers; /* n_headers, then one with a NULL name */
    size_t n_headers;
    struct buf body;
    bool body_flows, body_paused; /* handed out before its end */
    bool body_held, body_ended;   /* nobody has asked for it yet; and all of it is there */
    int64_t body_length;
    const struct http_body_handler *body_handler;
    void *body_arg;
    struct buf added; /* headers of the answer: name NUL value NUL … */
    char peer_ip[46];
    bool encoded; /* the handler has added Content-Encoding */
    void (*gone)(void *arg);
    void *gone_arg;
    void (*drained)(void *arg);
    void *drained_arg;
    void *user_data;
    void (*free_user_data)(void *data);
};

/* A request is complete: to the handler. */
void exchange_dispatch(struct http_exchange *x, struct http_server *s, const char *method, const char *target,
                       const struct http_header *headers, size_t n_headers);
/* A piece of a body that flows; len 0: its end. */
void exchange_body(struct http_exchange *x, const void *bytes, size_t len);
bool exchange_streams(const struct http_server *s, const char *target); /* its body is to flow */
void exchange_forget(struct http_exchange *x);                          /* the request and what belongs to it */
/* The body of a refusal; the caller frees. */
char *exchange_refusal(struct http_server *s, int code, const char *why, const char **ret_content_type);
bool exchange_to_head(const struct http_exchange *x); /* a HEAD request: no body in the answer */
/* The headers the handler has added, one after another: *at begins as 0. False at the end. */
bool exchange_added(const struct http_exchange *x, size_t *at, const char **ret_name, const char **ret_value);
