/* See upstream.h. */
#include "dns/upstream.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define DNS_PORT 53

/* An address with an optional "%interface" (link-local IPv6). */
static bool parse_host(const char *text, struct ip *ret, unsigned *ret_scope)
{
    _cleanup_free_ char *host = xstrdup(text);
    char *zone = strchr(host, '%');
    *ret_scope = 0;
    if (zone) {
        *zone = '\0';
        *ret_scope = if_nametoindex(zone + 1);
    }
    return ip_parse(host, ret) && (!zone || (*ret_scope && ret->family == AF_INET6));
}

/* Cuts the port's text off, if there is one: "10.0.0.1#5353", "10.0.0.1:5353", "[fd00::1]:5353". *host moves behind
 * "[". */
static char *cut_port(char **host)
{
    char *at = strchr(*host, '#'), *bracket = strstr(*host, "]:");
    if (!at && **host == '[' && bracket) {
        ++*host;
        *bracket = '\0';
        return bracket + 2;
    }
    if (!at && strchr(*host, ':') == strrchr(*host, ':'))
        at = strchr(*host, ':');
    if (!at)
        return NULL;
    *at = '\0';
    return at + 1;
}

bool upstream_parse(const char *text, struct upstream *ret)
{
    _cleanup_free_ char *copy = xstrdup(text);
    char *host = copy, *port_text = cut_port(&host);
    int64_t port = DNS_PORT;
    struct ip ip;
    unsigned scope;
    if (port_text && !str_to_i64(port_text, 1, 65535, &port))
        return false;
    if (!parse_host(host, &ip, &scope))
        return false;
    *ret = (struct upstream){0};
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    if (ip.family == AF_INET) {
        struct sockaddr_in *sin = (struct sockaddr_in *)&ret->addr;
        *sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = ip.v4};
        ret->addr_len = sizeof(*sin);
    } else {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&ret->addr;
        *sin6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = ip.v6, .sin6_scope_id = scope};
        ret->addr_len = sizeof(*sin6);
    }
    return true;
}

static bool is_own(const struct upstream *u, const struct ips *own)
{
    const struct ip *ip = ips_of(own, u->addr.ss_family);
    const struct sockaddr_in *sin = (const struct sockaddr_in *)&u->addr;
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&u->addr;
    if (!ip || ntohs(sin->sin_port) != DNS_PORT) /* which lies at the same place in both */
        return false;
    return ip->family == AF_INET ? sin->sin_addr.s_addr == ip->v4.s_addr
                                 : IN6_ARE_ADDR_EQUAL(&sin6->sin6_addr, &ip->v6);
}

static void add(const char *text, const struct ips *own, struct upstream *list, size_t *n)
{
    if (*n < UPSTREAMS_MAX && upstream_parse(text, &list[*n]) && !is_own(&list[*n], own))
        ++*n;
}

size_t upstreams_from_list(const char *const *list, const struct ips *own, struct upstream ret[UPSTREAMS_MAX])
{
    size_t n = 0;
    for (; *list; list++)
        add(*list, own, ret, &n);
    return n;
}

size_t upstreams_from_resolv_conf(const char *text, const struct ips *own, struct upstream ret[UPSTREAMS_MAX])
{
    size_t n = 0, n_lines;
    _cleanup_free_ char **lines = str_split(text, '\n', &n_lines);
    for (size_t i = 0; i < n_lines; i++) {
        static const char blanks[] = " \t\r";
        const char *rest = str_after(lines[i], "nameserver");
        if (!rest || !*rest || !strchr(blanks, *rest))
            continue;
        rest += strspn(rest, blanks);
        _cleanup_free_ char *word = xstrndup(rest, strcspn(rest, blanks));
        add(word, own, ret, &n);
    }
    return n;
}
