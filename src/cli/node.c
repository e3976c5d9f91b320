/* See node.h. */
#define LOG_AREA "cluster"
#include "cli/node.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "dns/dns.h"
#include "kinds/kind.h"
#include "lb/lb.h"
#include "podnet/addrwatch.h"
#include "podnet/tunnel.h"
#include "proxy/healthz.h"
#include "proxy/proxy.h"
#include "service/acknowledge.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200, section 5: with less Linux switches IPv6 off on an interface */

/* The largest packet of a pod; -1: none is left for IPv6. */
static int find_pod_mtu(const struct node *n, enum ways_mode mode, struct err *err)
{
    int mtu = tunnel_pod_mtu(n->netns_fd, n->ifname, mode, n->addresses->families[0]);
    if (mtu && mtu < IPV6_MTU_MIN && strchr(n->addresses->pods, ':'))
        return err_set(
            err, 0, "packets of pods could have %d bytes over %s, and IPv6 takes %d: its MTU has to be raised%s", mtu,
            n->ifname, IPV6_MTU_MIN, mode == WAYS_DIRECT ? "" : " (or --pod-network direct, if all nodes are on it)");
    return mtu;
}

static bool is_guarded(void *arg, const char *uid)
{
    struct node *n = arg;
    return !n->netpol || netpol_guards(n->netpol, uid);
}

static void on_guarded(void *arg)
{
    struct node *n = arg;
    if (n->agent)
        agent_network_changed(n->agent);
}

/* Before the agent, which starts no pod without. */
static void start_policies(struct node *n)
{
    struct err err;
    const struct netpol_config config = {.netns_fd = n->netns_fd,
                                         .node_name = n->name,
                                         .cluster_cidr = n->addresses->pods,
                                         .dns_ips = n->addresses->dns,
                                         .guard = n->guard,
                                         .turn = &n->turn,
                                         .guarded = on_guarded,
                                         .arg = n};
    n->netpol = netpol_new(n->policies, &config, n->loop, &err);
    if (!n->netpol)
        log_error("node %s: NetworkPolicies are not enforced: %s", n->name, err.msg);
}

static int start_agent(struct node *n, const struct node_config *config, struct err *err)
{
    int pod_mtu = find_pod_mtu(n, config->policy->pod_network, err);
    if (pod_mtu < 0)
        return -1;
    const struct agent_config agent = {
        .node_name = n->name,
        .node_ips = n->ips,
        .node_labels = config->labels,
        .node_taints = config->taints,
        .netns_fd = n->netns_fd,
        .pod_mtu = pod_mtu,
        .data_dir = config->data_dir,
        .run_dir = RUN_DIR,
        .cluster_dns = n->addresses->primary_dns,
        .cluster_domain = DOMAIN,
        .api_host = n->addresses->api,
        .api_port = 443,
        .tls_cert = config->cert,
        .tls_key = config->key,
        .client_ca = config->client_ca,
        .port = KUBELET_PORT,
        .model = n->model,
        .guarded = is_guarded,
        .guarded_arg = n,
        .policy = config->policy->agent,
    };
    const struct dns_config dns = {.netns_fd = n->netns_fd,
                                   .ips = n->addresses->dns,
                                   .domain = DOMAIN,
                                   .partial = true,
                                   .upstream_netns_fd = -1,
                                   .metrics_port = DNS_METRICS_PORT};
    if (!n->dns)
        n->dns = dns_new(n->loop, n->model, &dns, err);
    n->agent = n->dns ? agent_new(n->loop, n->client, &agent, err) : NULL;
    if (n->agent && n->network.reason)
        agent_set_network(n->agent, &n->network);
    return n->agent ? 0 : err_wrap(err, "node %s", n->name);
}

static void on_pod(void *arg, struct object *old, struct object *obj)
{
    struct node *n = arg;
    const struct object *o = obj ? obj : old;
    _cleanup_json_ json_t *doc = obj ? object_json(obj) : NULL;
    for (int i = 0; i < n->n_tables; i++)
        if (n->tables[i].proxy)
            proxy_set_pod(n->tables[i].proxy, o->ns, o->name, doc);
}

/* What all tables of the node hold is acknowledged. */
static void on_rules_applied(void *arg, uint64_t revision)
{
    struct table *t = arg;
    t->applied = revision;
    for (int i = 0; i < t->node->n_tables; i++)
        if (t->node->tables[i].applied < revision)
            revision = t->node->tables[i].applied;
    acknowledge(t->node->acknowledger, revision);
}

