/* See garp.h. */
#include "podnet/garp.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
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

int garp_send(int netns_fd, const char *ifname, struct in_addr ip, struct err *err)
{
    NETNS_SCOPE(netns_fd);
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETHERTYPE_ARP),
                             .sll_ifindex = (int)if_nametoindex(ifname),
                             .sll_halen = ETH_ALEN};
    struct ifreq link = {0};
    struct ether_arp arp;
    memset(to.sll_addr, 0xff, ETH_ALEN);
    strncpy(link.ifr_name, ifname, sizeof(link.ifr_name) - 1);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &link) < 0)
        return err_set(err, errno, "ARP on %s", ifname);
    fill(&arp, (unsigned char *)link.ifr_hwaddr.sa_data, ip);
    return sendto(fd, &arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0
               ? err_set(err, errno, "ARP on %s", ifname)
               : 0;
}
