/* WebSocket (RFC 6455) on wslay's framing, without I/O; the server's side. Messages are passed on in pieces as they
 * come, so that none has to be kept. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_ACCEPT_SIZE 29
/* Sec-WebSocket-Accept for a client's Sec-WebSocket-Key. Returns out, or NULL when the key is not 16 bytes in base64.
 */
char *ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE]);

struct ws;
struct ws_handler {
    void (*send)(void *arg, const void *bytes, size_t len);
    /* A piece of a data message; `first`: a message begins. An empty message gives one empty piece. */
    void (*piece)(void *arg, bool first, const void *bytes, size_t len);
};
struct ws *ws_new(const struct ws_handler *h, void *arg);
void ws_free(struct ws *w);
/* Answers pings and close by itself. -1: closed, or the peer broke the protocol; a close frame has been sent. */
int ws_feed(struct ws *w, const void *bytes, size_t len);
void ws_write(struct ws *w, bool text, const void *bytes, size_t len); /* one message */
void ws_ping(struct ws *w);
void ws_close(struct ws *w); /* normally (1000) */
