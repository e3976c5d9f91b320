/* HTTP/2 (RFC 9113), the server's side of one connection, without I/O: nghttp2 with our limits. Bytes are fed in,
 * output is taken as the connection has room for it, so that what a slow peer does not take stays with its stream. */
#pragma once
#include "base/list.h"
#include "http/h1.h"

/* Upstream's: what one connection may ask for at a time, watches included. client-go opens another for more. */
#define H2_STREAMS_MAX 100
/* Upstream's window a stream: bodies of requests arrive without waiting; most are below 25 KiB. */
#define H2_WINDOW (256 << 10)
#define H2_CONNECTION_WINDOW (1 << 20)
/* Bodies still being received, of one connection together: ten of the largest. */
#define H2_BODIES_MAX (10 * HTTP_BODY_MAX)
/* One DATA frame and its head fill one TLS record. */
#define H2_FRAME_SIZE (16 << 10)
/* Frames that ask for nothing (PING, SETTINGS, RST_STREAM, WINDOW_UPDATE, PRIORITY, empty DATA): so many at once, then
 * so many a second. An honest client needs a few for each answer, and for large ones two window updates for each DATA
 * frame that it gets, which are credited. */
#define H2_IDLE_FRAMES_BURST 1000
#define H2_IDLE_FRAMES_RATE 100
/* Streams a client gives up (rapid reset, CVE-2023-44487): a controller that restarts its watches stays far below. */
#define H2_RESETS_BURST 300
#define H2_RESETS_RATE 30

struct h2;
struct h2_stream {
    /* the request */
    const char *method, *target;
    struct http_header *headers; /* n_headers, then one with a NULL name; :authority is Host */
    size_t n_headers;
    struct buf body;
    void *owner; /* the handler's */

    /* the engine's own */
    struct list link, due;
    struct h2 *h2;
    int32_t id;
    struct buf head; /* name NUL value NUL … */
    enum { H2_READING, H2_BUSY, H2_STREAMING, H2_REPLIED } state;
    bool head_too_large, remote_ended, ended, deferred, given_up, flows, paused;
    size_t untold;              /* bytes taken while paused: the peer's window does not open for them yet */
    uint64_t moved;             /* when bytes of this stream last went either way; 0: not known */
    struct buf out;             /* answer, not yet in frames */
    const char *shared;         /* or the answer as a whole */
    size_t shared_len, at;      /* at: taken already */
    void (*release)(void *arg); /* of `shared` */
    void *release_arg;
};

struct h2_handler {
    void (*request)(void *arg, struct h2_stream *s); /* complete, its body included unless that flows */
    bool (*flows)(void *arg, const char *target);    /* optional: is the body to be handed on as it comes? */
    void (*body)(void *arg, struct h2_stream *s, const void *bytes, size_t len); /* a piece; len 0: its end */
    void (*refused)(void *arg, struct h2_stream *s, int code, const char *why);  /* too large: to be answered so */
    void (*drained)(void *arg, struct h2_stream *s);                             /* h2_pending() has come down to 0 */
    void (*closed)(void *arg, struct h2_stream *s);                              /* over; gone when this returns */
};

struct h2 *h2_new(const struct h2_handler *h, void *arg);
void h2_free(struct h2 *h); /* closes all streams */
/* now: milliseconds of any clock that goes forward. False: the connection is over once its output has left. */
bool h2_feed(struct h2 *h, const void *bytes, size_t len, uint64_t now);
/* Appends frames until at least `want` bytes are there or nothing is left to say. Calls `drained` and `closed`. */
void h2_output(struct h2 *h, struct buf *out, size_t want, uint64_t now);
bool h2_over(const struct h2 *h); /* nothing more will come or go */
void h2_goaway(struct h2 *h);     /* what is in progress is still answered, nothing new is begun */
size_t h2_streams(const struct h2 *h);
/* Gives up streams whose request, or the taking of whose answer, has not moved for stall_ms. */
void h2_sweep(struct h2 *h, uint64_t now, unsigned stall_ms);

/* Stops, or lets go on, a body that flows; a window may still come. Output may follow. */
void h2_body_pause(struct h2_stream *s, bool paused);
int64_t h2_body_length(const struct h2_stream *s); /* as announced; -1: unknown */
/* The answers. The body is copied when release is NULL. */
void h2_reply(struct h2_stream *s, int code, const struct http_header *headers, size_t n, const void *body, size_t len,
              void (*release)(void *), void *release_arg);
void h2_start(struct h2_stream *s, int code, const struct http_header *headers, size_t n);
void h2_write(struct h2_stream *s, const void *bytes, size_t len);
size_t h2_pending(const struct h2_stream *s);
void h2_end(struct h2_stream *s);
void h2_reset(struct h2_stream *s); /* `closed` follows with the next output */
