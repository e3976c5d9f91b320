/* See gratuitous.h. */
#include "podnet/gratuitous.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"

/* Broadcast, with the address as sender and as target. */
static void fill(struct ether_arp *arp, const unsigned char mac[ETH_ALEN], struct in_addr ip)
{
    *arp = (struct ether_arp){.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                                         .ar_pro = htons(ETHERTYPE_IP),
                                         .ar_hln = ETH_ALEN,
                                         .ar_pln = sizeof(ip),
                                         .ar_op = htons(ARPOP_REQUEST)}};
    memcpy(arp->arp_sha, mac, ETH_ALEN);
    memcpy(arp->arp_spa, &ip, sizeof(ip));
    memcpy(arp->arp_tpa, &ip, sizeof(ip));
}

static int send_arp(const char *ifname, const unsigned char mac[ETH_ALEN], struct in_addr ip)
{
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETHERTYPE_ARP),
                             .sll_ifindex = (int)if_nametoindex(ifname),
                             .sll_halen = ETH_ALEN};
    struct ether_arp arp;
    memset(to.sll_addr, 0xff, ETH_ALEN);
    fill(&arp, mac, ip);
    return fd < 0 || sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/* To all nodes of the link; the kernel adds the checksum. */
static int send_advertisement(const char *ifname, const unsigned char mac[ETH_ALEN], struct in6_addr ip)
{
    struct __attribute__((packed)) {
        struct nd_neighbor_advert head;
        struct nd_opt_hdr option;
        unsigned char mac[ETH_ALEN];
    } na = {.head.nd_na_hdr.icmp6_type = ND_NEIGHBOR_ADVERT,
            .head.nd_na_target = ip,
            .option = {.nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1}}; /* in units of 8 bytes */
    na.head.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
    memcpy(na.mac, mac, ETH_ALEN);
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_scope_id = if_nametoindex(ifname)};
    inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
    _cleanup_close_ int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    int hops = 255; /* anything else is not from this link, and is ignored */
    return fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0 ||
                   sendto(fd, &na, sizeof(na), 0, (struct sockaddr *)&to, sizeof(to)) < 0
               ? -errno
               : 0;
}

static int read_mac(const char *ifname, unsigned char ret[ETH_ALEN])
{
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq link = {0};
    strncpy(link.ifr_name, ifname, sizeof(link.ifr_name) - 1);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &link) < 0)
        return -errno;
    memcpy(ret, link.ifr_hwaddr.sa_data, ETH_ALEN);
    return 0;
}

int gratuitous_send(int netns_fd, const char *ifname, const struct ip *ip, struct err *err)
{
    NETNS_SCOPE(netns_fd);
    unsigned char mac[ETH_ALEN];
    int failed = read_mac(ifname, mac);
    if (failed == 0)
        failed = ip->family == AF_INET6 ? send_advertisement(ifname, mac, ip->v6) : send_arp(ifname, mac, ip->v4);
    return failed ? err_set(err, -failed, "tell the neighbours on %s", ifname) : 0;
}
