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

int ip_bits(int family)
{
    return (int)(8 * ip_size(family));
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

struct cidr cidr_around(const struct ip *ip, int prefix)
{
    struct cidr c = {.ip = *ip, .prefix = prefix};
    clear_host_bits(&c);
    return c;
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

/* The last 32 bits, the only ones that an offset moves. */
static uint32_t tail(const struct ip *ip)
{
    uint32_t n;
    memcpy(&n, ip->bytes + ip_size(ip->family) - sizeof(n), sizeof(n));
    return ntohl(n);
}

struct ip ip_plus(const struct ip *ip, uint32_t n)
{
    struct ip sum = *ip;
    n = htonl(tail(ip) + n);
    memcpy(sum.bytes + ip_size(ip->family) - sizeof(n), &n, sizeof(n));
    return sum;
}

bool ip_distance(const struct ip *from, const struct ip *to, uint32_t *ret)
{
    if (from->family != to->family || !ip_size(from->family) || ip_compare(from, to) > 0)
        return false;
    *ret = tail(to) - tail(from);
    struct ip again = ip_plus(from, *ret);
    return ip_equal(&again, to);
}

struct ip cidr_nth(const struct cidr *c, uint32_t n)
{
    return ip_plus(&c->ip, n);
}

bool cidr_index(const struct cidr *c, const struct ip *ip, uint32_t *ret)
{
    return cidr_has(c, ip) && ip_distance(&c->ip, ip, ret);
}

/* Calls one(text, n, arg) for each member of a list of at most FAMILIES_MAX: their number, 0 when there is a bad one.
 */
static int each_member(const char *text, bool (*one)(const char *text, int i, void *arg), void *arg)
{
    char member[CIDR_TEXT_SIZE];
    for (int i = 0; i < FAMILIES_MAX; i++) {
        size_t len = strcspn(text, ",");
        if (len >= sizeof(member))
            return 0;
        memcpy(member, text, len);
        member[len] = '\0';
        if (!one(member, i, arg))
            return 0;
        if (!text[len])
            return i + 1;
        text += len + 1;
    }
    return 0;
}

static bool parse_ip(const char *text, int i, void *arg)
{
    struct ips *ips = arg;
    return ip_parse(text, &ips->ip[i]) && (i == 0 || ips->ip[0].family != ips->ip[i].family);
}

bool ips_parse(const char *text, struct ips *ret)
{
    struct ips ips = {0};
    ips.n = each_member(text, parse_ip, &ips);
    if (ips.n)
        *ret = ips;
    return ips.n;
}

static bool parse_cidr(const char *text, int i, void *arg)
{
    struct cidrs *cidrs = arg;
    return cidr_parse(text, &cidrs->cidr[i]) && (i == 0 || cidrs->cidr[0].ip.family != cidrs->cidr[i].ip.family);
}

bool cidrs_parse(const char *text, struct cidrs *ret)
{
    struct cidrs cidrs = {0};
    cidrs.n = each_member(text, parse_cidr, &cidrs);
    if (cidrs.n)
        *ret = cidrs;
    return cidrs.n;
}

char *ips_format(const struct ips *ips, char out[IPS_TEXT_SIZE])
{
    size_t len = 0;
    out[0] = '\0';
    for (int i = 0; i < ips->n; i++) {
        if (i)
            out[len++] = ',';
        ip_format(&ips->ip[i], out + len);
        len += strlen(out + len);
    }
    return out;
}

const struct ip *ips_of(const struct ips *ips, int family)
{
    for (int i = 0; i < ips->n; i++)
        if (ips->ip[i].family == family)
            return &ips->ip[i];
    return NULL;
}

const struct cidr *cidrs_of(const struct cidrs *cidrs, int family)
{
    for (int i = 0; i < cidrs->n; i++)
        if (cidrs->cidr[i].ip.family == family)
            return &cidrs->cidr[i];
    return NULL;
}

char *ips_first(const char *text, char out[IP_TEXT_SIZE])
{
    snprintf(out, IP_TEXT_SIZE, "%.*s", (int)strcspn(text, ","), text);
    return out;
}

bool ips_next(const char **cursor, char out[IP_TEXT_SIZE])
{
    const char *text = *cursor;
    size_t len = strcspn(text, ",");
    if (!*text)
        return false;
    ips_first(text, out);
    *cursor = text + len + (text[len] == ',');
    return true;
}

int ips_split(const char *text, char out[FAMILIES_MAX][IP_TEXT_SIZE])
{
    int n = 0;
    for (int i = 0; i < FAMILIES_MAX; i++) {
        out[i][0] = '\0';
        n += ips_next(&text, out[i]);
    }
    return n;
}

char *ip_url_host(const char *host, char out[HOST_TEXT_SIZE])
{
    bool v6 = strchr(host, ':');
    snprintf(out, HOST_TEXT_SIZE, "%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "");
    return out;
}
