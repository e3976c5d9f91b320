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

bool upstream_parse(const char *text, struct upstream *ret)
{
    _cleanup_free_ char *host = xstrdup(text);
    char *hash = strchr(host, '#');
    int64_t port = DNS_PORT;
    struct ip ip;
    unsigned scope;
    if (hash) {
        *hash = '\0';
        if (!str_to_i64(hash + 1, 1, 65535, &port))
            return false;
    }
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

static bool is_own(const struct upstream *u, const struct ip *own)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)&u->addr;
    return u->addr.ss_family == AF_INET && own->family == AF_INET && sin->sin_addr.s_addr == own->v4.s_addr &&
           ntohs(sin->sin_port) == DNS_PORT;
}

static void add(const char *text, const struct ip *own, struct upstream *list, size_t *n)
{
    if (*n < UPSTREAMS_MAX && upstream_parse(text, &list[*n]) && !is_own(&list[*n], own))
        ++*n;
}

size_t upstreams_from_list(const char *const *list, const struct ip *own, struct upstream ret[UPSTREAMS_MAX])
{
    size_t n = 0;
    for (; *list; list++)
        add(*list, own, ret, &n);
    return n;
}

size_t upstreams_from_resolv_conf(const char *text, const struct ip *own, struct upstream ret[UPSTREAMS_MAX])
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
