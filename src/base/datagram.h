/* Datagrams between nodes: addresses as sockets want them, and the number of routers that a packet has passed. */
#pragma once
#include <sys/socket.h>
#include <sys/types.h>

#include "base/ip.h"

union sockaddr_any {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};
socklen_t sockaddr_set(union sockaddr_any *to, const struct ip *ip, uint16_t port);

/* Who sends with the largest hop limit can be told from whoever is further away: routers, and nodes are such to their
 * pods, have decremented it (RFC 5082). */
#define DATAGRAM_HOPS 255
int datagram_set_hops(int fd, int family); /* -1: errno */
/* recvfrom() that also tells the hop limit with which the packet came. */
ssize_t datagram_receive(int fd, void *data, size_t size, struct ip *ret_from, int *ret_hops);
