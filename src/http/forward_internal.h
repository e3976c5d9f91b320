/* What portforward.c shares with the protocols above it: forward_spdy.c and forward_channels.c. */
#pragma once
#include "base/list.h"
#include "http/duplex.h"
#include "http/spdy.h"
#include "http/ws.h"

/* One connection through a session. */
struct tunnel {
    struct list link;
    struct forward *forward;
    int port;
    struct conn *conn; /* NULL: not begun, or over */
    bool begun, opened, client_done, far_done;
    bool slow;            /* the far side does not take what the client sends */
    uint32_t data, error; /* streams or channels; SPDY: 0: not there yet */
    char *request_id;     /* SPDY */
    unsigned looks;       /* at it while only one of the streams was there */
};

struct forward_protocol {
    void (*start)(struct forward *f);
    int (*feed)(struct forward *f, const void *bytes, size_t len); /* -1: the session is over */
    void (*write)(struct tunnel *t, const void *bytes, size_t len);
    /* Nothing more follows. why: what the client is told, NULL: nothing is wrong. */
    void (*end)(struct tunnel *t, const char *why);
    void (*reset)(struct tunnel *t);
    void (*look)(struct forward *f); /* every half minute: pings, forgets halves of pairs */
    void (*done)(struct forward *f);
};
extern const struct forward_protocol forward_spdy, forward_spdy_in_ws, forward_channels;

/* A channel is a byte, and each connection has two. */
#define FORWARD_PORTS_MAX 100

struct forward {
    const struct forward_protocol *protocol;
    struct duplex *duplex;
    struct spdy *spdy; /* or NULL */
    struct ws *ws;     /* around SPDY, or by itself */
    bool bad;          /* what came out of the WebSocket breaks the rules of what is in it */
    int channel;       /* of the WebSocket message being read; -1: not known yet */
    uint16_t ports[FORWARD_PORTS_MAX];
    size_t n_ports, n_open; /* of channels: asked for; not yet over */
    struct list tunnels;
    unsigned n_slow;
    bool choked;
    uv_timer_t timer;
    char *netns, *pod, *uid;
};

struct tunnel *tunnel_new(struct forward *f);
void tunnel_free(struct tunnel *t);
void tunnel_begin(struct tunnel *t); /* connects to its port; the tunnel may be gone afterwards */
/* From the client; len 0: it sends no more. */
void tunnel_input(struct tunnel *t, const void *bytes, size_t len);
