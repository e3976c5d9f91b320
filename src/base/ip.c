/* See ip.h. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static size_t ip_size(int family)
{
    return family == AF_INET ? sizeof(struct in_addr) : family == AF_INET6 ? sizeof(struct in6_addr) : 0;
}

bool ip_parse(const char *text, struct ip *ret)
{
    struct ip ip = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(ip.family, text, ip.bytes) != 1)
        return false;
    *ret = ip;
    return true;
}

char *ip_format(const struct ip *ip, char out[IP_TEXT_SIZE])
{
    if (!ip_size(ip->family) || !inet_ntop(ip->family, ip->bytes, out, IP_TEXT_SIZE))
        out[0] = '\0';
    return out;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return ip_compare(a, b) == 0;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, ip_size(a->family));
}

static void clear_host_bits(struct cidr *c)
{
    for (size_t bit = (size_t)c->prefix; bit < 8 * ip_size(c->ip.family); bit++)
        c->ip.bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
}

bool cidr_parse(const char *text, struct cidr *ret)
{
    struct cidr c = {0};
    char address[IP_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    int64_t prefix;
    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (!ip_parse(address, &c.ip) || !str_to_i64(slash + 1, 0, (int64_t)(8 * ip_size(c.ip.family)), &prefix))
        return false;
    c.prefix = (int)prefix;
    clear_host_bits(&c);
    *ret = c;
    return true;
}

char *cidr_format(const struct cidr *c, char out[CIDR_TEXT_SIZE])
{
    ip_format(&c->ip, out);
    snprintf(out + strlen(out), 5, "/%d", c->prefix);
    return out;
}

bool cidr_has(const struct cidr *c, const struct ip *ip)
{
    struct cidr at = {.ip = *ip, .prefix = c->prefix};
    if (ip->family != c->ip.family)
        return false;
    clear_host_bits(&at);
    return ip_equal(&at.ip, &c->ip);
}

bool cidr_covers(const struct cidr *outer, const struct cidr *inner)
{
    return outer->prefix <= inner->prefix && cidr_has(outer, &inner->ip);
}