static struct ip *find_port_ips(struct node *n, const struct ip *primary, size_t *ret_n)
{
    const struct nodeport_site site = {n->netns_fd, *primary, n->addresses, n->lb_pool};
    return nodeport_addresses_find(&n->policy->nodeports, &site, ret_n);
}

static void on_addresses_changed(void *arg)
{
    struct node *n = arg;
    for (struct table *t = n->tables; t < n->tables + n->n_tables; t++) {
        size_t n_ips;
        _cleanup_free_ struct ip *ips = find_port_ips(n, &t->primary, &n_ips);
        if (t->proxy)
            proxy_set_port_ips(t->proxy, ips, n_ips);
    }
}

/* Where NodePorts are answered at whatever addresses the node has within ranges. */
static void watch_addresses(struct node *n)
{
    struct err err;
    if (!n->policy->nodeports.n)
        return;
    n->addrwatch = addrwatch_new(n->loop, n->netns_fd, on_addresses_changed, n, &err);
    if (!n->addrwatch)
        log_error("node %s: NodePorts are not answered at addresses that it gets later: %s", n->name, err.msg);
}

/* A table of rules a family. */
static void start_proxies(struct node *n)
{
    const struct addresses *a = n->addresses;
    struct cidrs pods, services;
    struct ips ips, dns;
    cidrs_parse(a->pods, &pods);
    cidrs_parse(a->services, &services);
    ips_parse(n->ips, &ips);
    ips_parse(a->dns, &dns);
    watch_addresses(n);
    n->n_tables = a->n_families;
    for (int i = 0; i < a->n_families; i++) {
        struct table *t = &n->tables[i];
        size_t n_port_ips;
        _cleanup_free_ struct ip *port_ips = find_port_ips(n, &ips.ip[i], &n_port_ips);
        char ip[IP_TEXT_SIZE], pod_range[CIDR_TEXT_SIZE], service_range[CIDR_TEXT_SIZE], dns_ip[IP_TEXT_SIZE];
        const struct proxy_config proxy = {.netns_fd = n->netns_fd,
                                           .node_name = n->name,
                                           .node_ip = ip_format(&ips.ip[i], ip),
                                           .port_ips = port_ips,
                                           .n_port_ips = n_port_ips,
                                           .cluster_cidr = cidr_format(&pods.cidr[i], pod_range),
                                           .service_cidr = cidr_format(&services.cidr[i], service_range),
                                           .dns_ip = ip_format(&dns.ip[i], dns_ip),
                                           .applied = on_rules_applied,
                                           .applied_arg = t,
                                           .guard = n->guard,
                                           .turn = &n->turn};
        struct err err;
        *t = (struct table){.node = n, .primary = ips.ip[i]};
        t->proxy = proxy_new(n->loop, n->model, &proxy, &err);
        if (!t->proxy)
            log_error("node %s: no Service proxy at %s: %s", n->name, ip, err.msg);
    }
    informer_on_change(n->pods, on_pod, n);
}

static bool rules_follow(void *arg)
{
    const struct node *n = arg;
    for (int i = 0; i < n->n_tables; i++)
        if (!n->tables[i].proxy || !proxy_healthy(n->tables[i].proxy))
            return false;
    return true;
}

static void start_healthz(struct node *n)
{
    const struct healthz_config config = {.netns_fd = n->netns_fd,
                                          .node_name = n->name,
                                          .v6 = strchr(n->ips, ':') != NULL,
                                          .rules_follow = rules_follow,
                                          .arg = n};
    n->healthz = healthz_new(n->loop, &config);
    if (n->object)
        healthz_set_node(n->healthz, n->object);
}

/* Only now rules may replace those of an earlier life. */
static void start_when_known(void *arg)
{
    struct node *n = arg;
    if (!n->services_known || !n->pods || !informer_synced(n->pods) || n->acknowledger)
        return;
    n->acknowledger = acknowledger_new(n->client, n->name);
    start_proxies(n);
    start_healthz(n);
}

static void follow_pods(struct node *n)
{
    _cleanup_free_ char *here = xasprintf("fieldSelector=spec.nodeName%%3D%s", n->name);
    n->pods = informer_new(n->client, &kind_pod, here);
    informer_on_synced(n->pods, start_when_known, n);
    informer_start(n->pods);
}

