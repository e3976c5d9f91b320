/* See nodeports.h. */
#include "cli/nodeports.h"

#include <errno.h>
#include <stdlib.h>

#define LOG_AREA "cluster"
#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "podnet/rtnl.h"

#define PRIMARY "primary"

int nodeport_addresses_parse(const char *text, struct nodeport_addresses *ret, struct err *err)
{
    size_t n;
    *ret = (struct nodeport_addresses){0};
    if (streq(text, PRIMARY))
        return 0;
    _cleanup_free_ char **parts = str_split(text, ',', &n);
    if (n > NODEPORT_RANGES_MAX)
        return err_set(err, EINVAL, "--nodeport-addresses: more than %d ranges", NODEPORT_RANGES_MAX);
    for (size_t i = 0; i < n; i++)
        if (!cidr_parse(parts[i], &ret->ranges[ret->n++]))
            return err_set(err, EINVAL,
                           "--nodeport-addresses: \"%s\" is no range; they look like 192.168.1.0/24, or all is %s",
                           parts[i], PRIMARY);
    return 0;
}

struct search {
    const struct nodeport_addresses *wanted;
    const struct nodeport_site *site;
    struct cidrs pods, services;
    struct ip *list;
    size_t n;
};

static bool is_inside(const struct cidrs *ranges, const struct ip *ip)
{
    const struct cidr *range = cidrs_of(ranges, ip->family);
    return range && cidr_has(range, ip);
}

/* As with kube-proxy's nftables mode loopback is none of them: what is sent there does not leave by another interface.
 */
static bool is_of_this_host_alone(const struct ip *ip)
{
    return ip->family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&ip->v6) || IN6_IS_ADDR_LINKLOCAL(&ip->v6)
                                  : ip->bytes[0] == 127;
}

static bool is_wanted(const struct nodeport_addresses *a, const struct ip *ip)
{
    for (int i = 0; i < a->n; i++)
        if (cidr_has(&a->ranges[i], ip))
            return true;
    return false;
}

static void consider(void *arg, const struct ip *ip, int prefix, const char *ifname)
{
    struct search *s = arg;
    (void)prefix;
    (void)ifname;
    if (ip->family != s->site->primary.family || !is_wanted(s->wanted, ip) || is_of_this_host_alone(ip) ||
        lb_pool_has(s->site->lb_pool, ip) || is_inside(&s->pods, ip) || is_inside(&s->services, ip))
        return;
    s->list = xrealloc(s->list, (s->n + 1) * sizeof(*s->list));
    s->list[s->n++] = *ip;
}

static int compare_ips(const void *a, const void *b)
{
    return ip_compare(a, b);
}

struct ip *nodeport_addresses_find(const struct nodeport_addresses *a, const struct nodeport_site *site, size_t *ret_n)
{
    struct search s = {.wanted = a, .site = site, .list = NEW(struct ip)};
    struct err err;
    *ret_n = 1;
    *s.list = site->primary;
    if (!a->n)
        return s.list;
    cidrs_parse(site->cluster->pods, &s.pods);
    cidrs_parse(site->cluster->services, &s.services);
    struct rtnl *r = rtnl_open(site->netns_fd, &err);
    if (!r || rtnl_each_addr(r, consider, &s, &err) < 0)
        log_error("NodePorts are answered nowhere: %s", err.msg);
    rtnl_close(r);
    qsort(s.list, s.n, sizeof(*s.list), compare_ips);
    *ret_n = s.n;
    return s.list;
}
