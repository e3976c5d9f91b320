/* Word to the neighbours that an address is here now: whoever on the LAN remembers another owner learns the new one. A
 * gratuitous ARP request (RFC 5227, section 3) or an unsolicited neighbour advertisement (RFC 4861, section 7.2.6). */
#pragma once
#include "base/err.h"
#include "base/ip.h"

int gratuitous_send(int netns_fd, const char *ifname, const struct ip *ip, struct err *err);
