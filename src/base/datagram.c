/* See datagram.h. */
#include "base/datagram.h"

#include <string.h>

socklen_t sockaddr_set(union sockaddr_any *to, const struct ip *ip, uint16_t port)
{
    *to = (union sockaddr_any){.any.sa_family = (sa_family_t)ip->family};
    if (ip->family == AF_INET6) {
        to->v6.sin6_port = htons(port);
        to->v6.sin6_addr = ip->v6;
        return sizeof(to->v6);
    }
    to->v4.sin_port = htons(port);
    to->v4.sin_addr = ip->v4;
    return sizeof(to->v4);
}

static struct ip address_of(const union sockaddr_any *from)
{
    struct ip ip = {.family = from->any.sa_family};
    if (ip.family == AF_INET6)
        ip.v6 = from->v6.sin6_addr;
    else
        ip.v4 = from->v4.sin_addr;
    return ip;
}

int datagram_set_hops(int fd, int family)
{
    const int hops = DATAGRAM_HOPS, yes = 1;
    bool v6 = family == AF_INET6;
    int level = v6 ? (int)IPPROTO_IPV6 : (int)IPPROTO_IP;
    return setsockopt(fd, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &hops, sizeof(hops)) < 0 ||
                   setsockopt(fd, level, v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, &yes, sizeof(yes)) < 0
               ? -1
               : 0;
}

static int hops_of(struct msghdr *m)
{
    int hops = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT))
            memcpy(&hops, CMSG_DATA(c), sizeof(hops));
    return hops;
}

ssize_t datagram_receive(int fd, void *data, size_t size, struct ip *ret_from, int *ret_hops)
{
    unsigned char control[64];
    union sockaddr_any from;
    struct iovec piece = {data, size};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &piece,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, 0);
    if (n < 0)
        return n;
    *ret_from = address_of(&from);
    *ret_hops = hops_of(&m);
    return n;
}
