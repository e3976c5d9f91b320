/* IP addresses and ranges of either family, as the objects spell them. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>

struct ip {
    int family; /* AF_INET, AF_INET6; 0: none */
    union {
        struct in_addr v4;
        struct in6_addr v6;
        unsigned char bytes[16];
    };
};
#define IP_TEXT_SIZE INET6_ADDRSTRLEN
bool ip_parse(const char *text, struct ip *ret); /* strict: no leading zeros, no zone */
char *ip_format(const struct ip *ip, char out[IP_TEXT_SIZE]);
bool ip_equal(const struct ip *a, const struct ip *b);
int ip_compare(const struct ip *a, const struct ip *b); /* by family, then numerically */

struct cidr {
    struct ip ip; /* host bits are zero */
    int prefix;
};
#define CIDR_TEXT_SIZE (IP_TEXT_SIZE + 4)
bool cidr_parse(const char *text, struct cidr *ret); /* "10.0.0.0/8"; host bits are cleared */
char *cidr_format(const struct cidr *c, char out[CIDR_TEXT_SIZE]);
bool cidr_has(const struct cidr *c, const struct ip *ip);
bool cidr_covers(const struct cidr *outer, const struct cidr *inner);
