/* The handshake of requests that become streams: SPDY/3.1 or WebSocket, and which protocol is spoken on top. */
#pragma once
#include "http/duplex.h"

struct stream_protocol {
    const char *name; /* "" after the others: when the client names none (WebSocket) */
    int version;
    bool base64;
};

struct upgrade {
    struct duplex *duplex;
    const struct stream_protocol *protocol;
    bool is_ws;
};
/* Answers the upgrade request with what of ours (NULL name ends) the client prefers. On a request that is no upgrade,
 * or offers no known protocol, replies 400 or 403 itself and returns false. The exchange is gone in both cases. */
bool upgrade_accept(struct http_exchange *x, const struct stream_protocol *over_spdy,
                    const struct stream_protocol *over_ws, struct upgrade *ret);
