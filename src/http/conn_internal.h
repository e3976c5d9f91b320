/* A connection, for the three files that make it: conn.c (its life and its clock), conn_input.c, conn_output.c. */
#pragma once
#include "base/buf.h"
#include "http/conn.h"

/* As much as one read gives; also the pipelined input a held connection may gather. */
#define CONN_READ_SIZE (64 << 10)
/* Largest TLS record. */
#define CONN_RECORD_SIZE (16 << 10)

struct chunk; /* of output */
struct conn {
    uv_tcp_t tcp;
    uv_timer_t timer; /* deadline and wake-ups */
    const struct conn_handler *h;
    void *arg;
    bool has_tls, is_open, freed, has_failed, at_eof, paused, held, reading;
    bool connected, shut_asked, close_notified, shut_done, finishing, wake;
    int handles_open;
    struct tls tls;
    struct chunk *first, *last;
    size_t queued, first_sent; /* bytes in the queue; of the first chunk, already sent or encrypted */
    struct buf unread;         /* gathered while held, or given back */
    struct buf flight;         /* cipher text being written */
    uv_write_t write;
    bool writing;
    size_t writing_plain; /* bytes of the queue being written */
    uint64_t deadline, armed, last_active;
    unsigned idle_ms;
    struct err *why;
    void (*release)(void *arg);
    void *release_arg;
};

/* conn.c */
void conn_fail(struct conn *c, int code, const char *what);
void conn_fail_uv(struct conn *c, int rc, const char *what);
void conn_fail_tls(struct conn *c, const struct err *err);
void conn_wake(struct conn *c); /* the timer rings at once: `failed` and given-back bytes are told from there */
void conn_set_timer(struct conn *c, unsigned ms, unsigned idle_ms);
void conn_opened(struct conn *c);

/* conn_input.c */
void conn_update_reading(struct conn *c);
void conn_deliver_unread(struct conn *c);

/* conn_output.c */
bool conn_can_write(const struct conn *c);
void conn_pump(struct conn *c); /* moves output on as far as the socket takes it */
void conn_shut_when_drained(struct conn *c);
void conn_drop_output(struct conn *c);
