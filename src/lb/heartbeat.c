/* See heartbeat.h. Only what comes from the link itself is taken: routers, and nodes are such to their pods, have
 * decremented the hop limit (RFC 5082). */
#include "lb/heartbeat.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/str.h"

#define HOPS 255
#define BURST 256 /* datagrams read in one go: more than nodes send, and a flood does not keep the loop */

struct heartbeat {
    uv_poll_t poll;
    int fd;
    void (*heard)(void *arg, const struct ip *from, const struct beat *b);
    void *arg;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t fill(union address *to, const struct ip *ip)
{
    *to = (union address){.any.sa_family = (sa_family_t)ip->family};
    if (ip->family == AF_INET6) {
        to->v6.sin6_port = htons(HEARTBEAT_PORT);
        to->v6.sin6_addr = ip->v6;
        return sizeof(to->v6);
    }
    to->v4.sin_port = htons(HEARTBEAT_PORT);
    to->v4.sin_addr = ip->v4;
    return sizeof(to->v4);
}

static struct ip read_address(const union address *from)
{
    struct ip ip = {.family = from->any.sa_family};
    if (ip.family == AF_INET6)
        ip.v6 = from->v6.sin6_addr;
    else
        ip.v4 = from->v4.sin_addr;
    return ip;
}

/* --- the socket --- */

static int set_hops(int fd, int family)
{
    const int hops = HOPS, yes = 1;
    bool v6 = family == AF_INET6;
    return setsockopt(fd, v6 ? (int)IPPROTO_IPV6 : (int)IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &hops,
                      sizeof(hops)) < 0 ||
                   setsockopt(fd, v6 ? (int)IPPROTO_IPV6 : (int)IPPROTO_IP, v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, &yes,
                              sizeof(yes)) < 0
               ? -1
               : 0;
}

static int make_socket(const struct heartbeat_config *c, struct err *err)
{
    NETNS_SCOPE(c->netns_fd);
    char text[IP_TEXT_SIZE];
    union address own;
    socklen_t len = fill(&own, &c->own);
    int fd = socket(c->own.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->ifname, (socklen_t)strlen(c->ifname)) == 0 &&
        set_hops(fd, c->own.family) == 0 && bind(fd, &own.any, len) == 0)
        return fd;
    err_set(err, errno, "heartbeats of other nodes: UDP %s port %d", ip_format(&c->own, text), HEARTBEAT_PORT);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- what arrives --- */

static int hops_of(struct msghdr *m)
{
    int hops = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT))
            memcpy(&hops, CMSG_DATA(c), sizeof(hops));
    return hops;
}

/* False: there is nothing more. */
static bool receive(const struct heartbeat *h, bool deliver)
{
    unsigned char data[BEAT_SIZE + 1], control[64];
    union address from;
    struct iovec piece = {data, sizeof(data)};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &piece,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct beat b;
    ssize_t n = recvmsg(h->fd, &m, 0);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED; /* a node that does not listen (yet) */
    struct ip ip = read_address(&from);
    if (deliver && hops_of(&m) == HOPS && beat_read(data, (size_t)n, &b))
        h->heard(h->arg, &ip, &b);
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
    union address address;
    socklen_t len = fill(&address, to);
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
