/* A TCP connection on the loop, plain or TLS: ordered output with back pressure, half-close, one deadline. Server,
 * client and duplex streams are built on it. No callback but `release` runs inside a call of the owner. */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "http/tls.h"

struct conn;
struct conn_handler {
    void (*open)(void *arg); /* optional: connected, TLS established */
    void (*data)(void *arg, const char *bytes, size_t len);
    void (*eof)(
        void *arg); /* the peer will send no more; while held this comes before the bytes, and again after them */
    void (*drained)(void *arg); /* optional: conn_pending() has come down to 0 */
    /* Of no use any more: the owner frees it. why NULL: ended as conn_finish() asked. */
    void (*failed)(void *arg, const struct err *why);
};

/* NULL when the connection is already gone. */
struct conn *conn_accept(uv_stream_t *listener, SSL_CTX *tls, const struct conn_handler *h, void *arg);
/* Failing to connect is told by `failed`. */
struct conn *conn_connect(uv_loop_t *loop, int netns_fd, const char *ip, int port, SSL_CTX *tls,
                          const char *server_name, const struct conn_handler *h, void *arg);
/* For one of ours, at any time: a peer whose kernel acknowledges nothing for about so long is gone. It is asked while
 * nothing is under way, too. Not for streams whose reader may rest: the kernel counts a closed window as silence. */
void conn_limit_silence(struct conn *c, unsigned ms);
/* At once; no callback follows. May be called from one. */
void conn_free(struct conn *c);
void conn_set_handler(struct conn *c, const struct conn_handler *h, void *arg);
/* Called when the connection's socket is closed, whoever owned it last. */
void conn_on_release(struct conn *c, void (*release)(void *arg), void *arg);

uv_loop_t *conn_loop(const struct conn *c);
void conn_peer_ip(const struct conn *c, char *out, size_t size); /* "" when unknown */
X509 *conn_peer_cert(const struct conn *c);
bool conn_agreed_on(const struct conn *c, const char *protocol); /* by ALPN */

/* Sends the pieces in order. The last one is not copied when release is set: release(arg) is called when it has left.
 */
void conn_send(struct conn *c, const uv_buf_t *pieces, size_t n, void (*release)(void *), void *arg);
void conn_write(struct conn *c, const void *bytes, size_t len);
size_t conn_pending(const struct conn *c);
/* No more writes: FIN or, over TLS, close_notify, once everything has left. */
void conn_shutdown(struct conn *c);
/* Ends properly: what is queued leaves, the write side is shut, then what the peer still sends is thrown away until it
 * closes too (closing with unread input would reset the connection and lose the tail of what we said). `failed` with
 * NULL follows. A peer that takes nothing for stall_ms is not waited for. */
void conn_finish(struct conn *c, unsigned stall_ms);
/* Breaks it: `failed` follows from the loop. */
void conn_cut(struct conn *c);

/* Stops reading. Bytes that were already read may still be delivered (at most 64 KiB). */
void conn_pause(struct conn *c, bool paused);
/* While held, bytes are gathered (then reading stops, so that no peer can fill memory) but the end of file is seen. */
void conn_hold(struct conn *c, bool held);
/* Gives bytes back: `data` gets them again, from the loop. */
void conn_unread(struct conn *c, const char *bytes, size_t len);

/* `failed` (timed out) at this time from now, or, idle: after this long without a byte either way. 0: never. */
void conn_deadline(struct conn *c, unsigned ms);
void conn_idle_deadline(struct conn *c, unsigned ms);
