/* podnet: the tunnel is tried with real packets, and what keeps them is named. In network namespaces of the test's own.
 * Needs root. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/nft.h"
#include "podnet/lan.h"
#include "podnet/probe.h"
#include "podnet/rtnl.h"
#include "podnet/tunnel.h"
#include "t.h"

#define TMP "/run/c8s-test-probe"
#define INTERVAL_MS 20
#define PATIENCE_MS 60000
enum { HERE, THERE };

struct place {
    struct lan lan;
    struct lan_node nodes[2];
    const char *ranges[2];
};
static const struct place ipv4 = {
    .lan = {"172.28.128.0/24", "172.28.128.1", "10.244.0.0/16", "10.96.0.0/12", TMP, NULL, 2},
    .nodes = {{"n1", "172.28.128.10"}, {"n2", "172.28.128.11"}},
    .ranges = {"10.244.0.0/24", "10.244.1.0/24"},
};
static const struct place ipv6 = {
    .lan = {"fd00:172:28:128::/64", "fd00:172:28:128::1", "fd00:10:244::/56", "fd00:10:96::/112", TMP, NULL, 2},
    .nodes = {{"n1", "fd00:172:28:128::10"}, {"n2", "fd00:172:28:128::11"}},
    .ranges = {"fd00:10:244::/64", "fd00:10:244:1::/64"},
};

static uv_loop_t loop;
static const struct place *place;
static struct lan lan;
static struct ways_node nodes[2];
static int fds[2], n_lost;
static struct probe *probes[2];
static const char *const names[] = {"n1", "n2"};

static void on_changed(void *arg)
{
    (void)arg;
}

static bool api_hears;

static bool on_heard(void *arg)
{
    (void)arg;
    return api_hears;
}

static void make_tunnel(int i)
{
    struct cidrs links;
    struct ways ways;
    struct err err = {0};
    T_TRUE(cidrs_parse(lan.network, &links));
    T_INT(tunnel_up(fds[i], "eth0", &nodes[i], &err), 0);
    ways_plan(WAYS_VXLAN, &nodes[i], links.cidr, (size_t)links.n, &nodes[!i], 1, &ways);
    T_INT(ways_apply(fds[i], &ways, &err), 0);
    ways_done(&ways);
}

static void on_lost(void *arg)
{
    int i = *(int *)arg;
    n_lost++;
    make_tunnel(i);
}

static void set_peer(int i, bool ready)
{
    const struct probe_peer peer = {names[!i], nodes[!i].ips.ip[0], cidr_nth(&nodes[!i].pods.cidr[0], 1), ready};
    probe_set_peers(probes[i], &peer, 1);
}

static void begin(const struct place *p)
{
    static int numbers[] = {HERE, THERE};
    struct err err = {0};
    api_hears = true;
    place = p;
    lan = p->lan;
    lan.nodes = p->nodes;
    if (lan_up(&lan, fds, &err) < 0)
        T_FAIL("%s", err.msg);
    for (int i = 0; i < 2; i++)
        T_TRUE(ips_parse(p->nodes[i].ip, &nodes[i].ips) && cidrs_parse(p->ranges[i], &nodes[i].pods));
    for (int i = 0; i < 2; i++) {
        make_tunnel(i);
        const struct probe_config config = {.netns_fd = fds[i],
                                            .node_ip = nodes[i].ips.ip[0],
                                            .tunnel_ip = cidr_nth(&nodes[i].pods.cidr[0], 1),
                                            .interval_ms = INTERVAL_MS,
                                            .changed = on_changed,
                                            .heard = on_heard,
                                            .lost = on_lost,
                                            .arg = &numbers[i]};
        probes[i] = probe_new(&loop, &config);
        set_peer(i, true);
    }
}

static void end(void)
{
    for (int i = 0; i < 2; i++)
        probe_free(probes[i]);
    uv_run(&loop, UV_RUN_DEFAULT);
    lan_down(&lan);
    for (int i = 0; i < 2; i++)
        close(fds[i]);
}

/* Until both nodes say this of the way from HERE to THERE, and of the way back. */
static void await(enum reach_fault there, enum reach_fault back)
{
    uint64_t began = uv_now(&loop);
    while (probe_out(probes[HERE], "n2") != there || probe_in(probes[THERE], "n1") != there ||
           probe_in(probes[HERE], "n2") != back || probe_out(probes[THERE], "n1") != back) {
        uv_run(&loop, UV_RUN_ONCE);
        if (uv_now(&loop) - began > PATIENCE_MS) {
            T_FAIL("after a minute: there %d, told %d; back %d, told %d; want %d and %d", probe_in(probes[THERE], "n1"),
                   probe_out(probes[HERE], "n2"), probe_in(probes[HERE], "n2"), probe_out(probes[THERE], "n1"), there,
                   back);
            return;
        }
    }
}

