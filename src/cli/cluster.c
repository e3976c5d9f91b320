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
#include "cli/controlplane.h"
#include "cli/node.h"
#include "cli/podways.h"
#include "cli/settings.h"
#include "dns/dns.h"
#include "dns/follow.h"
#include "ingress/ingress.h"
#include "json/json.h"
#include "kinds/kind.h"
#include "kinds/node.h"
#include "podnet/lan.h"
#include "proxy/proxy.h"
#include "service/feed.h"

#define NODE_IFNAME "eth0"

/* What kubeadm gives the node of the control plane when there are others. */
#define CONTROL_PLANE "node-role.kubernetes.io/control-plane"
static const char *const no_control_plane[] = {CONTROL_PLANE "-", NULL};
static const char *const control_plane_label[] = {CONTROL_PLANE, NULL};
static const char *const control_plane_taint[] = {CONTROL_PLANE ":NoSchedule", NULL};

/* A node and what only here belongs to it: its name is known before it runs, and its client is of our own process. */
struct member {
    char name[32], ips[IPS_TEXT_SIZE], ip[IP_TEXT_SIZE], user[64]; /* ip: the first of ips */
    int netns_fd;
    char *cert, *key;
    struct client *client;
    struct node node;
    enum { RUNS, CUT, STOPPING, STOPPED } state;
};

