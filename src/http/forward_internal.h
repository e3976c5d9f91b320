/* What portforward.c shares with the protocol above it. */
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
    bool slow; /* the far side does not take what the client sends */
    /* SPDY */
    char *request_id;
    uint32_t data, error; /* streams; 0: not there yet */
    unsigned looks;       /* at it while only one of them was */
};

struct forward {
    struct duplex *duplex;
    struct spdy *spdy;
    struct ws *ws; /* around SPDY, or NULL */
    bool bad;      /* what came out of the WebSocket was no SPDY */
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

/* forward_spdy.c */
void forward_start(struct forward *f, bool in_ws);
int forward_feed(struct forward *f, const void *bytes, size_t len); /* -1: the session is over */
void forward_write(struct tunnel *t, const void *bytes, size_t len);
/* Nothing more follows. why: what the client is told, NULL: nothing is wrong. */
void forward_end(struct tunnel *t, const char *why);
void forward_reset(struct tunnel *t);
void forward_look(struct forward *f); /* every half minute: pings, forgets halves of pairs */
void forward_done(struct forward *f);
