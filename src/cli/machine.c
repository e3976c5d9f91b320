/* See machine.h. */
#include "cli/machine.h"

#define LOG_AREA "machine"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/log.h"
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
#define PATIENCE_MS 2000 /* a server that is there has answered by then */

/* --- running --- */

static void start_ingress(struct machine *m)
{
    struct ingress_node here[FAMILIES_MAX] = {{.netns_fd = -1}, {.netns_fd = -1}};
    const char *rest = m->place->ips;
    size_t n = 0;
    while (n < FAMILIES_MAX && ips_next(&rest, here[n].ip))
        n++;
    const struct ingress_config config = {.netns_fd = -1,
                                          .nodes = here,
                                          .n_nodes = n,
                                          .node_informer = m->nodes,
                                          .member = m->ingress_client ? NULL : m->place->name,
                                          .dns = m->place->addresses.primary_dns,
                                          .run_dir = RUN_DIR};
    struct client *c = m->ingress_client ? m->ingress_client : m->client;
    m->ingress = ingress_new(m->node.loop, c, m->model, &config);
}

static void nodes_are_known(void *arg)
{
    struct machine *m = arg;
    node_nodes_known(&m->node, m->nodes);
    if (m->serves_ingress)
        start_ingress(m);
    else
        ingress_decline(m->client, m->nodes, m->place->name);
}

static void configure_dns(void *arg, struct settings *settings)
{
    struct machine *m = arg;
    dns_configure(m->node.dns, settings);
}

/* --- a start without the server --- */

static void on_patience_closed(uv_handle_t *handle)
{
    free(handle);
}

static void end_patience(struct machine *m)
{
    if (m->patience)
        uv_close((uv_handle_t *)TAKE(m->patience), on_patience_closed);
}

/* What was known last is better than nothing, for names; the kernel still has the rules of then. */
static void on_patience_over(uv_timer_t *t)
{
    struct machine *m = t->data;
    log_warn("the server does not answer: DNS goes on with what was known last");
    dns_set_complete(m->node.dns);
    end_patience(m);
}

static void be_patient(struct machine *m)
{
    m->patience = NEW(uv_timer_t);
    uv_timer_init(m->node.loop, m->patience);
    m->patience->data = m;
    uv_timer_start(m->patience, on_patience_over, PATIENCE_MS, 0);
}

static void services_are_known(void *arg)
{
    struct machine *m = arg;
    end_patience(m);
    node_services_known(&m->node);
    informer_on_synced(m->nodes, nodes_are_known, m);
}

static void on_network(void *arg, const char *node_name, const struct agent_network *network)
{
    struct machine *m = arg;
    (void)node_name;
    node_set_network(&m->node, network);
}

static bool is_heard(void *arg, const char *node_name)
{
    const struct machine *m = arg;
    (void)node_name;
    return node_is_heard(&m->node);
}

int machine_start(struct machine *m, uv_loop_t *loop, struct client *client, const struct machine_config *config,
                  struct err *err)
{
    static const char *const no_taints[] = {NULL};
    const struct machine_place *place = config->place;
    m->policies = netpol_feed_new(client);
    const struct node_config node = {.name = place->name,
                                     .ips = place->ips,
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
                                     .policies = m->policies,
                                     .policy = config->policy};
    const struct podways_place here = {place->name, place->ips, place->ifname, -1};
    const struct podways_config ways = {config->policy->pod_network, &here, 1, on_network, is_heard, m};
    m->client = client;
    m->place = place;
    m->serves_ingress = config->serves_ingress;
    m->ingress_client = config->ingress_client;
    m->model = model_new();
    m->feed = model_feed_new(client, m->model, config->memory);
    m->nodes = informer_new(client, &kind_node, NULL);
    m->peers = peers_new(m->nodes, place->addresses.pods);
    m->podways = podways_new(loop, m->nodes, &ways);
    if (node_start(&m->node, loop, client, m->model, &node, err) < 0)
        return -1;
    informer_start(m->nodes);
    model_feed_on_synced(m->feed, services_are_known, m);
    m->dns_follow = dns_follow_new(client, config->memory, configure_dns, m);
    if (model_feed_recalled(m->feed))
        be_patient(m);
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
    end_patience(m);
    ingress_free(m->ingress);
    dns_follow_free(m->dns_follow);
    informer_free(m->nodes);
    peers_free(m->peers);
    podways_free(m->podways);
    node_stop(&m->node);
    netpol_feed_free(m->policies);
    model_feed_free(m->feed);
    model_free(m->model);
    *m = (struct machine){0};
}

/* --- taking it away --- */

int machine_teardown(const char *data_dir, const char *name, struct err *err)
{
    struct err ignored;
    struct addresses addresses;
    struct ips dns;
    int result = agent_teardown(data_dir, RUN_DIR, name, err);
    ingress_teardown(RUN_DIR);
    proxy_teardown(-1);
    netpol_teardown(-1);
    tunnel_down(-1);
    peers_teardown();
    struct rtnl *r = rtnl_open(-1, &ignored);
    addresses_init(&addresses, "IPv4,IPv6"); /* what is not there is not missed */
    ips_parse(addresses.dns, &dns);
    for (int i = 0; r && i < dns.n; i++)
        (void)rtnl_del_addr(r, "lo", &dns.ip[i], ip_bits(dns.ip[i].family), &ignored);
    rtnl_close(r);
    return result;
}