struct cluster {
    uv_loop_t *loop;
    struct addresses addresses;
    char *data_dir, *kubeconfig, *url;
    struct controlplane plane;
    struct client *viewer; /* in-process: what the nodes share */
    struct model *model;
    struct model_feed *feed;
    struct netpol_feed *policies;
    struct dns_follow *dns_follow;
    struct ingress *ingress;
    struct informer *node_informer;
    struct podways *podways;
    struct lb_pool *lb_pool;
    struct member *nodes;
    int n_nodes;
    bool schedule_on_master;
    struct node_policy policy;
    bool services_known;
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

static struct member *find_member(const struct cluster *c, const char *name)
{
    for (int i = 0; i < c->n_nodes; i++)
        if (streq(c->nodes[i].name, name))
            return &c->nodes[i];
    return NULL;
}

/* The LAN's description for `n` nodes; the rows borrow from nodes. */
static struct lan describe_lan(const struct addresses *a, const struct member *nodes, int n, struct lan_node *rows)
{
    for (int i = 0; i < n; i++)
        rows[i] = (struct lan_node){nodes[i].name, nodes[i].ips};
    return (struct lan){a->network, a->host, a->pods, a->services, RUN_DIR, rows, (size_t)n};
}

static struct member *name_nodes(const struct addresses *a, int n)
{
    struct member *nodes = xcalloc((size_t)n, sizeof(*nodes));
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
    if (!lb_pool_inside(c->lb_pool, &lan))
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

static int start_plane(struct cluster *c, struct err *err)
{
    const struct controlplane_config config = {.data_dir = c->data_dir,
                                               .addresses = &c->addresses,
                                               .node_name = c->nodes[0].name,
                                               .ips = c->nodes[0].ips,
                                               .listen_ip = c->nodes[0].ip,
                                               .netns_fd = c->nodes[0].netns_fd,
                                               .signing_seconds = CSR_SECONDS_DEFAULT,
                                               .lb_pool = c->lb_pool};
    return controlplane_start(&c->plane, c->loop, &config, err);
}

static void start_readers(struct cluster *c)
{
    c->viewer = server_local_client(c->plane.server, "system:kube-proxy", system_nodes);
    c->model = model_new();
    c->feed = model_feed_new(c->viewer, c->model, NULL);
    c->policies = netpol_feed_new(c->viewer);
}

/* Borrows from both. */
static struct node_config config_of(const struct cluster *c, const struct member *m)
{
    bool is_master = c->n_nodes > 1 && m == c->nodes;
    return (struct node_config){
        .name = m->name,
        .ips = m->ips,
        .ifname = NODE_IFNAME,
        .addresses = &c->addresses,
        .netns_fd = m->netns_fd,
        .labels = is_master ? control_plane_label : no_control_plane,
        .taints = is_master && !c->schedule_on_master ? control_plane_taint : no_control_plane,
        .data_dir = c->data_dir,
        .cert = m->cert,
        .key = m->key,
        .client_ca = c->plane.pki.ca_cert,
        .lb_pool = c->lb_pool,
        .policies = c->policies,
        .policy = &c->policy,
    };
}

static int start_node(struct cluster *c, struct member *m, struct err *err)
{
    if (pki_ensure_node(&c->plane.pki, m->name, m->ips, &m->cert, &m->key, err) < 0)
        return err_wrap(err, "node %s", m->name);
    const struct node_config config = config_of(c, m);
    m->client = server_local_client(c->plane.server, m->user, system_nodes);
    return node_start(&m->node, c->loop, m->client, c->model, &config, err);
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

static void nodes_are_known(void *arg)
{
    struct cluster *c = arg;
    for (int i = 0; i < c->n_nodes; i++)
        node_nodes_known(&c->nodes[i].node, c->node_informer);
}

static void start_ingress(struct cluster *c)
{
    struct ingress_node nodes[CLUSTER_NODES_MAX * FAMILIES_MAX];
    size_t n = 0;
    for (int i = 0; i < c->n_nodes; i++)
        for (const char *rest = c->nodes[i].ips; ips_next(&rest, nodes[n].ip); n++)
            nodes[n].netns_fd = c->nodes[i].netns_fd;
    const struct ingress_config config = {.netns_fd = c->nodes[0].netns_fd,
                                          .nodes = nodes,
                                          .n_nodes = n,
                                          .node_informer = c->node_informer,
                                          .dns = c->addresses.primary_dns,
                                          .run_dir = RUN_DIR};
    c->ingress = ingress_new(c->loop, c->plane.manager, c->model, &config);
}

static void services_are_known(void *arg)
{
    struct cluster *c = arg;
    c->services_known = true;
    for (int i = 0; i < c->n_nodes; i++)
        node_services_known(&c->nodes[i].node);
    informer_on_synced(c->node_informer, nodes_are_known, c);
    start_ingress(c);
}

static void configure_dns(void *arg, struct settings *settings)
{
    struct cluster *c = arg;
    for (int i = 0; i < c->n_nodes; i++)
        if (c->nodes[i].node.dns)
            dns_configure(c->nodes[i].node.dns, settings);
}

static void on_network(void *arg, const char *node_name, const struct agent_network *network)
{
    struct member *m = find_member(arg, node_name);
    node_set_network(&m->node, network);
}

static bool is_heard(void *arg, const char *node_name)
{
    const struct member *m = find_member(arg, node_name);
    return node_is_heard(&m->node);
}

static void watch_nodes(struct cluster *c)
{
    struct podways_place places[CLUSTER_NODES_MAX + 1];
    for (int i = 0; i < c->n_nodes; i++)
        places[i] = (struct podways_place){c->nodes[i].name, c->nodes[i].ips, NODE_IFNAME, c->nodes[i].netns_fd};
    places[c->n_nodes] = (struct podways_place){"", c->addresses.host, "", -1};
    c->node_informer = informer_new(c->viewer, &kind_node, NULL);
    const struct podways_config ways = {c->policy.pod_network, places, (size_t)c->n_nodes + 1, on_network, is_heard, c};
    c->podways = podways_new(c->loop, c->node_informer, &ways);
    informer_on_change(c->node_informer, check_ready, c);
    informer_start(c->node_informer);
    model_feed_on_synced(c->feed, services_are_known, c);
    c->dns_follow = dns_follow_new(c->viewer, NULL, configure_dns, c);
}

static void on_renewed(void *arg, bool changed)
{
    struct cluster *c = arg;
    struct err err;
    if (changed && kubeconfig_write(c->kubeconfig, c->url, &c->plane.pki, &err) < 0)
        log_error("%s", err.msg);
    for (int i = 0; i < c->n_nodes; i++)
        controlplane_renew_node(&c->plane, c->nodes[i].name, c->nodes[i].ips, c->nodes[i].node.agent);
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
                          .schedule_on_master = config->schedule_on_master,
                          .policy = config->policy};
    c->data_dir = xstrdup(config->data_dir);
    c->kubeconfig = xstrdup(config->kubeconfig);
    addresses_init(&c->addresses, config->ip_families);
    c->nodes = name_nodes(&c->addresses, c->n_nodes);
    c->url = xasprintf("https://%s:%d", ip_url_host(c->nodes[0].ip, host), API_PORT);
    int result = make_lb_pool(c, config->lb_pool ? config->lb_pool : c->addresses.lb_pool, err) < 0 ||
                         start_network(c, err) < 0 || start_plane(c, err) < 0 ||
                         kubeconfig_write(c->kubeconfig, c->url, &c->plane.pki, err) < 0
                     ? -1
                     : 0;
    if (result == 0)
        start_readers(c);
    for (int i = 0; result == 0 && i < c->n_nodes; i++)
        result = start_node(c, &c->nodes[i], err);
    if (result < 0) {
        cluster_stop(c);
        return NULL;
    }
    server_on_renewed(c->plane.server, on_renewed, c);
    watch_nodes(c);
    return c;
}

/* --- faults, on purpose --- */

struct power_off {
    uv_work_t work;
    struct cluster *cluster;
    struct member *member;
    struct err err;
    int result;
    void (*done)(void *arg, const struct err *why);
    void *arg;
};

static void power_off(uv_work_t *work)
{
    struct power_off *p = work->data;
    p->result = agent_teardown(p->cluster->data_dir, RUN_DIR, p->member->name, &p->err);
    proxy_teardown(p->member->netns_fd);
    netpol_teardown(p->member->netns_fd);
}

static void powered_off(uv_work_t *work, int status)
{
    struct power_off *p = work->data;
    (void)status;
    p->member->state = STOPPED;
    p->done(p->arg, p->result < 0 ? &p->err : NULL);
    free(p);
}

static int cut(struct cluster *c, struct member *m, struct err *err)
{
    if (lan_set_link((size_t)(m - c->nodes), false, err) < 0)
        return -1;
    node_lose(&m->node, false);
    m->state = CUT;
    return 0;
}

static int plug_in(struct cluster *c, struct member *m, struct err *err)
{
    const struct node_config config = config_of(c, m);
    if (lan_set_link((size_t)(m - c->nodes), true, err) < 0 || node_regain(&m->node, &config, err) < 0)
        return -1;
    if (m->state == STOPPED) { /* its DNS is a new one: all hear again what is configured */
        dns_follow_free(c->dns_follow);
        c->dns_follow = dns_follow_new(c->viewer, NULL, configure_dns, c);
    }
    m->state = RUNS;
    return 0;
}

static void stop_for_good(struct power_off *p)
{
    node_lose(&p->member->node, true);
    p->member->state = STOPPING;
    uv_queue_work(p->cluster->loop, &p->work, power_off, powered_off);
}

static void on_pods_ended(void *arg)
{
    struct power_off *p = arg;
    struct err err;
    if (cut(p->cluster, p->member, &err) == 0) {
        stop_for_good(p);
        return;
    }
    p->done(p->arg, &err);
    free(p);
}

/* Whether it may be done now; each fault has its own way back. */
static int check_fault(const struct cluster *c, const struct member *m, enum cluster_fault fault, struct err *err)
{
    static const struct {
        bool runs, cut, stopped;
        const char *why;
    } rows[] = {[FAULT_STOP] = {true, true, false, "it is stopped already"},
                [FAULT_SHUTDOWN] = {true, false, false, "it is cut off or stopped already"},
                [FAULT_START] = {false, false, true, "it is not stopped"},
                [FAULT_CUT] = {true, false, false, "it is cut off or stopped already"},
                [FAULT_HEAL] = {false, true, false, "it is not cut off"}};
    bool fits = m->state == RUNS      ? rows[fault].runs
                : m->state == CUT     ? rows[fault].cut
                : m->state == STOPPED ? rows[fault].stopped
                                      : false;
    if (m == c->nodes)
        return err_set(err, 0, "%s: the API server runs there", m->name);
    if (!c->services_known)
        return err_set(err, 0, "the cluster is only just starting");
    return fits ? 0 : err_set(err, 0, "%s: %s", m->name, rows[fault].why);
}

void cluster_fault(struct cluster *c, enum cluster_fault fault, const char *node,
                   void (*done)(void *arg, const struct err *why), void *arg)
{
    struct err err;
    struct member *m = find_member(c, node);
    int result = m ? check_fault(c, m, fault, &err) : err_set(&err, 0, "there is no node %s", node);
    if (result == 0 && (fault == FAULT_STOP || fault == FAULT_CUT))
        result = m->state == CUT ? 0 : cut(c, m, &err);
    if (result == 0 && (fault == FAULT_START || fault == FAULT_HEAL))
        result = plug_in(c, m, &err);
    if (result < 0 || (fault != FAULT_STOP && fault != FAULT_SHUTDOWN)) {
        done(arg, result < 0 ? &err : NULL);
        return;
    }
    struct power_off *p = NEW(struct power_off);
    *p = (struct power_off){.cluster = c, .member = m, .done = done, .arg = arg};
    p->work.data = p;
    if (fault == FAULT_STOP) {
        stop_for_good(p);
    } else {
        m->state = STOPPING;
        agent_shut_down(m->node.agent, on_pods_ended, p);
    }
}

/* --- the end --- */

static void stop_member(struct member *m)
{
    node_stop(&m->node);
    client_free(m->client);
    if (m->netns_fd >= 0)
        close(m->netns_fd);
    free(m->cert);
    free(m->key);
}

void cluster_stop(struct cluster *c)
{
    podways_free(c->podways);
    informer_free(c->node_informer);
    for (int i = 0; i < c->n_nodes; i++)
        stop_member(&c->nodes[i]);
    ingress_free(c->ingress);
    dns_follow_free(c->dns_follow);
    netpol_feed_free(c->policies);
    model_feed_free(c->feed);
    model_free(c->model);
    controlplane_stop_controllers(&c->plane);
    lb_pool_free(c->lb_pool);
    client_free(c->viewer);
    controlplane_stop(&c->plane);
    uv_run(c->loop, UV_RUN_DEFAULT);
    controlplane_done(&c->plane);
    free(c->nodes);
    free(c->data_dir);
    free(c->kubeconfig);
    free(c->url);
    free(c);
}

int cluster_teardown(const struct cluster_config *config, struct err *err)
{
    struct lan_node rows[CLUSTER_NODES_MAX];
    const struct addresses addresses = {0}; /* names are enough */
    _cleanup_free_ struct member *nodes = name_nodes(&addresses, config->nodes);
    struct lan lan = describe_lan(&addresses, nodes, config->nodes, rows);
    int result = 0;
    for (int i = 0; i < config->nodes; i++)
        if (agent_teardown(config->data_dir, RUN_DIR, nodes[i].name, err) < 0)
            result = err_wrap(err, "node %s", nodes[i].name);
    ingress_teardown(RUN_DIR);
    lan_down(&lan); /* the nodes' tables of rules go with the namespaces */
    _cleanup_free_ char *ca = xasprintf("%s/pki/ca.crt", config->data_dir);
    kubeconfig_remove(config->kubeconfig, &(struct pki){.ca_cert = ca});
    return result;
}
