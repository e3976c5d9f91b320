/* See ws.h. */
#include "http/ws.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"

struct ws {
    wslay_event_context_ptr wslay;
    const struct ws_handler *h;
    void *arg;
    struct buf out;    /* frames being made: wslay hands out heads and payloads apart */
    const uint8_t *in; /* fed and not yet taken */
    size_t in_len;
    bool is_data, first; /* of the frame being read */
};

char *ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE])
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[SHA_DIGEST_LENGTH];
    size_t len = 0;
    _cleanup_free_ void *bytes = base64_decode(key, strlen(key), &len);
    if (!bytes || len != 16)
        return NULL;
    _cleanup_free_ char *text = xasprintf("%s%s", key, magic);
    EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
    return out;
}

static void flush(struct ws *w)
{
    wslay_event_send(w->wslay);
    struct buf out = w->out;
    buf_init(&w->out, 0);
    if (out.len)
        w->h->send(w->arg, out.data, out.len);
    buf_done(&out);
}

static ssize_t on_recv(wslay_event_context_ptr wslay, uint8_t *to, size_t size, int flags, void *arg)
{
    struct ws *w = arg;
    (void)flags;
    if (!w->in_len) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = size < w->in_len ? size : w->in_len;
    memcpy(to, w->in, n);
    w->in += n;
    w->in_len -= n;
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *bytes, size_t len, int flags, void *arg)
{
    struct ws *w = arg;
    (void)wslay;
    (void)flags;
    buf_add(&w->out, bytes, len);
    return (ssize_t)len;
}

static void on_frame_start(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_start_arg *frame,
                           void *arg)
{
    struct ws *w = arg;
    (void)wslay;
    w->is_data = !wslay_is_ctrl_frame(frame->opcode);
    w->first = frame->opcode != WSLAY_CONTINUATION_FRAME;
}

static void on_frame_chunk(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_chunk_arg *chunk,
                           void *arg)
{
    struct ws *w = arg;
    (void)wslay;
    if (!w->is_data)
        return;
    w->h->piece(w->arg, w->first, chunk->data, chunk->data_length);
    w->first = false;
}

struct ws *ws_new(const struct ws_handler *h, void *arg)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = on_recv,
                                                           .send_callback = on_send,
                                                           .on_frame_recv_start_callback = on_frame_start,
                                                           .on_frame_recv_chunk_callback = on_frame_chunk};
    struct ws *w = NEW(struct ws);
    w->h = h;
    w->arg = arg;
    if (wslay_event_context_server_init(&w->wslay, &callbacks, w) < 0)
        abort(); /* only without memory */
    wslay_event_config_set_no_buffering(w->wslay, 1);
    wslay_event_config_set_max_recv_msg_length(w->wslay, INT64_MAX); /* nothing is kept */
    return w;
}

void ws_free(struct ws *w)
{
    if (!w)
        return;
    wslay_event_context_free(w->wslay);
    buf_done(&w->out);
    free(w);
}

int ws_feed(struct ws *w, const void *bytes, size_t len)
{
    w->in = bytes;
    w->in_len = len;
    int rc = wslay_event_recv(w->wslay);
    flush(w);
    w->in_len = 0;
    return rc == 0 && wslay_event_want_read(w->wslay) ? 0 : -1;
}

static void queue(struct ws *w, uint8_t opcode, const void *bytes, size_t len)
{
    struct wslay_event_msg message = {.opcode = opcode, .msg = bytes, .msg_length = len};
    wslay_event_queue_msg(w->wslay, &message); /* refused once closed: nobody reads */
    flush(w);
}

void ws_write(struct ws *w, bool text, const void *bytes, size_t len)
{
    queue(w, text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, bytes, len);
}

void ws_ping(struct ws *w)
{
    queue(w, WSLAY_PING, NULL, 0);
}

void ws_close(struct ws *w)
{
    wslay_event_queue_close(w->wslay, WSLAY_CODE_NORMAL_CLOSURE, NULL, 0);
    flush(w);
}
