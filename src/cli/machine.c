/* See machine.h. */
#include "cli/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/nft.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "dns/dns.h"
#include "dns/follow.h"
#include "ingress/ingress.h"
#include "kinds/kind.h"
#include "node/spawn.h"
#include "podnet/rtnl.h"
#include "podnet/tunnel.h"
#include "proxy/proxy.h"

#define SYSTEMCTL_TIMEOUT_MS 2000

/* --- where we are --- */

#define FAMILY "IPv4"
#define FAR_AWAY "192.0.2.1" /* RFC 5737: nobody is there, but the way there is the default route */

/* The address that packets to `toward` carry. Nothing is sent. */
static char *own_address(const char *toward, struct err *err)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(API_PORT)}, from;
    socklen_t len = sizeof(from);
    char text[INET_ADDRSTRLEN];
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, toward, &to.sin_addr) != 1) {
        err_set(err, 0, "%s is no IPv4 address: machines are joined by those", toward);
        return NULL;
    }
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        getsockname(fd, (struct sockaddr *)&from, &len) < 0) {
        err_set(err, errno, "which address is ours cannot be found out (--node-ip says it)");
        return NULL;
    }
    return xstrdup(inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text)));
}

struct search {
    struct ip ip;
    struct machine_place *place;
};

static void look_at(void *arg, const struct ip *ip, int prefix, const char *ifname)
{
    struct search *s = arg;
    if (!ip_equal(ip, &s->ip))
        return;
    snprintf(s->place->ifname, sizeof(s->place->ifname), "%s", ifname);
    s->place->prefix = prefix;
}

static int find_interface(struct machine_place *p, struct err *err)
{
    struct search s = {.place = p};
    if (!ip_parse(p->ip, &s.ip) || s.ip.family != AF_INET)
        return err_set(err, 0, "--node-ip takes an IPv4 address");
    struct rtnl *r = rtnl_open(-1, err);
    int result = r ? rtnl_each_addr(r, look_at, &s, err) : -1;
    rtnl_close(r);
    if (result == 0 && !*p->ifname)
        return err_set(err, 0, "--node-ip: no interface has the address %s", p->ip);
    return result;
}

static char *host_name(void)
{
    char text[64] = "";
    gethostname(text, sizeof(text) - 1);
    for (char *c = text; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return xstrdup(text);
}

int machine_find_place(struct machine_place *ret, const char *name, const char *ip, const char *toward, struct err *err)
{
    *ret = (struct machine_place){.name = name ? xstrdup(name) : host_name()};
    addresses_init(&ret->addresses, FAMILY);
    ret->ip = ip ? xstrdup(ip) : own_address(toward ? toward : FAR_AWAY, err);
    return ret->ip ? find_interface(ret, err) : -1;
}

void machine_place_done(struct machine_place *p)
{
    free(p->name);
    free(p->ip);
}

/* --- running --- */

static void nodes_are_known(void *arg)
{
    struct machine *m = arg;
    node_nodes_known(&m->node, m->nodes);
}

static void configure_dns(void *arg, struct settings *settings)
{
    struct machine *m = arg;
    dns_configure(m->node.dns, settings);
}

static void start_ingress(struct machine *m)
{
    struct ingress_node here = {.netns_fd = -1};
    ips_first(m->place->ip, here.ip);
    const struct ingress_config config = {-1, &here, 1, m->place->addresses.primary_dns, RUN_DIR};
    m->ingress = ingress_new(m->node.loop, m->ingress_client, m->model, &config);
}

static void services_are_known(void *arg)
{
    struct machine *m = arg;
    node_services_known(&m->node);
    if (m->ingress_client)
        start_ingress(m);
    informer_on_synced(m->nodes, nodes_are_known, m);
}

int machine_start(struct machine *m, uv_loop_t *loop, struct client *client, const struct machine_config *config,
                  struct err *err)
{
    static const char *const no_taints[] = {NULL};
    const struct machine_place *place = config->place;
    const struct node_config node = {.name = place->name,
                                     .ips = place->ip,
                                     .ifname = place->ifname,
                                     .addresses = &place->addresses,
                                     .netns_fd = -1,
                                     .labels = config->labels,
                                     .taints = no_taints,
                                     .data_dir = config->data_dir,
                                     .cert = config->cert,
                                     .key = config->key,
                                     .client_ca = config->client_ca,
                                     .lb_pool = config->lb_pool,
                                     .policy = config->policy};
    const struct podways_place here = {place->name, place->ip, place->ifname, -1};
    m->client = client;
    m->place = place;
    m->ingress_client = config->ingress_client;
    m->model = model_new();
    m->feed = model_feed_new(client, m->model);
    m->nodes = informer_new(client, &kind_node, NULL);
    m->peers = peers_new(m->nodes, place->addresses.pods);
    m->podways = podways_new(m->nodes, config->policy->pod_network, &here, 1);
    if (node_start(&m->node, loop, client, m->model, &node, err) < 0)
        return -1;
    informer_start(m->nodes);
    model_feed_on_synced(m->feed, services_are_known, m);
    m->dns_follow = dns_follow_new(client, configure_dns, m);
    return 0;
}

/* systemd stops us at a shutdown as at any restart; it tells the difference itself ("stopping"). An inhibitor at logind
 * would be told earlier, but it takes a D-Bus connection, and systemd waits for us anyway (TimeoutStopSec). */
static bool system_is_stopping(void)
{
    struct buf out = BUF_INIT(64);
    struct err ignored;
    const char *const argv[] = {"systemctl", "is-system-running", NULL};
    const struct spawn s = {.argv = argv};
    bool stopping = spawn_run(&s, &out, SYSTEMCTL_TIMEOUT_MS, &ignored) >= 0 && str_after(buf_str(&out), "stopping");
    buf_done(&out);
    return stopping;
}

static void pods_have_ended(void *arg)
{
    struct machine *m = arg;
    uv_stop(m->node.loop);
}

bool machine_shuts_down(void *arg)
{
    struct machine *m = arg;
    if (!m->node.agent || !system_is_stopping())
        return false;
    agent_shut_down(m->node.agent, pods_have_ended, m);
    return true;
}

void machine_stop(struct machine *m)
{
    if (!m->model)
        return;
    ingress_free(m->ingress);
    dns_follow_free(m->dns_follow);
    informer_free(m->nodes);
    peers_free(m->peers);
    podways_free(m->podways);
    node_stop(&m->node);
    model_feed_free(m->feed);
    model_free(m->model);
    *m = (struct machine){0};
}

/* --- taking it away --- */

int machine_teardown(const char *data_dir, const char *name, struct err *err)
{
    struct err ignored;
    struct addresses addresses;
    struct ip dns;
    int result = agent_teardown(data_dir, RUN_DIR, name, err);
    ingress_teardown(RUN_DIR);
    proxy_teardown(-1);
    tunnel_down(-1);
    (void)nft_run(-1, "table ip c8s_egress {}\ndelete table ip c8s_egress\n", &ignored);
    struct rtnl *r = rtnl_open(-1, &ignored);
    addresses_init(&addresses, FAMILY);
    ip_parse(addresses.dns, &dns);
    if (r)
        (void)rtnl_del_addr(r, "lo", &dns, 32, &ignored);
    rtnl_close(r);
    return result;
}
