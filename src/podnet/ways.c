/* See ways.h. The order of flannel's vxlan backend, without its subnets' leases: gateway, neighbour, forwarding. */
#include "podnet/ways.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"

#define OUR_OWN 0x02 /* first byte of a MAC: given by hand, of one station */
#define V4_MARK 0xc8

bool ways_mode_parse(const char *text, enum ways_mode *ret)
{
    static const char *const names[] = {[WAYS_AUTO] = "auto", [WAYS_DIRECT] = "direct", [WAYS_VXLAN] = "vxlan"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (streq(text, names[i])) {
            *ret = (enum ways_mode)i;
            return true;
        }
    return false;
}

int ways_overhead(int family)
{
    return family == AF_INET6 ? 70 : 50; /* IP 40 or 20, UDP 8, VXLAN 8, Ethernet 14 */
}

/* Of IPv4 the address itself, so no two nodes can have the same; of IPv6 40 bits of a hash. */
void ways_mac(const struct ip *ip, unsigned char ret[MAC_LEN])
{
    uint64_t hash = hash_bytes(ip->bytes, sizeof(ip->bytes));
    ret[0] = OUR_OWN;
    ret[1] = V4_MARK;
    if (ip->family == AF_INET)
        memcpy(&ret[2], ip->bytes, 4);
    else
        memcpy(&ret[1], &hash, MAC_LEN - 1);
}

/* --- lists --- */

void ways_add(struct ways *w, const struct way *row)
{
    if (!(w->n & (w->n - 1)))
        w->rows = xrealloc(w->rows, (w->n ? 2 * w->n : 1) * sizeof(*w->rows));
    w->rows[w->n++] = *row;
}

void ways_done(struct ways *w)
{
    free(w->rows);
    *w = (struct ways){0};
}

int way_compare(const struct way *a, const struct way *b)
{
    if (a->type != b->type)
        return (int)a->type - (int)b->type;
    if (a->type == WAY_FORWARD)
        return memcmp(a->mac, b->mac, MAC_LEN);
    int order = ip_compare(&a->dst.ip, &b->dst.ip);
    return order ? order : a->dst.prefix - b->dst.prefix;
}

bool way_equal(const struct way *a, const struct way *b)
{
    return way_compare(a, b) == 0 && a->tunnel == b->tunnel && ip_equal(&a->via, &b->via) &&
           memcmp(a->mac, b->mac, MAC_LEN) == 0;
}

static int compare_rows(const void *a, const void *b)
{
    return way_compare(a, b);
}

void ways_sort(struct ways *w)
{
    if (w->n)
        qsort(w->rows, w->n, sizeof(*w->rows), compare_rows);
}

/* One walk along both: what is missing or differs is put, or, the other way round, what is too much is dropped. */
static int walk(const struct ways *have, const struct ways *want, bool drop, way_fn *fn, void *arg)
{
    int result = 0;
    for (size_t h = 0, w = 0; h < have->n || w < want->n;) {
        int order = h == have->n ? 1 : w == want->n ? -1 : way_compare(&have->rows[h], &want->rows[w]);
        if (order < 0 && drop && fn(arg, &have->rows[h], true) < 0)
            result = -1;
        if (!drop && (order > 0 || (order == 0 && !way_equal(&have->rows[h], &want->rows[w]))) &&
            fn(arg, &want->rows[w], false) < 0)
            result = -1;
        h += order <= 0;
        w += order >= 0;
    }
    return result;
}

int ways_diff(const struct ways *have, const struct ways *want, way_fn *fn, void *arg)
{
    int put = walk(have, want, false, fn, arg), dropped = walk(have, want, true, fn, arg);
    return put < 0 || dropped < 0 ? -1 : 0;
}

/* --- the plan --- */

static struct cidr single(const struct ip *ip)
{
    return (struct cidr){.ip = *ip, .prefix = ip_bits(ip->family)};
}

static bool on_link(const struct ip *ip, const struct cidr *links, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (links[i].ip.family == ip->family && cidr_has(&links[i], ip))
            return true;
    return false;
}

/* What a node is called in the tunnel: the gateway of its pods, which is an address of its own. IPv6 takes no gateway
 * that another route leads to, so there it is the address that every interface has by its MAC (RFC 4291, appendix A).
 */
static struct ip tunnel_gateway(const struct cidr *pods, const unsigned char mac[MAC_LEN])
{
    if (pods->ip.family == AF_INET)
        return cidr_nth(pods, 1);
    return (struct ip){
        .family = AF_INET6,
        .bytes = {0xfe, 0x80, [8] = mac[0] ^ OUR_OWN, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}};
}

static void plan_tunnel(const struct cidr *pods, const struct ip *node, const unsigned char mac[MAC_LEN],
                        struct ways *ret)
{
    const struct ip gateway = tunnel_gateway(pods, mac);
    struct way route = {.type = WAY_ROUTE, .tunnel = true, .dst = *pods, .via = gateway};
    struct way neighbour = {.type = WAY_NEIGHBOUR, .tunnel = true, .dst = single(&gateway)};
    memcpy(neighbour.mac, mac, MAC_LEN);
    ways_add(ret, &route);
    ways_add(ret, &neighbour);
    if (!node)
        return;
    route.type = WAY_POD_ROUTE;
    route.dst = single(node);
    ways_add(ret, &route);
}

static void plan_node(enum ways_mode mode, const struct ways_node *own, const struct cidr *links, size_t n_links,
                      const struct ways_node *node, struct ways *ret)
{
    const struct ip *behind = ips_of(&node->ips, own->ips.ip[0].family); /* what carries the tunnel */
    struct way forward = {.type = WAY_FORWARD, .tunnel = true};
    bool tunnelled = false;
    for (int i = 0; i < node->pods.n; i++) {
        const struct cidr *pods = &node->pods.cidr[i];
        const struct ip *ip = ips_of(&node->ips, pods->ip.family);
        if (!ips_of(&own->ips, pods->ip.family))
            continue;
        if (mode != WAYS_VXLAN && ip && on_link(ip, links, n_links)) {
            ways_add(ret, &(struct way){.type = WAY_ROUTE, .dst = *pods, .via = *ip});
        } else if (mode != WAYS_DIRECT && behind) {
            ways_mac(&node->ips.ip[0], forward.mac);
            plan_tunnel(pods, ip, forward.mac, ret);
            tunnelled = true;
        }
    }
    if (!tunnelled)
        return;
    forward.via = *behind;
    ways_add(ret, &forward);
}

/* Two nodes that claim the same: the first one has it, as on the wire. */
static void drop_repeated(struct ways *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (n == 0 || way_compare(&w->rows[n - 1], &w->rows[i]))
            w->rows[n++] = w->rows[i];
    w->n = n;
}

void ways_plan(enum ways_mode mode, const struct ways_node *own, const struct cidr *links, size_t n_links,
               const struct ways_node *others, size_t n_others, struct ways *ret)
{
    *ret = (struct ways){0};
    for (size_t i = 0; i < n_others; i++)
        plan_node(mode, own, links, n_links, &others[i], ret);
    ways_sort(ret);
    drop_repeated(ret);
}

const struct way *ways_to(const struct ways *w, const struct cidr *pods)
{
    const struct way wanted = {.type = WAY_ROUTE, .dst = *pods};
    return w->n ? bsearch(&wanted, w->rows, w->n, sizeof(*w->rows), compare_rows) : NULL;
}
