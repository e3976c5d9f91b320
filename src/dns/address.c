/* See address.h. On `lo` and not on a dummy interface, which not every kernel has; with scope host, so that it is never
 * chosen as the source of anything else. */
#include "dns/address.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <time.h>

#include "base/netns.h"

static int change(int netns_fd, const struct ip *ip, int type, int flags)
{
    NETNS_SCOPE(netns_fd);
    char message[256], reply[4096];
    struct nlmsghdr *m = mnl_nlmsg_put_header(message);
    m->nlmsg_type = (uint16_t)type;
    m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    m->nlmsg_seq = 1;
    size_t size = ip->family == AF_INET ? 4 : 16;
    struct ifaddrmsg *a = mnl_nlmsg_put_extra_header(m, sizeof(*a));
    a->ifa_family = (uint8_t)ip->family;
    a->ifa_prefixlen = (uint8_t)(size * 8);
    a->ifa_scope = RT_SCOPE_HOST;
    a->ifa_flags = ip->family == AF_INET6 ? IFA_F_NODAD : 0; /* sockets are bound to it at once */
    a->ifa_index = if_nametoindex("lo");
    mnl_attr_put(m, IFA_LOCAL, size, ip->bytes);
    mnl_attr_put(m, IFA_ADDRESS, size, ip->bytes);

    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!s)
        return errno;
    int failed = 0;
    ssize_t n = -1;
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 && mnl_socket_sendto(s, m, m->nlmsg_len) >= 0)
        n = mnl_socket_recvfrom(s, reply, sizeof(reply));
    if (n < 0 || mnl_cb_run(reply, (size_t)n, 1, mnl_socket_get_portid(s), NULL, NULL) < 0)
        failed = errno;
    mnl_socket_close(s);
    return failed;
}

int address_add(int netns_fd, const struct ip *ip, struct err *err)
{
    char text[IP_TEXT_SIZE];
    int failed = change(netns_fd, ip, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    return failed && failed != EEXIST ? err_set(err, failed, "put the DNS address %s on lo", ip_format(ip, text)) : 0;
}

void address_del(int netns_fd, const struct ip *ip)
{
    (void)change(netns_fd, ip, RTM_DELADDR, 0);
}
