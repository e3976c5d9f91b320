/* See udp.h. */
#include "dns/udp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

#define BATCH 16       /* packets a system call */
#define BATCHES_MAX 8  /* a wake-up: the loop has other work too */
#define QUERY_MAX 2048 /* bytes: a question and EDNS options; more is cut off and called malformed */

struct udp_server {
    uv_poll_t poll;
    int fd;
    struct resolver *resolver;
    int refs; /* the server itself and every answer on its way */
    struct sockaddr_storage from[BATCH];
    uint8_t in[BATCH][QUERY_MAX], out[BATCH][ANSWER_UDP_MAX];
};

/* Where a late answer goes. */
struct udp_client {
    struct udp_server *server;
    struct sockaddr_storage addr;
    socklen_t addr_len;
};

static void udp_unref(struct udp_server *u)
{
    if (--u->refs == 0)
        free(u);
}

static void on_late_answer(void *arg, const uint8_t *answer, size_t len)
{
    struct udp_client *c = arg;
    if (c->server->fd >= 0 && len)
        (void)sendto(c->server->fd, answer, len, 0, (const struct sockaddr *)&c->addr, c->addr_len);
    udp_unref(c->server);
    free(c);
}

static void ask(struct udp_server *u, const uint8_t *query, size_t len, const struct msghdr *from)
{
    struct udp_client *c = NEW(struct udp_client);
    c->server = u;
    c->addr_len = from->msg_namelen;
    memcpy(&c->addr, from->msg_name, from->msg_namelen);
    u->refs++;
    resolver_ask(u->resolver, from->msg_name, query, len, false, on_late_answer, c);
}

/* Reads up to BATCH queries and writes what can be answered at once. Returns how many queries there were. */
static int serve_batch(struct udp_server *u)
{
    struct mmsghdr in[BATCH] = {0}, out[BATCH] = {0};
    struct iovec in_vec[BATCH], out_vec[BATCH];
    for (int i = 0; i < BATCH; i++) {
        in_vec[i] = (struct iovec){u->in[i], QUERY_MAX};
        in[i].msg_hdr = (struct msghdr){
            .msg_name = &u->from[i], .msg_namelen = sizeof(u->from[i]), .msg_iov = &in_vec[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(u->fd, in, BATCH, 0, NULL), n_out = 0;
    for (int i = 0; i < n; i++) {
        size_t len;
        if (!resolver_answer(u->resolver, in[i].msg_hdr.msg_name, u->in[i], in[i].msg_len, false, u->out[i], &len)) {
            ask(u, u->in[i], in[i].msg_len, &in[i].msg_hdr);
            continue;
        }
        if (!len)
            continue;
        out_vec[n_out] = (struct iovec){u->out[i], len};
        out[n_out].msg_hdr = (struct msghdr){.msg_name = &u->from[i],
                                             .msg_namelen = in[i].msg_hdr.msg_namelen,
                                             .msg_iov = &out_vec[n_out],
                                             .msg_iovlen = 1};
        n_out++;
    }
    for (int sent = 0; sent < n_out;) {
        int r = sendmmsg(u->fd, &out[sent], (unsigned)(n_out - sent), 0);
        if (r < 0 && errno == EINTR)
            continue;
        sent += r > 0 ? r : 1; /* a client that cannot be reached is skipped */
    }
    return n;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct udp_server *u = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < BATCHES_MAX; i++)
        if (serve_batch(u) < BATCH)
            return;
}

struct udp_server *udp_server_new(uv_loop_t *loop, int fd, struct resolver *r)
{
    struct udp_server *u = NEW(struct udp_server);
    u->fd = fd;
    u->resolver = r;
    u->refs = 1;
    uv_poll_init(loop, &u->poll, fd);
    u->poll.data = u;
    uv_poll_start(&u->poll, UV_READABLE, on_readable);
    return u;
}

static void on_closed(uv_handle_t *handle)
{
    udp_unref(handle->data);
}

void udp_server_close(struct udp_server *u)
{
    if (!u)
        return;
    uv_close((uv_handle_t *)&u->poll, on_closed);
    close(TAKE_FD(u->fd));
}
