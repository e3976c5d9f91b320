/* SPDY/3.1 framing (draft-mbelshe-httpbis-spdy-00 and Chromium's 3.1 window for the session), without I/O: what kubectl
 * up to 1.30 speaks for exec, attach and port-forward. Either side of a session. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/http.h"

/* kubectl opens at most five, port-forward two for each connection it carries. */
#define SPDY_STREAMS_MAX 512
#define SPDY_WINDOW 65536 /* initially, each stream's and the session's */

enum spdy_status {
    SPDY_PROTOCOL_ERROR = 1,
    SPDY_INVALID_STREAM = 2,
    SPDY_REFUSED_STREAM = 3,
    SPDY_CANCEL = 5,
    SPDY_FLOW_CONTROL_ERROR = 7,
    SPDY_STREAM_ALREADY_CLOSED = 9,
};

struct spdy;
/* All but `send` optional. A callback may use the session, but not free it. */
struct spdy_handler {
    void (*send)(void *arg, const void *bytes, size_t len); /* whole frames for the peer */
    void (*opened)(void *arg, uint32_t stream, const struct http_header *headers);
    void (*replied)(void *arg, uint32_t stream, const struct http_header *headers);
    void (*data)(void *arg, uint32_t stream, const void *bytes, size_t len);
    void (*fin)(void *arg, uint32_t stream);                    /* the peer sends no more on this stream */
    void (*reset)(void *arg, uint32_t stream, uint32_t status); /* the stream is gone */
    void (*drained)(void *arg, uint32_t stream);                /* what waited for the stream's window has been sent */
    void (*pong)(void *arg, uint32_t id);
    void (*going_away)(void *arg);
};

enum spdy_side { SPDY_CLIENT, SPDY_SERVER };
/* flow_control false: for peers built on moby/spdystream (kubectl, client-go, the upstream kubelet), which neither send
 * nor obey WINDOW_UPDATE: a session with them that kept to the windows would stop after 64 KiB. TCP is the back
 * pressure then. */
struct spdy *spdy_new(enum spdy_side side, bool flow_control, const struct spdy_handler *h, void *arg);
void spdy_free(struct spdy *s);
/* -1: the peer broke the protocol; a GOAWAY has been sent, nothing more is read. */
int spdy_feed(struct spdy *s, const void *bytes, size_t len);

/* Returns the new stream's id; 0 when there are too many. headers: NULL name ends; NULL: none. */
uint32_t spdy_open(struct spdy *s, const struct http_header *headers);
void spdy_reply(struct spdy *s, uint32_t stream, const struct http_header *headers);
/* Sends as the windows allow and keeps the rest. fin: nothing follows. Unknown and finished streams are ignored. */
void spdy_write(struct spdy *s, uint32_t stream, const void *bytes, size_t len, bool fin);
size_t spdy_pending(const struct spdy *s); /* bytes that wait for a window */
/* Bytes of `data` have been used: the peer may send as many more. */
void spdy_consumed(struct spdy *s, uint32_t stream, size_t len);
void spdy_reset(struct spdy *s, uint32_t stream, enum spdy_status status);
void spdy_ping(struct spdy *s);
void spdy_go_away(struct spdy *s);