static void stop_proxies(struct node *n)
{
    informer_free(TAKE(n->pods));
    n->services_known = false;
    healthz_free(TAKE(n->healthz));
    addrwatch_free(TAKE(n->addrwatch));
    for (int i = 0; i < n->n_tables; i++)
        proxy_free(TAKE(n->tables[i].proxy));
}

int node_start(struct node *n, uv_loop_t *loop, struct client *c, struct model *m, const struct node_config *config,
               struct err *err)
{
    *n = (struct node){.loop = loop,
                       .client = c,
                       .model = m,
                       .name = xstrdup(config->name),
                       .ips = xstrdup(config->ips),
                       .ifname = xstrdup(config->ifname),
                       .addresses = config->addresses,
                       .netns_fd = config->netns_fd,
                       .lb_pool = config->lb_pool,
                       .policies = config->policies,
                       .policy = config->policy};
    turn_init(&n->turn);
    struct err no_nftables; /* told by those who need it */
    n->guard = guard_new(n->loop, n->netns_fd, &no_nftables);
    start_policies(n);
    follow_pods(n);
    return start_agent(n, config, err);
}

void node_services_known(struct node *n)
{
    n->services_known = true;
    start_when_known(n);
    dns_set_complete(n->dns);
}

/* A dead node's endpoints leave the Services when the API says that it is dead; our own proxy need not wait for that.
 */
static void on_lost(void *arg, const char *node, bool lost)
{
    struct node *n = arg;
    for (int i = 0; i < n->n_tables; i++)
        if (n->tables[i].proxy)
            proxy_avoid(n->tables[i].proxy, node, lost);
}

static void on_node(void *arg, struct object *old, struct object *obj)
{
    struct node *n = arg;
    (void)old;
    if (!obj || !streq(obj->name, n->name))
        return;
    json_decref(n->object);
    n->object = object_json(obj);
    if (n->healthz)
        healthz_set_node(n->healthz, n->object);
}

void node_nodes_known(struct node *n, struct informer *nodes)
{
    char ip[IP_TEXT_SIZE];
    const struct lb_config lb = {.netns_fd = n->netns_fd,
                                 .node_name = n->name,
                                 .ifname = n->ifname,
                                 .pool = n->lb_pool,
                                 .node_ip = ips_first(n->ips, ip),
                                 .lost = on_lost,
                                 .lost_arg = n};
    struct err err;
    informer_on_change(nodes, on_node, n);
    n->lb = lb_new(n->loop, n->model, nodes, &lb, &err);
    if (!n->lb)
        log_error("node %s announces no load balancers: %s", n->name, err.msg);
}

static void forget_network(struct node *n)
{
    free((char *)n->network.reason);
    free((char *)n->network.message);
    n->network = (struct agent_network){0};
}

void node_set_network(struct node *n, const struct agent_network *network)
{
    forget_network(n);
    n->network = (struct agent_network){network->unavailable, xstrdup(network->reason), xstrdup(network->message)};
    if (n->agent)
        agent_set_network(n->agent, network);
}

bool node_is_heard(const struct node *n)
{
    return n->agent && agent_is_heard(n->agent);
}

void node_lose(struct node *n, bool all)
{
    agent_free(TAKE(n->agent));
    netpol_free(TAKE(n->netpol));
    stop_proxies(n);
    acknowledger_free(TAKE(n->acknowledger));
    if (all)
        dns_free(TAKE(n->dns));
    if (n->lb)
        lb_pause(n->lb, true);
}

int node_regain(struct node *n, const struct node_config *config, struct err *err)
{
    start_policies(n);
    follow_pods(n);
    if (start_agent(n, config, err) < 0)
        return -1;
    node_services_known(n);
    if (n->lb)
        lb_pause(n->lb, false);
    return 0;
}

void node_stop(struct node *n)
{
    agent_free(n->agent);
    netpol_free(n->netpol);
    dns_free(n->dns);
    lb_free(n->lb);
    stop_proxies(n);
    guard_unref(n->guard);
    acknowledger_free(n->acknowledger);
    free(n->name);
    free(n->ips);
    free(n->ifname);
    json_decref(n->object);
    forget_network(n);
    *n = (struct node){0};
}
