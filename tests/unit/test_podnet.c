/* podnet: real interfaces and packets, in network namespaces of the test's own. Needs root. */
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/netns.h"
#include "base/str.h"
#include "podnet/lan.h"
#include "podnet/podnet.h"
#include "podnet/rtnl.h"
#include "podnet/sysctl.h"
#include "podnet/tunnel.h"
#include "t.h"

#define TMP "/run/c8s-test-podnet"

/* A datagram from one namespace to an address in another: returns true when it arrives, and the source address seen. */
static bool reaches(int from_fd, int to_fd, const struct ip *to, char seen[IP_TEXT_SIZE])
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(4000)}, addr = any, from;
    socklen_t len = sizeof(from);
    struct timeval patience = {.tv_sec = 2};
    int in, out;
    char c = 0;
    {
        NETNS_SCOPE(to_fd);
        in = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    {
        NETNS_SCOPE(from_fd);
        out = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    addr.sin6_addr = to->v6;
    if (to->family == AF_INET) { /* "::ffff:10.0.0.1": one kind of socket serves both */
        addr.sin6_addr = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(&addr.sin6_addr.s6_addr[12], &to->v4, sizeof(to->v4));
    }
    setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    bool ok = bind(in, (struct sockaddr *)&any, sizeof(any)) == 0 &&
              sendto(out, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)) == 1 &&
              recvfrom(in, &c, 1, 0, (struct sockaddr *)&from, &len) == 1 && c == 'x';
    if (ok)
        inet_ntop(AF_INET6, &from.sin6_addr, seen, IP_TEXT_SIZE);
    if (ok && to->family == AF_INET)
        memmove(seen, seen + strlen("::ffff:"), strlen(seen + strlen("::ffff:")) + 1);
    close(in);
    close(out);
    return ok;
}

static int namespace_at(const char *name)
{
    char path[128];
    struct err err;
    snprintf(path, sizeof(path), TMP "/%s", name);
    int fd = netns_create(path, &err);
    if (fd < 0)
        T_FAIL("%s", err.msg);
    return fd;
}

/* A plan of addresses: one family, or both. */
struct place {
    struct lan lan;
    struct lan_node nodes[2];
    const char *ranges[2];                 /* the nodes' */
    const char *first_pod[2], *second_pod; /* the first on each node, the second on the first */
};
#define HOST4 "172.28.128.1"
#define HOST6 "fd00:172:28:128::1"

static const struct place ipv4 = {
    .lan = {.network = "172.28.128.0/24",
            .host_ip = HOST4,
            .cluster_cidr = "10.244.0.0/16",
            .service_cidr = "10.96.0.0/12",
            .run_dir = TMP,
            .n_nodes = 2},
    .nodes = {{"n1", "172.28.128.10"}, {"n2", "172.28.128.11"}},
    .ranges = {"10.244.0.0/24", "10.244.1.0/24"},
    .first_pod = {"10.244.0.2", "10.244.1.2"},
    .second_pod = "10.244.0.3",
};
static const struct place dual = {
    .lan = {.network = "172.28.128.0/24,fd00:172:28:128::/64",
            .host_ip = HOST4 "," HOST6,
            .cluster_cidr = "10.244.0.0/16,fd00:10:244::/56",
            .service_cidr = "10.96.0.0/12,fd00:10:96::/112",
            .run_dir = TMP,
            .n_nodes = 2},
    .nodes = {{"n1", "172.28.128.10,fd00:172:28:128::10"}, {"n2", "172.28.128.11,fd00:172:28:128::11"}},
    .ranges = {"10.244.0.0/24,fd00:10:244::/64", "10.244.1.0/24,fd00:10:244:1::/64"},
    .first_pod = {"10.244.0.2,fd00:10:244::2", "10.244.1.2,fd00:10:244:1::2"},
    .second_pod = "10.244.0.3,fd00:10:244::3",
};
static const struct place ipv6 = {
    .lan = {.network = "fd00:172:28:128::/64",
            .host_ip = HOST6,
            .cluster_cidr = "fd00:10:244::/56",
            .service_cidr = "fd00:10:96::/112",
            .run_dir = TMP,
            .n_nodes = 2},
    .nodes = {{"n1", "fd00:172:28:128::10"}, {"n2", "fd00:172:28:128::11"}},
    .ranges = {"fd00:10:244::/64", "fd00:10:244:1::/64"},
    .first_pod = {"fd00:10:244::2", "fd00:10:244:1::2"},
    .second_pod = "fd00:10:244::3",
};

