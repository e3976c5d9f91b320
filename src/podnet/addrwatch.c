/* See addrwatch.h. What the notifications say is not read: who wants to know lists the addresses anyway, which is right
 * as well when some were lost (ENOBUFS). */
#include "podnet/addrwatch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/alloc.h"
#include "base/netns.h"

struct addrwatch {
    uv_poll_t poll;
    struct mnl_socket *socket;
    void (*changed)(void *arg);
    void *arg;
};

static void on_notified(uv_poll_t *poll, int status, int events)
{
    struct addrwatch *w = poll->data;
    char ignored[8192];
    ssize_t n;
    (void)status, (void)events;
    while ((n = recv(mnl_socket_get_fd(w->socket), ignored, sizeof(ignored), MSG_DONTWAIT)) > 0 ||
           (n < 0 && (errno == ENOBUFS || errno == EINTR)))
        ;
    w->changed(w->arg);
}

static struct mnl_socket *open_socket(int netns_fd)
{
    NETNS_SCOPE(netns_fd);
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (s && mnl_socket_bind(s, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(s);
        return NULL;
    }
    return s;
}

struct addrwatch *addrwatch_new(uv_loop_t *loop, int netns_fd, void (*changed)(void *arg), void *arg, struct err *err)
{
    struct addrwatch *w = NEW(struct addrwatch);
    *w = (struct addrwatch){.socket = open_socket(netns_fd), .changed = changed, .arg = arg};
    if (!w->socket || uv_poll_init(loop, &w->poll, mnl_socket_get_fd(w->socket)) < 0) {
        err_set(err, errno, "listen to changes of addresses");
        if (w->socket)
            mnl_socket_close(w->socket);
        free(w);
        return NULL;
    }
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_notified);
    uv_unref((uv_handle_t *)&w->poll); /* nothing that a loop would wait for */
    return w;
}

static void on_closed(uv_handle_t *h)
{
    struct addrwatch *w = h->data;
    mnl_socket_close(w->socket);
    free(w);
}

void addrwatch_free(struct addrwatch *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->poll, on_closed);
}
