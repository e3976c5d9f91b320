/* See cluster.h. */
#include "cli/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_AREA "cluster"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/addresses.h"
#include "cli/commands.h"
#include "cli/routes.h"
#include "client/controller.h"
#include "control/control.h"
#include "control/csrsigning.h"
#include "dns/dns.h"
#include "dns/follow.h"
#include "ingress/ingress.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "lb/lb.h"
#include "node/agent.h"
#include "podnet/lan.h"
#include "proxy/proxy.h"
#include "sched/sched.h"
#include "server/server.h"
#include "service/acknowledge.h"
#include "service/feed.h"

#define DOMAIN CLUSTER_DOMAIN
#define API_PORT 6443
#define KUBELET_PORT 10250

static const char *const component_groups[] = {"system:authenticated", NULL};
static const char *const node_groups[] = {"system:nodes", "system:authenticated", NULL};
/* What kubeadm gives the node of the control plane when there are others. */
#define CONTROL_PLANE "node-role.kubernetes.io/control-plane"
static const char *const no_control_plane[] = {CONTROL_PLANE "-", NULL};
static const char *const control_plane_label[] = {CONTROL_PLANE, NULL};
static const char *const control_plane_taint[] = {CONTROL_PLANE ":NoSchedule", NULL};

struct node {
    char name[32], ips[IPS_TEXT_SIZE], ip[IP_TEXT_SIZE], user[64]; /* ip: the first of ips */
    int netns_fd;
    char *cert, *key;
    struct client *client;
    struct agent *agent;
    struct table { /* of rules, of one family */
        struct node *node;
        struct proxy *proxy;
        uint64_t applied; /* revision of the objects it holds */
    } tables[FAMILIES_MAX];
    int n_tables;
    struct acknowledger *acknowledger;
    struct dns *dns;
    struct lb *lb;
};

struct cluster {
    uv_loop_t *loop;
    struct addresses addresses;
    char *kubeconfig, *url;
    struct pki pki;
    struct csr_authority authority;
    struct store *store;
    struct server *server;
    struct client *manager, *scheduler, *viewer; /* in-process: controllers, scheduler, what the nodes share */
    struct controllers *controllers, *scheduling;
    struct model *model;
    struct model_feed *feed;
    struct dns_follow *dns_follow;
    struct ingress *ingress;
    struct informer *node_informer;
    struct routes *routes;
    struct lb_pool *lb_pool;
    struct node *nodes;
    int n_nodes;
    bool schedule_on_master;
    void (*ready)(void *arg);
    void *ready_arg;
};

void cluster_node_name(int n, char out[32])
{
    if (n == 0)
        snprintf(out, 32, "k8s-master");
    else
        snprintf(out, 32, "k8s-node%d", n);
}

/* The LAN's description for `n` nodes; the rows borrow from nodes. */
static struct lan describe_lan(const struct addresses *a, const struct node *nodes, int n, struct lan_node *rows)
{
    for (int i = 0; i < n; i++)
        rows[i] = (struct lan_node){nodes[i].name, nodes[i].ips};
    return (struct lan){a->network, a->host, a->pods, a->services, RUN_DIR, rows, (size_t)n};
}

static struct node *name_nodes(const struct addresses *a, int n)
{
    struct node *nodes = xcalloc((size_t)n, sizeof(*nodes));
    for (int i = 0; i < n; i++) {
        cluster_node_name(i, nodes[i].name);
        addresses_node(a, i, nodes[i].ips);
        ips_first(nodes[i].ips, nodes[i].ip);
        snprintf(nodes[i].user, sizeof(nodes[i].user), "system:node:%s", nodes[i].name);
        nodes[i].netns_fd = -1;
    }
    return nodes;
}

static int keep_out_of_pool(const struct lb_pool *pool, const char *ips, const char *whose, struct err *err)
{
    char text[IP_TEXT_SIZE];
    struct ip ip;
    while (ips_next(&ips, text))
        if (ip_parse(text, &ip) && lb_pool_has(pool, &ip))
            return err_set(err, 0, "--lb-pool: %s is %s", text, whose);
    return 0;
}

/* IPv4 addresses; a cluster without any has the nodes' own. */
static const char *usual_pool(const struct addresses *a)
{
    return *a->lb_pool ? a->lb_pool : CLUSTER_LB_NONE;
}

