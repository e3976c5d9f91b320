/* The servers that other names are asked of. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/ip.h"

#define UPSTREAMS_MAX 3 /* as every resolver reads no more than three of resolv.conf (MAXNS) */

struct upstream {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    char text[IP_TEXT_SIZE + 10]; /* for messages */
};

/* "10.0.0.1", "fd00::1", or with a port "10.0.0.1#5353", "10.0.0.1:5353", "[fd00::1]:5353". */
bool upstream_parse(const char *text, struct upstream *ret);
/* From the text of a resolv.conf, leaving out `own` (we would ask ourselves). Returns how many. */
size_t upstreams_from_resolv_conf(const char *text, const struct ips *own, struct upstream ret[UPSTREAMS_MAX]);
/* From a NULL-terminated list, in the same way; what is no address is left out. */
size_t upstreams_from_list(const char *const *list, const struct ips *own, struct upstream ret[UPSTREAMS_MAX]);
