/* What remotecommand.c shares with its two transports. Both carry the same five channels. */
#pragma once
#include "base/buf.h"
#include "http/duplex.h"
#include "http/remotecommand.h"
#include "http/spdy.h"
#include "http/ws.h"

enum remote_channel { REMOTE_STDIN, REMOTE_STDOUT, REMOTE_STDERR, REMOTE_ERROR, REMOTE_RESIZE, REMOTE_CHANNEL_N };

struct remote_transport {
    void (*start)(struct remote_streams *r);
    int (*feed)(struct remote_streams *r, const void *bytes, size_t len); /* -1: the session is over */
    void (*write)(struct remote_streams *r, enum remote_channel channel, const void *bytes, size_t len);
    void (*ping)(struct remote_streams *r);
    void (*finish)(struct remote_streams *r); /* says that nothing follows on any channel */
    void (*done)(struct remote_streams *r);
};
extern const struct remote_transport remote_over_spdy, remote_over_ws;

enum remote_phase { REMOTE_OPENING, REMOTE_RUNNING, REMOTE_FINISHING };

struct remote_streams {
    struct duplex *duplex;
    const struct remote_transport *transport;
    const struct remote_handler *h;
    void *arg;
    struct remote_options options;
    int version; /* of the channel protocol, 1 … 5 */
    enum remote_phase phase;
    uv_timer_t timer; /* by phase: opening too slow, next ping, looking whether the client has closed */
    unsigned looks;
    bool stdin_paused, choked, stdin_ended;
    struct buf early;  /* input from before the command was started */
    struct buf resize; /* an unfinished {"Width":…,"Height":…} */
    /* SPDY */
    struct spdy *spdy;
    uint32_t stream[REMOTE_CHANNEL_N]; /* 0: not there (yet) */
    /* WebSocket */
    struct ws *ws;
    bool base64;
    int channel;       /* of the message being read; -1: its first byte is still to come */
    struct buf digits; /* base64 not yet decoded */
    bool bad;
};

/* All streams are there. */
void remote_open(struct remote_streams *r);
/* What a transport has read; len 0 on REMOTE_STDIN: the end of input. */
void remote_input(struct remote_streams *r, enum remote_channel channel, const void *bytes, size_t len);
bool remote_wants(const struct remote_streams *r, enum remote_channel channel);