static void rule(int i, const char *hook, const char *text)
{
    char commands[300];
    struct err err = {0};
    snprintf(commands, sizeof(commands),
             "table inet bad {}\ndelete table inet bad\ntable inet bad { chain c { type filter hook %s priority -400; "
             "%s; }; }",
             hook, text);
    if (nft_run(fds[i], commands, &err) < 0)
        T_FAIL("%s", err.msg);
}

static void no_rule(int i)
{
    struct err err = {0};
    T_INT(nft_run(fds[i], "delete table inet bad", &err), 0);
}

static void check_faults(const struct place *p)
{
    begin(p);
    await(REACH_WELL, REACH_WELL);
    rule(THERE, "input", "udp dport 8472 drop");
    await(REACH_BLOCKED, REACH_WELL);
    no_rule(THERE);
    await(REACH_WELL, REACH_WELL);
    rule(THERE, "output", "udp dport 8472 drop");
    await(REACH_WELL, REACH_BLOCKED);
    rule(THERE, "input", "udp dport 8472 meta length > 1400 drop"); /* instead of the other */
    await(REACH_TOO_LARGE, REACH_WELL);
    no_rule(THERE);
    await(REACH_WELL, REACH_WELL);
    end();
}

TEST(firewalls_and_small_links_are_named)
{
    check_faults(&ipv4);
}

TEST(and_over_ipv6)
{
    check_faults(&ipv6);
}

/* As a card that fills in the checksum of packets within packets wrongly: 36 bytes behind the tunnel's own UDP and
 * VXLAN heads, and the link's and IP's in it, lies that of the packet within. */
TEST(wrong_checksums_in_the_tunnel_are_named)
{
    begin(&ipv4);
    await(REACH_WELL, REACH_WELL);
    rule(HERE, "postrouting", "udp dport 8472 @th,448,16 != 0 @th,448,16 set 0x1234");
    await(REACH_CORRUPT, REACH_WELL);
    no_rule(HERE);
    await(REACH_WELL, REACH_WELL);
    end();
}

static void checksums_of_link(int i, uint32_t on)
{
    struct ethtool_value value = {.cmd = ETHTOOL_STXCSUM, .data = on};
    struct ifreq request = {.ifr_name = "eth0", .ifr_data = (char *)&value};
    NETNS_SCOPE(fds[i]);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
    T_INT(ioctl(fd, SIOCETHTOOL, &request), 0);
}

/* A veth pair makes no checksums unless it is told to. */
TEST(wrong_checksums_of_the_tunnel_are_named)
{
    begin(&ipv4);
    checksums_of_link(HERE, 0);
    await(REACH_WELL, REACH_WELL);
    rule(THERE, "prerouting", "udp dport 8472 udp checksum set 0x1234");
    await(REACH_CORRUPT, REACH_WELL);
    no_rule(THERE);
    await(REACH_WELL, REACH_WELL);
    end();
}

TEST(a_device_that_was_deleted_is_missed)
{
    struct err err = {0};
    begin(&ipv4);
    await(REACH_WELL, REACH_WELL);
    n_lost = 0;
    struct rtnl *r = rtnl_open(fds[HERE], &err);
    T_INT(rtnl_del_link(r, TUNNEL_IFNAME, &err), 0);
    rtnl_close(r);
    while (!n_lost)
        uv_run(&loop, UV_RUN_ONCE);
    await(REACH_WELL, REACH_WELL);
    end();
}

TEST(who_does_not_live_is_not_judged)
{
    begin(&ipv4);
    await(REACH_WELL, REACH_WELL);
    set_peer(HERE, false);
    set_peer(THERE, false);
    await(REACH_NOT_KNOWN, REACH_NOT_KNOWN);
    T_INT(probe_in(probes[HERE], "somebody"), REACH_NOT_KNOWN);
    set_peer(HERE, true);
    set_peer(THERE, true);
    await(REACH_WELL, REACH_WELL);
    api_hears = false; /* what it says of the others may be old */
    await(REACH_NOT_KNOWN, REACH_NOT_KNOWN);
    end();
}

int main(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
        mkdir(TMP, 0700) < 0) {
        perror("test_probe needs root and namespaces of its own");
        return 1;
    }
    uv_loop_init(&loop);
    RUN(firewalls_and_small_links_are_named);
    RUN(and_over_ipv6);
    RUN(wrong_checksums_in_the_tunnel_are_named);
    RUN(wrong_checksums_of_the_tunnel_are_named);
    RUN(a_device_that_was_deleted_is_missed);
    RUN(who_does_not_live_is_not_judged);
    uv_loop_close(&loop);
    return DONE();
}