static struct lan lan_of(const struct place *p)
{
    struct lan lan = p->lan;
    lan.nodes = p->nodes;
    return lan;
}

/* Everybody reaches everybody in every family, and pods are seen by their own address. */
static void check_reach(const struct lan *lan, const int node[2], const int pod[3], char ip[3][IPS_TEXT_SIZE])
{
    static const struct {
        int from, to; /* pods; 10 + i: node i; -1: host */
    } pairs[] = {{0, 1}, {1, 0}, {0, 2}, {2, 1}, {0, 10}, {0, 11}, {10, 1}, {11, 0}, {0, -1}, {-1, 1}};
    char seen[IP_TEXT_SIZE], text[IP_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        int from = pairs[i].from, to = pairs[i].to;
        int from_fd = from < 0 ? -1 : from >= 10 ? node[from - 10] : pod[from];
        int to_fd = to < 0 ? -1 : to >= 10 ? node[to - 10] : pod[to];
        struct ips ips, own;
        T_TRUE(ips_parse(to < 0 ? lan->host_ip : to >= 10 ? lan->nodes[to - 10].ip : ip[to], &ips));
        T_TRUE(ips_parse(ip[from >= 0 && from < 10 ? from : 0], &own));
        for (int k = 0; k < ips.n; k++)
            if (!reaches(from_fd, to_fd, &ips.ip[k], seen))
                T_FAIL("%d does not reach %d (%s)", from, to, ip_format(&ips.ip[k], text));
            else if (from >= 0 && from < 10)
                T_STR(seen, ip_format(&own.ip[k], text));
    }
}

static struct ways_node node_of(const struct place *p, int i)
{
    struct ways_node n = {0};
    T_TRUE(ips_parse(p->nodes[i].ip, &n.ips) && cidrs_parse(p->ranges[i], &n.pods));
    return n;
}

static void check_written(int netns_fd, const struct ways *want)
{
    struct err err = {0};
    struct ways have;
    T_INT(ways_read(netns_fd, &have, &err), 0);
    T_INT((int)have.n, (int)want->n);
    for (size_t i = 0; i < have.n && i < want->n; i++)
        T_TRUE(way_equal(&have.rows[i], &want->rows[i]));
    ways_done(&have);
}

/* Whatever was there before: afterwards the kernel has the plan's rows and no others of ours. The host sees its nodes
 * directly. */
static void connect_nodes(const struct place *p, const int node[2], enum ways_mode mode)
{
    const struct ways_node nodes[] = {node_of(p, 0), node_of(p, 1)};
    struct ways_node host = {0};
    struct cidrs lan;
    struct ways ways;
    struct err err = {0};
    T_TRUE(cidrs_parse(p->lan.network, &lan) && ips_parse(p->lan.host_ip, &host.ips));
    for (int i = 0; i < 2; i++) {
        T_INT(tunnel_up(node[i], "eth0", &nodes[i], &err), 0);
        T_INT(tunnel_up(node[i], "eth0", &nodes[i], &err), 0);
        ways_plan(mode, &nodes[i], lan.cidr, (size_t)lan.n, &nodes[!i], 1, &ways);
        if (ways_apply(node[i], &ways, &err) < 0)
            T_FAIL("%s", err.msg);
        check_written(node[i], &ways);
        ways_done(&ways);
    }
    ways_plan(WAYS_DIRECT, &host, lan.cidr, (size_t)lan.n, nodes, 2, &ways);
    T_INT(ways_apply(-1, &ways, &err), 0);
    ways_done(&ways);
}