/* Addresses that the host reaches, and that are nobody's yet. */
static int make_lb_pool(struct cluster *c, const char *text, struct err *err)
{
    struct cidrs lan;
    if (streq(text, CLUSTER_LB_NONE))
        return 0;
    c->lb_pool = lb_pool_new(text, err);
    if (!c->lb_pool)
        return err_wrap(err, "--lb-pool");
    cidrs_parse(c->addresses.network, &lan);
    const struct cidr *network = cidrs_of(&lan, AF_INET);
    if (!network || !lb_pool_inside(c->lb_pool, network))
        return err_set(err, 0, "--lb-pool: not all of %s is in %s", text, c->addresses.network);
    for (int i = 0; i < CLUSTER_NODES_MAX; i++) {
        char node[IPS_TEXT_SIZE];
        addresses_node(&c->addresses, i, node);
        if (keep_out_of_pool(c->lb_pool, node, "kept for a node", err) < 0)
            return -1;
    }
    return keep_out_of_pool(c->lb_pool, c->addresses.host, "the host's address", err);
}

static int start_network(struct cluster *c, struct err *err)
{
    struct lan_node rows[CLUSTER_NODES_MAX];
    int fds[CLUSTER_NODES_MAX];
    struct lan lan = describe_lan(&c->addresses, c->nodes, c->n_nodes, rows);
    memset(fds, -1, sizeof(fds));
    int result = lan_up(&lan, fds, err);
    for (int i = 0; i < c->n_nodes; i++)
        c->nodes[i].netns_fd = fds[i];
    return result;
}

static int start_server(struct cluster *c, const char *data_dir, struct err *err)
{
    const char *names[] = {"kubernetes",
                           "kubernetes.default",
                           "kubernetes.default.svc",
                           "kubernetes.default.svc." DOMAIN,
                           "localhost",
                           c->nodes[0].name,
                           "127.0.0.1",
                           c->addresses.api,
                           c->nodes[0].ip,
                           NULL};
    _cleanup_free_ char *pki_dir = xasprintf("%s/pki", data_dir), *db = xasprintf("%s/state.db", data_dir);
    const struct server_config config = {
        .cluster_cidrs = c->addresses.pods,
        .service_cidrs = c->addresses.services,
        .cluster_dns = c->addresses.dns,
        .cluster_domain = DOMAIN,
        .advertise_ip = c->nodes[0].ip,
        .port = API_PORT,
        .node_port_min = 30000,
        .node_port_max = 32767,
        .pki = &c->pki,
    };
    if (pki_ensure(&c->pki, pki_dir, names, err) < 0)
        return -1;
    c->store = store_open(c->loop, db, err);
    c->server = c->store ? server_new(c->loop, c->store, &config, err) : NULL;
    return !c->server ? -1 : server_listen(c->server, c->nodes[0].netns_fd, c->nodes[0].ip, API_PORT, NULL, err);
}

/* What the nodes answer themselves, pods' health and the Ingress controller aside. */
static const uint16_t own_ports[] = {API_PORT, KUBELET_PORT};
static struct lb_node_ports own_node_ports = {own_ports, ARRAY_LEN(own_ports)};

static void start_readers(struct cluster *c)
{
    c->manager = server_local_client(c->server, "system:kube-controller-manager", component_groups);
    c->controllers = controllers_new(c->manager);
    for (const struct controller_def *const *def = all_controllers; *def; def++)
        controllers_add(c->controllers, *def);
    if (c->lb_pool)
        controllers_add_with(c->controllers, &lb_controller, c->lb_pool);
    else
        controllers_add_with(c->controllers, &lb_nodes_controller, &own_node_ports);
    c->authority = (struct csr_authority){c->pki.ca_cert, c->pki.ca_key};
    controllers_add_with(c->controllers, &csrsigning_controller, &c->authority);
    controllers_start(c->controllers);

    c->scheduler = server_local_client(c->server, "system:kube-scheduler", component_groups);
    c->scheduling = controllers_new(c->scheduler);
    controllers_add(c->scheduling, &scheduler);
    controllers_start(c->scheduling);

    c->viewer = server_local_client(c->server, "system:kube-proxy", node_groups);
    c->model = model_new();
    c->feed = model_feed_new(c->viewer, c->model);
}

