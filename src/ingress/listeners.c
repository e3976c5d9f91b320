/* See listeners.h. */
#include "ingress/listeners.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/netns.h"

#define BACKLOG 4096 /* what a second without HAProxy may gather */

static int open_one(const struct ingress_node *node, uint16_t port, struct err *err)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct ip ip;
    int on = 1, fd;
    if (!ip_parse(node->ip, &ip))
        return err_set(err, 0, "%s is not an address", node->ip);
    bool v6 = ip.family == AF_INET6;
    in.sin_addr = ip.v4;
    in6.sin6_addr = ip.v6;
    NETNS_SCOPE(node->netns_fd);
    fd = socket(ip.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in, v6 ? sizeof(in6) : sizeof(in)) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    err_set(err, errno, "listen on %s port %d", node->ip, port);
    if (fd >= 0)
        close(fd);
    return -1;
}

int listeners_open(const struct ingress_node *nodes, size_t n, int *fds, struct err *err)
{
    static const uint16_t ports[] = {80, 443};
    for (size_t i = 0; i < 2 * n; i++)
        fds[i] = -1;
    for (size_t i = 0; i < 2 * n; i++) {
        fds[i] = open_one(&nodes[i / 2], ports[i % 2], err);
        if (fds[i] < 0) {
            listeners_close(fds, n);
            return -1;
        }
    }
    return 0;
}

void listeners_close(int *fds, size_t n_nodes)
{
    for (size_t i = 0; i < 2 * n_nodes; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}
