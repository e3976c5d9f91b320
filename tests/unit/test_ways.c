/* podnet: which ways lead to other nodes' pods, and how one set of them becomes another. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rand.h"
#include "podnet/ways.h"
#include "t.h"

static struct ways_node node(const char *ips, const char *pods)
{
    struct ways_node n = {0};
    T_TRUE(ips_parse(ips, &n.ips) && (!*pods || cidrs_parse(pods, &n.pods)));
    return n;
}

static struct cidr range(const char *text)
{
    struct cidr c;
    T_TRUE(cidr_parse(text, &c));
    return c;
}

/* One line a row. */
static char *print(const struct ways *w)
{
    static const char *const names[] = {"route", "pods", "neighbour", "forward"};
    struct buf text = BUF_INIT(0);
    for (size_t i = 0; i < w->n; i++) {
        const struct way *row = &w->rows[i];
        char dst[CIDR_TEXT_SIZE] = "", via[IP_TEXT_SIZE] = "";
        if (row->dst.ip.family)
            cidr_format(&row->dst, dst);
        if (row->via.family)
            ip_format(&row->via, via);
        buf_addf(&text, "%s %s%s%s%s", names[row->type], dst, *dst && *via ? " " : "", via,
                 row->tunnel && row->type <= WAY_POD_ROUTE ? " tunnel" : "");
        if (row->type >= WAY_NEIGHBOUR)
            buf_addf(&text, " %02x%02x%02x%02x%02x%02x", row->mac[0], row->mac[1], row->mac[2], row->mac[3],
                     row->mac[4], row->mac[5]);
        buf_adds(&text, "\n");
    }
    return text.len ? buf_take(&text) : xstrdup("");
}

static void check(enum ways_mode mode, const char *own_ips, const char *other_ips, const char *pods, const char *want)
{
    const struct ways_node own = node(own_ips, "10.244.0.0/24"), other = node(other_ips, pods);
    const struct cidr links[] = {range("192.168.1.0/24"), range("fd01::/64")};
    struct ways ways;
    ways_plan(mode, &own, links, ARRAY_LEN(links), &other, 1, &ways);
    _cleanup_free_ char *text = print(&ways);
    T_STR(text, want);
    ways_done(&ways);
}

TEST(a_node_on_our_link_is_a_gateway)
{
    check(WAYS_AUTO, "192.168.1.10", "192.168.1.11", "10.244.1.0/24", "route 10.244.1.0/24 192.168.1.11\n");
    check(WAYS_DIRECT, "192.168.1.10", "192.168.1.11", "10.244.1.0/24", "route 10.244.1.0/24 192.168.1.11\n");
    check(WAYS_AUTO, "192.168.1.10", "192.168.1.11", "", "");
}

TEST(another_is_reached_through_the_tunnel)
{
    static const char *const want = "route 10.244.1.0/24 10.244.1.1 tunnel\n"
                                    "pods 192.168.2.11/32 10.244.1.1 tunnel\n"
                                    "neighbour 10.244.1.1/32 02c8c0a8020b\n"
                                    "forward 192.168.2.11 02c8c0a8020b\n";
    check(WAYS_AUTO, "192.168.1.10", "192.168.2.11", "10.244.1.0/24", want);
    check(WAYS_VXLAN, "192.168.1.10", "192.168.2.11", "10.244.1.0/24", want);
    check(WAYS_DIRECT, "192.168.1.10", "192.168.2.11", "10.244.1.0/24", "");
}

TEST(each_family_goes_its_own_way)
{
    check(WAYS_AUTO, "192.168.1.10,fd01::10", "192.168.2.11,fd01::11", "10.244.1.0/24,fd00:10:244:1::/64",
          "route 10.244.1.0/24 10.244.1.1 tunnel\n"
          "route fd00:10:244:1::/64 fd01::11\n"
          "pods 192.168.2.11/32 10.244.1.1 tunnel\n"
          "neighbour 10.244.1.1/32 02c8c0a8020b\n"
          "forward 192.168.2.11 02c8c0a8020b\n");
    check(WAYS_AUTO, "192.168.1.10", "192.168.1.11,fd01::11", "10.244.1.0/24,fd00:10:244:1::/64",
          "route 10.244.1.0/24 192.168.1.11\n"); /* we have no IPv6 */
}

TEST(ipv6_in_the_tunnel)
{
    check(WAYS_AUTO, "192.168.1.10,fd01::10", "192.168.2.11,fd02::11", "10.244.1.0/24,fd00:10:244:1::/64",
          "route 10.244.1.0/24 10.244.1.1 tunnel\n"
          "route fd00:10:244:1::/64 fe80::c8:c0ff:fea8:20b tunnel\n"
          "pods 192.168.2.11/32 10.244.1.1 tunnel\n"
          "pods fd02::11/128 fe80::c8:c0ff:fea8:20b tunnel\n"
          "neighbour 10.244.1.1/32 02c8c0a8020b\n"
          "neighbour fe80::c8:c0ff:fea8:20b/128 02c8c0a8020b\n"
          "forward 192.168.2.11 02c8c0a8020b\n");
}

