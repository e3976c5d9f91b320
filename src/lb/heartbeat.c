/* See heartbeat.h. Only what comes from the link itself is taken, by its hop limit. */
#include "lb/heartbeat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/datagram.h"
#include "base/netns.h"
#include "base/str.h"

#define BURST 256 /* datagrams read in one go: more than nodes send, and a flood does not keep the loop */

struct heartbeat {
    uv_poll_t poll;
    int fd;
    void (*heard)(void *arg, const struct ip *from, const struct beat *b);
    void *arg;
};

/* --- the socket --- */

static int make_socket(const struct heartbeat_config *c, struct err *err)
{
    NETNS_SCOPE(c->netns_fd);
    char text[IP_TEXT_SIZE];
    union sockaddr_any own;
    socklen_t len = sockaddr_set(&own, &c->own, HEARTBEAT_PORT);
    int fd = socket(c->own.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->ifname, (socklen_t)strlen(c->ifname)) == 0 &&
        datagram_set_hops(fd, c->own.family) == 0 && bind(fd, &own.any, len) == 0)
        return fd;
    err_set(err, errno, "heartbeats of other nodes: UDP %s port %d", ip_format(&c->own, text), HEARTBEAT_PORT);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- what arrives --- */

/* False: there is nothing more. */
static bool receive(const struct heartbeat *h, bool deliver)
{
    unsigned char data[BEAT_SIZE + 1];
    struct ip from;
    struct beat b;
    int hops;
    ssize_t n = datagram_receive(h->fd, data, sizeof(data), &from, &hops);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED; /* a node that does not listen (yet) */
    if (deliver && hops == DATAGRAM_HOPS && beat_read(data, (size_t)n, &b))
        h->heard(h->arg, &from, &b);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    for (int i = 0; i < BURST && receive(poll->data, true); i++)
        ;
}

void heartbeat_drain(struct heartbeat *h)
{
    for (int i = 0; i < BURST && receive(h, false); i++)
        ;
}

void heartbeat_send(const struct heartbeat *h, const struct ip *to, const struct beat *b)
{
    unsigned char data[BEAT_SIZE];
    union sockaddr_any address;
    socklen_t len = sockaddr_set(&address, to, HEARTBEAT_PORT);
    beat_write(b, data);
    (void)sendto(h->fd, data, sizeof(data), 0, &address.any, len);
}

/* --- life --- */

struct heartbeat *heartbeat_open(uv_loop_t *loop, const struct heartbeat_config *config, struct err *err)
{
    int fd = make_socket(config, err);
    if (fd < 0)
        return NULL;
    struct heartbeat *h = NEW(struct heartbeat);
    *h = (struct heartbeat){.fd = fd, .heard = config->heard, .arg = config->arg};
    h->poll.data = h;
    uv_poll_init(loop, &h->poll, fd);
    uv_poll_start(&h->poll, UV_READABLE, on_readable);
    return h;
}

static void on_closed(uv_handle_t *handle)
{
    struct heartbeat *h = handle->data;
    close(h->fd);
    free(h);
}

void heartbeat_close(struct heartbeat *h)
{
    if (h)
        uv_close((uv_handle_t *)&h->poll, on_closed);
}