static int start_node(struct cluster *c, struct node *n, const char *data_dir, struct err *err)
{
    const struct dns_config dns = {.netns_fd = n->netns_fd,
                                   .ip = c->addresses.dns,
                                   .domain = DOMAIN,
                                   .partial = true,
                                   .upstream_netns_fd = -1,
                                   .metrics_port = DNS_METRICS_PORT};
    if (pki_ensure_node(&c->pki, n->name, n->ip, &n->cert, &n->key, err) < 0 ||
        !(n->dns = dns_new(c->loop, c->model, &dns, err)))
        return err_wrap(err, "node %s", n->name);
    bool is_master = c->n_nodes > 1 && n == c->nodes;
    const struct agent_config agent = {
        .node_name = n->name,
        .node_ips = n->ips,
        .node_labels = is_master ? control_plane_label : no_control_plane,
        .node_taints = is_master && !c->schedule_on_master ? control_plane_taint : no_control_plane,
        .netns_fd = n->netns_fd,
        .data_dir = data_dir,
        .run_dir = RUN_DIR,
        .cluster_dns = c->addresses.dns,
        .cluster_domain = DOMAIN,
        .api_host = c->addresses.api,
        .api_port = 443,
        .tls_cert = n->cert,
        .tls_key = n->key,
        .client_ca = c->pki.ca_cert,
        .port = KUBELET_PORT,
        .model = c->model,
    };
    n->client = server_local_client(c->server, n->user, node_groups);
    n->agent = agent_new(c->loop, n->client, &agent, err);
    return n->agent ? 0 : err_wrap(err, "node %s", n->name);
}

static bool node_is_ready(const json_t *node)
{
    return streq_or_null(jstr(jfind(jget(node, "status.conditions"), "type", "Ready"), "status"), "True");
}

/* Calls `ready` once, at the change that makes the last of our nodes Ready. */
static void check_ready(void *arg, struct object *old, struct object *obj)
{
    struct cluster *c = arg;
    (void)old;
    (void)obj;
    for (int i = 0; i < c->n_nodes && c->ready; i++) {
        struct object *o = informer_get(c->node_informer, "", c->nodes[i].name);
        _cleanup_json_ json_t *doc = o ? object_json(o) : NULL;
        if (!doc || !node_is_ready(doc))
            return;
    }
    void (*ready)(void *) = TAKE(c->ready);
    if (ready)
        ready(c->ready_arg);
}

