/* A gratuitous ARP request: whoever on the LAN remembers another owner of the address learns the new one (RFC 5227,
 * section 3). */
#pragma once
#include <netinet/in.h>

#include "base/err.h"

int garp_send(int netns_fd, const char *ifname, struct in_addr ip, struct err *err);
