/* See controlplane.h. */
#include "cli/controlplane.h"

#define LOG_AREA "cluster"
#include "base/alloc.h"
#include "base/log.h"
#include "cli/settings.h"
#include "client/controller.h"
#include "control/control.h"
#include "lb/lb.h"
#include "http/http.h"
#include "proxy/healthz.h"
#include "sched/sched.h"

static const char *const component_groups[] = {"system:authenticated", NULL};
const char *const system_nodes[] = {"system:nodes", "system:authenticated", NULL};

/* What the nodes answer themselves, pods' health and the Ingress controller aside. */
static const uint16_t own_ports[] = {API_PORT, KUBELET_PORT, HEALTHZ_PORT};
static struct lb_node_ports own_node_ports = {own_ports, ARRAY_LEN(own_ports)};

static int start_server(struct controlplane *p, uv_loop_t *loop, const struct controlplane_config *config,
                        struct err *err)
{
    char ip[FAMILIES_MAX][IP_TEXT_SIZE];
    ips_split(config->ips, ip);
    const char *names[] = {"kubernetes",
                           "kubernetes.default",
                           "kubernetes.default.svc",
                           "kubernetes.default.svc." DOMAIN,
                           "localhost",
                           config->node_name,
                           "127.0.0.1",
                           config->addresses->api,
                           ip[0],
                           *ip[1] ? ip[1] : NULL,
                           NULL};
    _cleanup_free_ char *pki_dir = xasprintf("%s/pki", config->data_dir);
    _cleanup_free_ char *db = xasprintf("%s/state.db", config->data_dir);
    const struct server_config server = {
        .cluster_cidrs = config->addresses->pods,
        .service_cidrs = config->addresses->services,
        .cluster_dns = config->addresses->dns,
        .cluster_domain = DOMAIN,
        .advertise_ip = ip[0],
        .port = API_PORT,
        .node_port_min = 30000,
        .node_port_max = 32767,
        .pki = &p->pki,
    };
    if (pki_ensure(&p->pki, pki_dir, names, err) < 0)
        return -1;
    p->store = store_open(loop, db, err);
    p->server = p->store ? server_new(loop, p->store, &server, err) : NULL;
    return p->server ? server_listen(p->server, config->netns_fd, config->listen_ip, API_PORT, NULL, err) : -1;
}

int controlplane_start(struct controlplane *p, uv_loop_t *loop, const struct controlplane_config *config,
                       struct err *err)
{
    *p = (struct controlplane){0};
    if (start_server(p, loop, config, err) < 0)
        return -1;
    p->authority = (struct csr_authority){p->pki.ca_cert, p->pki.ca_key, config->signing_seconds};
    p->manager = server_local_client(p->server, "system:kube-controller-manager", component_groups);
    p->controllers = controllers_new(p->manager);
    for (const struct controller_def *const *def = all_controllers; *def; def++)
        controllers_add(p->controllers, *def);
    controllers_add_with(p->controllers, &csrsigning_controller, &p->authority);
    if (config->lb_pool)
        controllers_add_with(p->controllers, &lb_controller, config->lb_pool);
    else
        controllers_add_with(p->controllers, &lb_nodes_controller, &own_node_ports);
    controllers_start(p->controllers);

    p->scheduler = server_local_client(p->server, "system:kube-scheduler", component_groups);
    p->scheduling = controllers_new(p->scheduler);
    controllers_add(p->scheduling, &scheduler);
    controllers_start(p->scheduling);
    return 0;
}

void controlplane_stop_controllers(struct controlplane *p)
{
    controllers_free(p->scheduling);
    controllers_free(p->controllers);
}

void controlplane_stop(struct controlplane *p)
{
    client_free(p->scheduler);
    client_free(p->manager);
    server_free(p->server);
    store_close(p->store);
}

void controlplane_done(struct controlplane *p)
{
    pki_done(&p->pki);
}

void controlplane_renew_node(const struct controlplane *p, const char *name, const char *ips, struct agent *agent)
{
    _cleanup_free_ char *cert = NULL, *key = NULL;
    struct err err;
    if (agent && (pki_ensure_node(&p->pki, name, ips, &cert, &key, &err) < 0 ||
                  tls_ctx_use(agent_tls(agent), cert, key, &err) < 0))
        log_error("node %s: its certificate is not renewed: %s", name, err.msg);
}
