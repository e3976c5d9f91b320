/* A session, for the two files that make it: spdy.c (streams and what leaves) and spdy_input.c (what arrives). */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "http/spdy.h"
#include "http/spdy_headers.h"

enum frame_type {
    SYN_STREAM = 1,
    SYN_REPLY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    GOAWAY = 7,
    HEADERS = 8,
    WINDOW_UPDATE = 9,
    FRAME_TYPE_N
};

#define VERSION 3
#define HEAD_LEN 8
#define FLAG_FIN 1
#define SETTINGS_INITIAL_WINDOW 7
#define ID_MASK 0x7fffffffu
#define WINDOW_MAX 0x7fffffff

struct stream {
    struct list link;
    uint32_t id;
    bool peer_done, we_done, fin_waits;
    int64_t send_window, recv_window;
    uint32_t used; /* consumed and not yet told */
    struct buf waiting;
};

struct spdy {
    enum spdy_side side;
    bool flow_control, dead;
    const struct spdy_handler *h;
    void *arg;
    struct spdy_headers zip;
    struct list streams;
    size_t n_streams, pending;
    uint32_t next_id, last_peer_id, next_ping;
    int64_t send_window, recv_window, peer_initial_window;
    uint32_t used;
    /* the frame being read */
    unsigned char head[HEAD_LEN];
    size_t head_len;
    uint32_t left; /* of its payload */
    struct buf control;
    struct buf out; /* the frame being made */
};

/* spdy.c */
struct stream *spdy_find(const struct spdy *s, uint32_t id);
struct stream *spdy_add_stream(struct spdy *s, uint32_t id);
void spdy_drop_stream(struct spdy *s, struct stream *st);
void spdy_flush(struct spdy *s, struct stream *st);
void spdy_flush_all(struct spdy *s);
void spdy_peer_finished(struct spdy *s, uint32_t id);
void spdy_send_words(struct spdy *s, enum frame_type type, uint32_t a, uint32_t b);
int spdy_broken(struct spdy *s);
