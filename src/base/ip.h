/* IP addresses and ranges of either family, as the objects spell them. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

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
bool cidr_parse(const char *text, struct cidr *ret);      /* "10.0.0.0/8"; host bits are cleared */
struct cidr cidr_around(const struct ip *ip, int prefix); /* the network that the address is in */
char *cidr_format(const struct cidr *c, char out[CIDR_TEXT_SIZE]);
bool cidr_has(const struct cidr *c, const struct ip *ip);
bool cidr_covers(const struct cidr *outer, const struct cidr *inner);

struct ip ip_plus(const struct ip *ip, uint32_t n);
bool ip_distance(const struct ip *from, const struct ip *to, uint32_t *ret); /* false: not 0 to 2^32 - 1 */
/* The n-th address of the range, and the number of an address in it (false: outside, or further than 32 bits go). */
struct ip cidr_nth(const struct cidr *c, uint32_t n);
bool cidr_index(const struct cidr *c, const struct ip *ip, uint32_t *ret);

/* What something has in each family of the cluster, the primary family first. As text with a comma between, as
 * upstream's flags and status.podIPs of the downward API have them. */
#define FAMILIES_MAX 2
struct ips {
    struct ip ip[FAMILIES_MAX];
    int n;
};
struct cidrs {
    struct cidr cidr[FAMILIES_MAX];
    int n;
};
#define IPS_TEXT_SIZE (FAMILIES_MAX * (IP_TEXT_SIZE + 1))
bool ips_parse(const char *text, struct ips *ret); /* one, or two of different families */
char *ips_format(const struct ips *ips, char out[IPS_TEXT_SIZE]);
const struct ip *ips_of(const struct ips *ips, int family); /* NULL: none */
char *ips_first(const char *text, char out[IP_TEXT_SIZE]);  /* of the primary family; "" for "" */
/* Walks such a text: *cursor starts as the text. False: no more. */
bool ips_next(const char **cursor, char out[IP_TEXT_SIZE]);
int ips_split(const char *text, char out[FAMILIES_MAX][IP_TEXT_SIZE]); /* how many; the rest of out is "" */
bool cidrs_parse(const char *text, struct cidrs *ret);
const struct cidr *cidrs_of(const struct cidrs *cidrs, int family);

int ip_bits(int family); /* 32, 128 */
/* As URLs have it: "[fd00::1]"; anything else stays as it is. */
#define HOST_TEXT_SIZE 256
char *ip_url_host(const char *host, char out[HOST_TEXT_SIZE]);
