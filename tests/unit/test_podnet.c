/* podnet: real interfaces and packets, in network namespaces of the test's own. Needs root. */
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/netns.h"
#include "podnet/lan.h"
#include "podnet/podnet.h"
#include "podnet/rtnl.h"
#include "t.h"

#define TMP "/run/c8s-test-podnet"

/* A datagram from one namespace to an address in another: returns true when it arrives, and the source address seen. */
static bool reaches(int from_fd, int to_fd, const char *to_ip, char seen[INET_ADDRSTRLEN])
{
    int in, out;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(4000)}, from;
    socklen_t len = sizeof(from);
    struct timeval patience = {.tv_sec = 2};
    char c = 0;
    {
        NETNS_SCOPE(to_fd);
        in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    {
        NETNS_SCOPE(from_fd);
        out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    bool ok = bind(in, (struct sockaddr *)&addr, sizeof(addr)) == 0 && inet_pton(AF_INET, to_ip, &addr.sin_addr) == 1 &&
              sendto(out, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)) == 1 &&
              recvfrom(in, &c, 1, 0, (struct sockaddr *)&from, &len) == 1 && c == 'x';
    if (ok)
        inet_ntop(AF_INET, &from.sin_addr, seen, INET_ADDRSTRLEN);
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

static struct lan lan_of(const struct lan_node *nodes, size_t n)
{
    return (struct lan){.host_ip = "172.28.128.1",
                        .prefix = 24,
                        .cluster_cidr = "10.244.0.0/16",
                        .service_cidr = "10.96.0.0/12",
                        .run_dir = TMP,
                        .nodes = nodes,
                        .n_nodes = n};
}

static const struct lan_node two_nodes[] = {{"n1", "172.28.128.10"}, {"n2", "172.28.128.11"}};

TEST(pods_reach_pods_nodes_and_host_untranslated)
{
    struct err err = {0};
    struct lan lan = lan_of(two_nodes, 2);
    int node[2], pod[3];
    char ip[3][INET_ADDRSTRLEN], again[INET_ADDRSTRLEN], seen[INET_ADDRSTRLEN];
    if (lan_up(&lan, node, &err) < 0) {
        T_FAIL("%s", err.msg);
        return;
    }
    T_INT(lan_up(&lan, node, &err), 0); /* idempotent */
    struct podnet *net1 = podnet_new(node[0], "10.244.0.0/24", &err),
                  *net2 = podnet_new(node[1], "10.244.1.0/24", &err);
    struct podnet *on[] = {net1, net1, net2};
    for (int i = 0; i < 3; i++) {
        char key[] = {'p', (char)('0' + i), 0};
        pod[i] = namespace_at(key);
        T_INT(podnet_add(on[i], key, pod[i], ip[i], sizeof(ip[i]), &err), 0);
        T_INT(podnet_add(on[i], key, pod[i], again, sizeof(again), &err), 0);
        T_STR(again, ip[i]);
    }
    T_STR(ip[0], "10.244.0.2");
    T_STR(ip[2], "10.244.1.2");
    T_INT(podnet_route(node[0], "10.244.1.0/24", "172.28.128.11", &err), 0);
    T_INT(podnet_route(node[1], "10.244.0.0/24", "172.28.128.10", &err), 0);
    T_INT(podnet_route(-1, "10.244.0.0/24", "172.28.128.10", &err), 0);
    static const struct {
        int from, to; /* pods; 10 + i: node i; -1: host */
    } pairs[] = {{0, 1}, {1, 0}, {0, 2}, {2, 1}, {0, 10}, {0, 11}, {10, 1}, {11, 0}, {0, -1}, {-1, 1}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        int from = pairs[i].from, to = pairs[i].to;
        int from_fd = from < 0 ? -1 : from >= 10 ? node[from - 10] : pod[from];
        int to_fd = to < 0 ? -1 : to >= 10 ? node[to - 10] : pod[to];
        const char *to_ip = to < 0 ? lan.host_ip : to >= 10 ? two_nodes[to - 10].ip : ip[to];
        if (!reaches(from_fd, to_fd, to_ip, seen))
            T_FAIL("%d does not reach %d (%s)", from, to, to_ip);
        else if (from >= 0 && from < 10)
            T_STR(seen, ip[from]);
    }
    /* A restarted agent finds the addresses in use; a freed one rests before it is used again. */
    podnet_free(net1);
    net1 = podnet_new(node[0], "10.244.0.0/24", &err);
    T_INT(podnet_add(net1, "p1", pod[1], again, sizeof(again), &err), 0);
    T_STR(again, ip[1]);
    T_INT(podnet_del(net1, "p1", &err), 0);
    int fresh = namespace_at("p9");
    T_INT(podnet_add(net1, "p9", fresh, again, sizeof(again), &err), 0);
    T_STR(again, "10.244.0.3");
    podnet_free(net1);
    podnet_free(net2);
    lan_down(&lan);
    struct rtnl *host = rtnl_open(-1, &err);
    T_INT(rtnl_index(host, "c8s0"), 0);
    T_INT(rtnl_index(host, "c8s0-0"), 0);
    rtnl_close(host);
    T_TRUE(access("/run/netns", F_OK) < 0);
    _cleanup_free_ char *forwarding = file_read("/proc/sys/net/ipv4/ip_forward", 16, NULL, &err);
    T_STR(forwarding, "0\n"); /* as it was */
}

TEST(a_network_in_use_is_refused)
{
    struct err err = {0};
    struct lan lan = lan_of(two_nodes, 1);
    struct in_addr mine = {inet_addr("172.28.128.77")};
    int fd;
    struct rtnl *host = rtnl_open(-1, &err);
    T_INT(rtnl_add_bridge(host, "other0", &err), 0);
    T_INT(rtnl_add_addr(host, "other0", mine, 24, &err), 0);
    T_TRUE(lan_up(&lan, &fd, &err) < 0);
    T_STR(err.msg, "the network of 172.28.128.1/24 is in use by interface other0");
    lan_down(&lan);
    rtnl_del_link(host, "other0", &err);
    rtnl_close(host);
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
    RUN(a_network_in_use_is_refused);
    return DONE();
}