/* Services and Nodes are known. */
static void announce(void *arg)
{
    struct cluster *c = arg;
    for (struct node *n = c->nodes; n < c->nodes + c->n_nodes; n++) {
        const struct lb_config lb = {n->netns_fd, n->name, "eth0", c->lb_pool};
        struct err err;
        n->lb = lb_new(c->loop, c->model, c->node_informer, &lb, &err);
        if (!n->lb)
            log_error("node %s announces no load balancers: %s", n->name, err.msg);
    }
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

/* A table of rules a family. */
static void start_proxies(struct cluster *c, struct node *n)
{
    const struct addresses *a = &c->addresses;
    struct cidrs pods, services;
    struct ips ips;
    cidrs_parse(a->pods, &pods);
    cidrs_parse(a->services, &services);
    ips_parse(n->ips, &ips);
    n->n_tables = a->n_families;
    for (int i = 0; i < a->n_families; i++) {
        struct table *t = &n->tables[i];
        char ip[IP_TEXT_SIZE], pod_range[CIDR_TEXT_SIZE], service_range[CIDR_TEXT_SIZE];
        const struct proxy_config proxy = {.netns_fd = n->netns_fd,
                                           .node_name = n->name,
                                           .node_ip = ip_format(&ips.ip[i], ip),
                                           .cluster_cidr = cidr_format(&pods.cidr[i], pod_range),
                                           .service_cidr = cidr_format(&services.cidr[i], service_range),
                                           .dns_ip = i == 0 ? a->dns : "",
                                           .applied = on_rules_applied,
                                           .applied_arg = t};
        struct err err;
        t->node = n;
        t->proxy = proxy_new(c->loop, c->model, &proxy, &err);
        if (!t->proxy)
            log_error("node %s: no Service proxy at %s: %s", n->name, ip, err.msg);
    }
    if (n->tables[0].proxy && n->tables[1].proxy)
        proxy_pair(n->tables[0].proxy, n->tables[1].proxy);
}

static void start_ingress(struct cluster *c)
{
    struct ingress_node nodes[CLUSTER_NODES_MAX];
    for (int i = 0; i < c->n_nodes; i++)
        nodes[i] = (struct ingress_node){c->nodes[i].netns_fd, c->nodes[i].ip};
    const struct ingress_config config = {c->nodes[0].netns_fd, nodes, (size_t)c->n_nodes, c->addresses.dns, RUN_DIR};
    c->ingress = ingress_new(c->loop, c->manager, c->model, &config);
}

/* Every Service is known: only now rules may replace those of an earlier life, and "no such name" is an answer. */
static void services_are_known(void *arg)
{
    struct cluster *c = arg;
    for (struct node *n = c->nodes; n < c->nodes + c->n_nodes; n++) {
        n->acknowledger = acknowledger_new(n->client, n->name);
        start_proxies(c, n);
        dns_set_complete(n->dns);
    }
    informer_on_synced(c->node_informer, announce, c);
    start_ingress(c);
}

static void configure_dns(void *arg, struct settings *settings)
{
    struct cluster *c = arg;
    for (struct node *n = c->nodes; n < c->nodes + c->n_nodes; n++)
        dns_configure(n->dns, settings);
}

static void watch_nodes(struct cluster *c)
{
    struct lan_node rows[CLUSTER_NODES_MAX];
    struct lan lan = describe_lan(&c->addresses, c->nodes, c->n_nodes, rows);
    int fds[CLUSTER_NODES_MAX];
    for (int i = 0; i < c->n_nodes; i++)
        fds[i] = c->nodes[i].netns_fd;
    c->node_informer = informer_new(c->viewer, &kind_node, NULL);
    c->routes = routes_new(c->node_informer, lan.nodes, fds, lan.n_nodes);
    informer_on_change(c->node_informer, check_ready, c);
    informer_start(c->node_informer);
    model_feed_on_synced(c->feed, services_are_known, c);
    c->dns_follow = dns_follow_new(c->viewer, configure_dns, c);
}

struct cluster *cluster_start(uv_loop_t *loop, const struct cluster_config *config, void (*ready)(void *arg), void *arg,
                              struct err *err)
{
    struct cluster *c = NEW(struct cluster);
    char host[HOST_TEXT_SIZE];
    *c = (struct cluster){.loop = loop,
                          .ready = ready,
                          .ready_arg = arg,
                          .n_nodes = config->nodes,
                          .schedule_on_master = config->schedule_on_master};
    c->kubeconfig = xstrdup(config->kubeconfig);
    addresses_init(&c->addresses, config->ip_families);
    c->nodes = name_nodes(&c->addresses, c->n_nodes);
    c->url = xasprintf("https://%s:%d", ip_url_host(c->nodes[0].ip, host), API_PORT);
    int result = make_lb_pool(c, config->lb_pool ? config->lb_pool : usual_pool(&c->addresses), err) < 0 ||
                         start_network(c, err) < 0 || start_server(c, config->data_dir, err) < 0 ||
                         kubeconfig_write(c->kubeconfig, c->url, &c->pki, err) < 0
                     ? -1
                     : 0;
    if (result == 0)
        start_readers(c);
    for (int i = 0; result == 0 && i < c->n_nodes; i++)
        result = start_node(c, &c->nodes[i], config->data_dir, err);
    if (result < 0) {
        cluster_stop(c);
        return NULL;
    }
    watch_nodes(c);
    return c;
}

static void stop_node(struct node *n)
{
    agent_free(n->agent);
    dns_free(n->dns);
    lb_free(n->lb);
    for (int i = 0; i < n->n_tables; i++)
        proxy_free(n->tables[i].proxy);
    acknowledger_free(n->acknowledger);
    client_free(n->client);
    if (n->netns_fd >= 0)
        close(n->netns_fd);
    free(n->cert);
    free(n->key);
}

void cluster_stop(struct cluster *c)
{
    routes_free(c->routes);
    dns_follow_free(c->dns_follow);
    informer_free(c->node_informer);
    for (int i = 0; i < c->n_nodes; i++)
        stop_node(&c->nodes[i]);
    ingress_free(c->ingress);
    model_feed_free(c->feed);
    model_free(c->model);
    controllers_free(c->scheduling);
    controllers_free(c->controllers);
    lb_pool_free(c->lb_pool);
    client_free(c->viewer);
    client_free(c->scheduler);
    client_free(c->manager);
    server_free(c->server);
    store_close(c->store);
    uv_run(c->loop, UV_RUN_DEFAULT);
    pki_done(&c->pki);
    free(c->nodes);
    free(c->kubeconfig);
    free(c->url);
    free(c);
}

int cluster_teardown(const struct cluster_config *config, struct err *err)
{
    struct lan_node rows[CLUSTER_NODES_MAX];
    const struct addresses addresses = {0}; /* names are enough */
    _cleanup_free_ struct node *nodes = name_nodes(&addresses, config->nodes);
    struct lan lan = describe_lan(&addresses, nodes, config->nodes, rows);
    int result = 0;
    for (int i = 0; i < config->nodes; i++)
        if (agent_teardown(config->data_dir, RUN_DIR, nodes[i].name, err) < 0)
            result = err_wrap(err, "node %s", nodes[i].name);
    ingress_teardown(RUN_DIR);
    lan_down(&lan); /* the proxies' tables go with the namespaces */
    _cleanup_free_ char *ca = xasprintf("%s/pki/ca.crt", config->data_dir);
    kubeconfig_remove(config->kubeconfig, &(struct pki){.ca_cert = ca});
    return result;
}