static void check_place(const struct place *p)
{
    struct err err = {0};
    struct lan lan = lan_of(p);
    int node[2], pod[3];
    char ip[3][IPS_TEXT_SIZE], again[IPS_TEXT_SIZE];
    if (lan_up(&lan, node, &err) < 0) {
        T_FAIL("%s", err.msg);
        return;
    }
    T_INT(lan_up(&lan, node, &err), 0); /* idempotent */
    struct podnet *nets[] = {podnet_new(node[0], p->ranges[0], 0, &err), podnet_new(node[1], p->ranges[1], 0, &err)};
    struct podnet *on[] = {nets[0], nets[0], nets[1]};
    for (int i = 0; i < 3; i++) {
        char key[] = {'p', (char)('0' + i), 0};
        pod[i] = namespace_at(key);
        T_INT(podnet_add(on[i], key, pod[i], ip[i], sizeof(ip[i]), &err), 0);
        T_INT(podnet_add(on[i], key, pod[i], again, sizeof(again), &err), 0);
        T_STR(again, ip[i]);
    }
    T_STR(ip[0], p->first_pod[0]);
    T_STR(ip[2], p->first_pod[1]);
    /* By routes, then through the tunnel, then by routes again. */
    static const enum ways_mode modes[] = {WAYS_DIRECT, WAYS_VXLAN, WAYS_AUTO};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        connect_nodes(p, node, modes[i]);
        check_reach(&lan, node, pod, ip);
    }
    /* A restarted agent finds the addresses in use; a freed one rests before it is used again. */
    podnet_free(nets[0]);
    nets[0] = podnet_new(node[0], p->ranges[0], 0, &err);
    T_INT(podnet_add(nets[0], "p1", pod[1], again, sizeof(again), &err), 0);
    T_STR(again, ip[1]);
    T_INT(podnet_del(nets[0], "p1", &err), 0);
    int fresh = namespace_at("p9");
    T_INT(podnet_add(nets[0], "p9", fresh, again, sizeof(again), &err), 0);
    T_STR(again, p->second_pod);
    podnet_free(nets[0]);
    podnet_free(nets[1]);
    for (int i = 0; i < 3; i++) {
        char path[] = TMP "/p0";
        close(pod[i]);
        path[sizeof(path) - 2] = (char)('0' + i);
        netns_remove(path);
    }
    close(fresh);
    netns_remove(TMP "/p9");
    lan_down(&lan);
    close(node[0]);
    close(node[1]);
}

static void check_left_as_found(void)
{
    struct err err = {0};
    struct rtnl *host = rtnl_open(-1, &err);
    T_INT(rtnl_index(host, "c8s0"), 0);
    T_INT(rtnl_index(host, "c8s0-0"), 0);
    rtnl_close(host);
    T_TRUE(access("/run/netns", F_OK) < 0);
    _cleanup_free_ char *forwarding4 = file_read("/proc/sys/net/ipv4/ip_forward", 16, NULL, &err),
                        *forwarding6 = file_read("/proc/sys/net/ipv6/conf/all/forwarding", 16, NULL, &err);
    T_STR(forwarding4, "0\n");
    T_STR(forwarding6, "0\n");
}

TEST(pods_reach_pods_nodes_and_host_untranslated)
{
    static const struct place *const places[] = {&ipv4, &dual, &ipv6};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        check_place(places[i]);
        check_left_as_found();
    }
}

/* A node is switched off and on: the namespace of before may still be there, as the kernel takes its time, and with it
 * an interface of the same name. */
TEST(a_pod_that_returns_is_connected_anew)
{
    struct err err = {0};
    char before[IPS_TEXT_SIZE] = "", now[IPS_TEXT_SIZE] = "", seen[IP_TEXT_SIZE];
    struct ip ip;
    int fds[] = {namespace_at("old"), namespace_at("new")};
    for (int i = 0; i < 2; i++) {
        struct podnet *p = podnet_new(-1, "10.244.9.0/24", 0, &err);
        char *ips = i ? now : before;
        T_TRUE(p && podnet_add(p, "pod", fds[i], ips, IPS_TEXT_SIZE, &err) == 0);
        T_TRUE(podnet_add(p, "pod", fds[i], ips, IPS_TEXT_SIZE, &err) == 0);
        podnet_free(p);
    }
    T_STR(now, before);
    close(fds[0]);
    netns_remove(TMP "/old");
    T_TRUE(ip_parse(now, &ip) && reaches(-1, fds[1], &ip, seen));
    close(fds[1]);
    netns_remove(TMP "/new");
    T_INT(sysctl_set(-1, "ipv4/ip_forward", "0", &err), 0);
}

TEST(ranges_that_are_none_are_refused)
{
    static const char *const bad[] = {"10.244.0.0",    "10.0.0.0/8",
                                      "10.244.0.0/31", "10.244.0.0/24,10.244.1.0/24",
                                      "fd00::/127",    "10.244.0.0/24,fd00::/64,fd01::/64"};
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        T_TRUE(!podnet_new(-1, bad[i], 0, &err));
}

