/* See place.h. */
#include "cli/place.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "podnet/rtnl.h"

#define PREFER_SRC_PUBLIC 0x0002 /* linux/in6.h, which does not get on with netinet/in.h */

#define DISCARD_PORT 9

static const char *family_name(int family)
{
    return family == AF_INET6 ? "IPv6" : "IPv4";
}

static bool is_link_local(const struct ip *ip)
{
    return ip->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&ip->v6);
}

/* --- by the routes --- */

/* Of IPv6 no temporary address (RFC 8981), which would be gone tomorrow. */
bool place_source(const struct ip *to, struct ip *ret)
{
    const int public = PREFER_SRC_PUBLIC;
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT), .sin_addr = to->v4};
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT), .sin6_addr = to->v6};
    bool v6 = to->family == AF_INET6;
    struct sockaddr *address = v6 ? (struct sockaddr *)&sin6 : (struct sockaddr *)&sin;
    socklen_t len = v6 ? sizeof(sin6) : sizeof(sin);
    _cleanup_close_ int fd = socket(to->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (v6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &public, sizeof(public));
    if (connect(fd, address, len) < 0 || getsockname(fd, address, &len) < 0)
        return false;
    *ret = (struct ip){.family = to->family};
    if (v6)
        ret->v6 = sin6.sin6_addr;
    else
        ret->v4 = sin.sin_addr;
    return !is_link_local(ret);
}

/* For documents only (RFC 5737, RFC 3849): nobody is there, but the way there is the default route. */
static struct ip far_away(int family)
{
    struct ip ip;
    ip_parse(family == AF_INET6 ? "2001:db8::1" : "192.0.2.1", &ip);
    return ip;
}

/* --- by the interfaces --- */

struct search {
    struct ip ip;       /* family alone: any of `ifname` */
    const char *ifname; /* NULL: any */
    struct ip found;
    char found_at[16];
};

/* Single addresses beside a network's are those of load balancers. */
static void look_at(void *arg, const struct ip *ip, int prefix, const char *ifname)
{
    struct search *s = arg;
    bool fits = s->ifname ? ip->family == s->ip.family && streq(ifname, s->ifname) && !is_link_local(ip) &&
                                prefix < ip_bits(ip->family)
                          : ip_equal(ip, &s->ip);
    if (!fits || s->found.family)
        return;
    s->found = *ip;
    snprintf(s->found_at, sizeof(s->found_at), "%s", ifname);
}

static int search(struct search *s, struct err *err)
{
    struct rtnl *r = rtnl_open(-1, err);
    int result = r ? rtnl_each_addr(r, look_at, s, err) : -1;
    rtnl_close(r);
    return result;
}

/* --- putting it together --- */

static int find_ip(const struct machine_place *p, int family, const struct place_wish *wish, struct ip *ret,
                   struct err *err)
{
    const struct ip far = far_away(family);
    struct search beside = {.ip.family = family, .ifname = p->ifname};
    struct ips wished;
    const struct ip *said = wish->node_ips && ips_parse(wish->node_ips, &wished) ? ips_of(&wished, family) : NULL;
    if (said) {
        *ret = *said;
        return 0;
    }
    if ((wish->toward && wish->toward->family == family && place_source(wish->toward, ret)) || place_source(&far, ret))
        return 0;
    /* A segment without a router of this family: what stands beside the primary address. */
    if (*p->ifname && search(&beside, err) < 0)
        return -1;
    *ret = beside.found;
    return ret->family ? 0
                       : err_set(err, 0,
                                 "no %s address of this machine is found, and every node of this cluster has one "
                                 "(--node-ip says it)",
                                 family_name(family));
}

static int add_ip(struct machine_place *p, const struct ip *ip, struct err *err)
{
    struct search s = {.ip = *ip};
    char text[IP_TEXT_SIZE];
    size_t len = strlen(p->ips);
    ip_format(ip, text);
    if (is_link_local(ip))
        return err_set(err, 0, "--node-ip: %s is good on one link only", text);
    if (search(&s, err) < 0)
        return -1;
    if (!s.found.family)
        return err_set(err, 0, "--node-ip: no interface has the address %s", text);
    if (!len) {
        memcpy(p->ip, text, sizeof(text));
        memcpy(p->ifname, s.found_at, sizeof(s.found_at));
    }
    snprintf(p->ips + len, sizeof(p->ips) - len, "%s%s", len ? "," : "", text);
    return 0;
}

static int check_wish(const struct addresses *a, const char *node_ips, struct err *err)
{
    struct ips ips;
    if (!node_ips)
        return 0;
    if (!ips_parse(node_ips, &ips))
        return err_set(err, 0, "--node-ip takes an address, or one of each family with a comma between");
    for (int i = 0; i < ips.n; i++)
        if (ips.ip[i].family != a->families[0] && (a->n_families == 1 || ips.ip[i].family != a->families[1]))
            return err_set(err, 0, "--node-ip: this cluster has no %s", family_name(ips.ip[i].family));
    return 0;
}

int place_find(struct machine_place *p, const char *families, const struct place_wish *wish, struct err *err)
{
    struct ip ip;
    if (!addresses_init(&p->addresses, families))
        return err_set(err, 0, "--ip-families takes IPv4, IPv6, IPv4,IPv6 or IPv6,IPv4");
    if (check_wish(&p->addresses, wish->node_ips, err) < 0)
        return -1;
    for (int i = 0; i < p->addresses.n_families; i++)
        if (find_ip(p, p->addresses.families[i], wish, &ip, err) < 0 || add_ip(p, &ip, err) < 0)
            return -1;
    return 0;
}

static char *host_name(void)
{
    char text[64] = "";
    gethostname(text, sizeof(text) - 1);
    for (char *c = text; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return xstrdup(text);
}

void place_init(struct machine_place *ret, const char *name)
{
    *ret = (struct machine_place){.name = name ? xstrdup(name) : host_name()};
}

void place_done(struct machine_place *p)
{
    free(p->name);
}