TEST(ipv4_in_a_tunnel_over_ipv6)
{
    check(WAYS_AUTO, "fd01::10,192.168.1.10", "fd02::11,192.168.2.11", "fd00:10:244:1::/64,10.244.1.0/24",
          "route 10.244.1.0/24 10.244.1.1 tunnel\n"
          "route fd00:10:244:1::/64 fe80::d1:38ff:fe2c:18f9 tunnel\n"
          "pods 192.168.2.11/32 10.244.1.1 tunnel\n"
          "pods fd02::11/128 fe80::d1:38ff:fe2c:18f9 tunnel\n"
          "neighbour 10.244.1.1/32 02d1382c18f9\n"
          "neighbour fe80::d1:38ff:fe2c:18f9/128 02d1382c18f9\n"
          "forward fd02::11 02d1382c18f9\n");
}

TEST(a_node_without_a_way_is_known)
{
    struct ways_node own = {0}, other = {0};
    struct ways ways;
    struct cidr link;
    T_TRUE(ips_parse("192.168.1.10", &own.ips) && cidrs_parse("10.244.0.0/24", &own.pods));
    T_TRUE(ips_parse("192.168.2.11", &other.ips) && cidrs_parse("10.244.1.0/24", &other.pods));
    T_TRUE(cidr_parse("192.168.1.0/24", &link));
    for (int mode = WAYS_AUTO; mode <= WAYS_VXLAN; mode++) {
        ways_plan((enum ways_mode)mode, &own, &link, 1, &other, 1, &ways);
        const struct way *way = ways_to(&ways, &other.pods.cidr[0]);
        T_TRUE(mode == WAYS_DIRECT ? !way : way && way->tunnel);
        T_TRUE(!ways_to(&ways, &own.pods.cidr[0]));
        ways_done(&ways);
    }
}

TEST(nothing_known_is_no_way)
{
    const struct ways_node own = {0}, other = {0};
    struct ways ways;
    ways_plan(WAYS_AUTO, &own, NULL, 0, &other, 1, &ways);
    T_INT((int)ways.n, 0);
    ways_done(&ways);
}

/* --- one set becomes another --- */

static int apply(void *arg, const struct way *row, bool drop)
{
    struct ways *w = arg;
    size_t i = 0;
    while (i < w->n && way_compare(&w->rows[i], row))
        i++;
    T_TRUE(!drop || i < w->n); /* only what is there is dropped */
    if (drop)
        w->rows[i] = w->rows[--w->n];
    else if (i < w->n)
        w->rows[i] = *row;
    else
        ways_add(w, row);
    return 0;
}

/* The rows that are walked are not those that change. */
static int becomes(struct ways *have, const struct ways *want)
{
    struct ways before = {0};
    for (size_t i = 0; i < have->n; i++)
        ways_add(&before, &have->rows[i]);
    int result = ways_diff(&before, want, apply, have);
    ways_done(&before);
    return result;
}

static void random_plan(struct ways *ret)
{
    enum { MAX = 40 };
    struct ways_node nodes[MAX];
    const struct ways_node own = node("192.168.1.10", "10.244.0.0/24");
    const struct cidr link = range("192.168.1.0/24");
    size_t n = rand_below(MAX);
    for (size_t i = 0; i < n; i++) {
        char ip[32], pods[32];
        snprintf(ip, sizeof(ip), "192.168.%u.%u", 1 + rand_below(2), 2 + rand_below(60));
        snprintf(pods, sizeof(pods), "10.244.%u.0/24", 1 + rand_below(60));
        nodes[i] = node(ip, pods);
    }
    ways_plan((enum ways_mode)rand_below(3), &own, &link, 1, nodes, n, ret);
}

TEST(the_difference_applied_is_the_plan)
{
    struct ways have = {0};
    for (int round = 0; round < 500; round++) {
        struct ways want;
        random_plan(&want);
        T_INT(becomes(&have, &want), 0);
        ways_sort(&have);
        _cleanup_free_ char *is = print(&have), *wanted = print(&want);
        T_STR(is, wanted);
        ways_done(&have);
        have = want;
    }
    ways_done(&have);
}

TEST(no_two_ipv4_nodes_have_the_same_link_address)
{
    unsigned char a[MAC_LEN], b[MAC_LEN];
    struct ip ip;
    T_TRUE(ip_parse("192.168.1.10", &ip));
    ways_mac(&ip, a);
    T_TRUE(ip_parse("192.168.1.11", &ip));
    ways_mac(&ip, b);
    T_TRUE(memcmp(a, b, MAC_LEN) != 0);
    T_TRUE((a[0] & 3) == 2); /* of one station, given by hand */
}

TEST(names_of_modes)
{
    enum ways_mode mode;
    T_TRUE(ways_mode_parse("auto", &mode) && mode == WAYS_AUTO);
    T_TRUE(ways_mode_parse("direct", &mode) && mode == WAYS_DIRECT);
    T_TRUE(ways_mode_parse("vxlan", &mode) && mode == WAYS_VXLAN);
    T_TRUE(!ways_mode_parse("wireguard", &mode));
}

int main(void)
{
    RUN(a_node_on_our_link_is_a_gateway);
    RUN(another_is_reached_through_the_tunnel);
    RUN(each_family_goes_its_own_way);
    RUN(ipv6_in_the_tunnel);
    RUN(ipv4_in_a_tunnel_over_ipv6);
    RUN(a_node_without_a_way_is_known);
    RUN(nothing_known_is_no_way);
    RUN(the_difference_applied_is_the_plan);
    RUN(no_two_ipv4_nodes_have_the_same_link_address);
    RUN(names_of_modes);
    return DONE();
}