TEST(a_network_in_use_is_refused)
{
    struct err err = {0};
    struct lan lan = lan_of(&ipv4);
    struct ip mine;
    int fd;
    struct rtnl *host = rtnl_open(-1, &err);
    T_INT(rtnl_add_bridge(host, "other0", &err), 0);
    T_TRUE(ip_parse("172.28.128.77", &mine));
    T_INT(rtnl_add_addr(host, "other0", &mine, 24, &err), 0);
    T_TRUE(lan_up(&lan, &fd, &err) < 0);
    T_STR(err.msg, "the network 172.28.128.0/24 is in use by interface other0");
    lan_down(&lan);
    rtnl_del_link(host, "other0", &err);
    rtnl_close(host);
}

static void note_network(void *arg, const struct cidr *network, const char *ifname)
{
    struct buf *seen = arg;
    char text[CIDR_TEXT_SIZE];
    if (str_after(ifname, "net"))
        buf_addf(seen, "%s %s;", ifname, cidr_format(network, text));
}

TEST(networks_are_known_by_addresses_and_by_routes)
{
    static const struct {
        const char *ifname, *ip, *network; /* network: of a route without a gateway */
        int prefix;
    } rows[] = {
        {"net0", "192.0.2.9", NULL, 24},
        {"net0", "2001:db8:1::9", "2001:db8:1::/64", 128}, /* DHCPv6, and what the router advertises */
        {"net1", "198.51.100.9", NULL, 24},                /* nobody is asked there who is who */
    };
    struct err err;
    struct buf seen = BUF_INIT(0);
    struct rtnl *r = rtnl_open(-1, &err);
    T_INT(rtnl_add_bridge(r, "net0", &err), 0);
    T_INT(rtnl_add_bridge(r, "net1", &err), 0);
    T_INT(system("ip link set net0 up && ip link set net1 arp off up"), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ip ip;
        struct cidr network;
        T_TRUE(ip_parse(rows[i].ip, &ip));
        T_INT(rtnl_add_addr(r, rows[i].ifname, &ip, rows[i].prefix, &err), 0);
        if (rows[i].network && cidr_parse(rows[i].network, &network))
            T_INT(rtnl_add_route(r, &network, NULL, rows[i].ifname, &err), 0);
    }
    T_INT(rtnl_each_network(r, note_network, &seen, &err), 0);
    T_STR(buf_str(&seen), "net0 192.0.2.0/24;net0 192.0.2.0/24;net0 2001:db8:1::/64;");
    buf_done(&seen);
    rtnl_del_link(r, "net0", &err);
    rtnl_del_link(r, "net1", &err);
    rtnl_close(r);
}

static char accepts_advertisements(const char *ifname)
{
    struct err err;
    _cleanup_free_ char *path = xasprintf("/proc/sys/net/ipv6/conf/%s/accept_ra", ifname);
    _cleanup_free_ char *text = file_read(path, 16, NULL, &err);
    return text ? *text : 0;
}

TEST(who_forwards_still_listens_to_its_routers)
{
    struct err err;
    struct rtnl *r = rtnl_open(-1, &err);
    T_INT(rtnl_add_bridge(r, "net0", &err), 0);
    T_INT(rtnl_add_bridge(r, "net1", &err), 0);
    T_INT(sysctl_set(-1, "ipv6/conf/net1/accept_ra", "0", &err), 0);
    for (int i = 0; i < 2; i++) { /* the second time it forwards already */
        struct podnet *p = podnet_new(-1, "10.244.9.0/24,fd00:10:244:9::/64", 0, &err);
        T_TRUE(p != NULL);
        podnet_free(p);
    }
    T_INT(rtnl_add_bridge(r, "net2", &err), 0);
    T_INT(accepts_advertisements("net0"), '2');
    T_INT(accepts_advertisements("net1"), '0');
    T_INT(accepts_advertisements("net2"), '1'); /* and forwards: not heeded */
    T_INT(sysctl_set(-1, "ipv6/conf/all/forwarding", "0", &err), 0);
    T_INT(sysctl_set(-1, "ipv4/ip_forward", "0", &err), 0);
    for (int i = 0; i < 3; i++)
        rtnl_del_link(r, (const char *[]){"net0", "net1", "net2"}[i], &err);
    rtnl_close(r);
}

int main(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
        mkdir(TMP, 0700) < 0) {
        perror("test_podnet needs root and namespaces of its own");
        return 1;
    }
    RUN(pods_reach_pods_nodes_and_host_untranslated);
    RUN(a_pod_that_returns_is_connected_anew);
    RUN(ranges_that_are_none_are_refused);
    RUN(a_network_in_use_is_refused);
    RUN(networks_are_known_by_addresses_and_by_routes);
    RUN(who_forwards_still_listens_to_its_routers);
    return DONE();
}
