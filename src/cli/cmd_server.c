/* c8s server: the control plane of a cluster of real machines, and this machine as its first node. */
#define LOG_AREA "server"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/controlplane.h"
#include "cli/daemon.h"
#include "cli/machine.h"
#include "cli/nodeoptions.h"
#include "cli/runstate.h"
#include "cli/settings.h"
#include "cli/teller.h"
#include "json/json.h"

#define DEFAULT_FAMILIES "IPv4"
#define CONTROL_PLANE "node-role.kubernetes.io/control-plane"

#define SIGNING_MIN_SECONDS 20 /* for trying it out: renewal takes a second or two, and a tenth is left for it */
#define SIGNING_MAX_SECONDS (10 * 365 * 86400)

struct server_options {
    const char *ip_families, *node_name, *node_ip, *lb_pool, *data_dir, *kubeconfig, *signing_duration, *log_level;
    bool no_agent, no_ingress;
    struct node_options node;
};
static const struct server_options defaults = {.data_dir = DATA_DIR_DEFAULT,
                                               .signing_duration = "8760h",
                                               .log_level = "info",
                                               .node = NODE_OPTIONS_DEFAULT(EVICTION_HARD_DEFAULT, "auto")};

struct head {
    const struct server_options *options;
    uv_loop_t loop;
    struct daemon_signals signals;
    struct machine_place place;
    char *data_dir, *kubeconfig, *url, *user, *cert, *key;
    struct lb_pool *lb_pool;
    int64_t signing_seconds;
    struct node_policy policy;
    struct controlplane plane;
    struct client *client; /* of our node */
    struct machine machine;
    struct teller *teller;
};

static int start_node(struct head *h, struct err *err)
{
    static const char *const labels[] = {CONTROL_PLANE, NULL};
    if (pki_ensure_node(&h->plane.pki, h->place.name, h->place.ips, &h->cert, &h->key, err) < 0)
        return -1;
    const struct machine_config config = {.place = &h->place,
                                          .data_dir = h->data_dir,
                                          .cert = h->cert,
                                          .key = h->key,
                                          .client_ca = h->plane.pki.ca_cert,
                                          .labels = labels,
                                          .lb_pool = h->lb_pool,
                                          .serves_ingress = !h->options->no_ingress,
                                          .ingress_client = h->plane.manager,
                                          .policy = &h->policy};
    h->client = server_local_client(h->plane.server, h->user, system_nodes);
    return machine_start(&h->machine, &h->loop, h->client, &config, err);
}

static void on_renewed(void *arg, bool changed)
{
    struct head *h = arg;
    struct err err;
    if (changed && kubeconfig_write(h->kubeconfig, h->url, &h->plane.pki, &err) < 0)
        log_error("%s", err.msg);
    controlplane_renew_node(&h->plane, h->place.name, h->place.ips, h->machine.node.agent);
}

static int start(struct head *h, struct err *err)
{
    const struct controlplane_config config = {.data_dir = h->data_dir,
                                               .addresses = &h->place.addresses,
                                               .node_name = h->place.name,
                                               .ips = h->place.ips,
                                               .listen_ip =
                                                   strchr(h->place.ips, ':') ? "::" : "0.0.0.0", /* "::" takes both */
                                               .netns_fd = -1,
                                               .signing_seconds = h->signing_seconds,
                                               .lb_pool = h->lb_pool};
    if (controlplane_start(&h->plane, &h->loop, &config, err) < 0 ||
        kubeconfig_write(h->kubeconfig, h->url, &h->plane.pki, err) < 0)
        return -1;
    server_on_renewed(h->plane.server, on_renewed, h);
    if (!h->options->no_agent)
        return start_node(h, err);
    if (!h->options->no_ingress)
        h->teller = teller_new(&h->loop, &h->plane, &h->place.addresses);
    return 0;
}

static void stop(struct head *h)
{
    teller_free(h->teller);
    machine_stop(&h->machine);
    client_free(h->client);
    controlplane_stop_controllers(&h->plane);
    controlplane_stop(&h->plane);
    uv_run(&h->loop, UV_RUN_DEFAULT);
    uv_loop_close(&h->loop);
    controlplane_done(&h->plane);
}

/* Decided once: nodes, pods and Services have their addresses, and agents remember it. The caller frees. */
static char *settle_families(const struct head *h, struct err *err)
{
    struct err none;
    struct addresses addresses;
    _cleanup_free_ char *path = xasprintf("%s/families", h->data_dir), *db = xasprintf("%s/state.db", h->data_dir);
    _cleanup_free_ char *kept = file_read(path, FAMILIES_TEXT_MAX, NULL, &none);
    const char *had = access(db, F_OK) < 0 ? NULL : kept; /* NULL too: restored from a backup, which does not say */
    const char *wanted = str_or(h->options->ip_families, str_or(had, DEFAULT_FAMILIES));
    if (!addresses_init(&addresses, wanted))
        err_set(err, 0, "--ip-families takes IPv4, IPv6, IPv4,IPv6 or IPv6,IPv4");
    else if (had && !streq(had, wanted))
        err_set(err, 0, "--ip-families: the cluster in %s has %s, which stays as it was made", h->data_dir, had);
    else if (had || file_write_atomic(path, wanted, strlen(wanted), 0644, err) == 0)
        return xstrdup(wanted);
    return NULL;
}

static int prepare(struct head *h, int *ret_lock, struct err *err)
{
    const struct server_options *o = h->options;
    const struct place_wish wish = {.node_ips = o->node_ip};
    char host[HOST_TEXT_SIZE];
    place_init(&h->place, o->node_name);
    if (!time_parse_duration(o->signing_duration, &h->signing_seconds) || h->signing_seconds < SIGNING_MIN_SECONDS ||
        h->signing_seconds > SIGNING_MAX_SECONDS)
        return err_set(err, 0, "--cluster-signing-duration is a time like 8760h or 720h30m, from %d s to ten years",
                       SIGNING_MIN_SECONDS);
    if (daemon_check(o->log_level, err) < 0 || node_options_read(&o->node, &h->policy, err) < 0 ||
        dir_make(o->data_dir, 0755, err) < 0 || (o->lb_pool && !(h->lb_pool = lb_pool_new(o->lb_pool, err))))
        return -1;
    h->data_dir = realpath(o->data_dir, NULL);
    _cleanup_free_ char *families = settle_families(h, err);
    if (!families || place_find(&h->place, families, &wish, err) < 0)
        return -1;
    h->kubeconfig = o->kubeconfig ? xstrdup(o->kubeconfig) : xasprintf("%s/kubeconfig", h->data_dir);
    h->url = xasprintf("https://%s:%d", ip_url_host(h->place.ip, host), API_PORT);
    h->user = xasprintf("system:node:%s", h->place.name);
    *ret_lock = runstate_lock(err);
    if (*ret_lock < 0)
        return -1;
    _cleanup_json_ json_t *state = json_pack("{s:i, s:s, s:s, s:s, s:s}", "pid", (int)getpid(), "dataDir", h->data_dir,
                                             "kubeconfig", h->kubeconfig, "url", h->url, "node", h->place.name);
    return runstate_save(state, err);
}

static int serve(struct head *h, struct err *err)
{
    daemon_prepare();
    uv_loop_init(&h->loop);
    int result = start(h, err);
    if (result == 0) {
        printf("c8s server: %s\n  export KUBECONFIG=%s\n", h->url, h->kubeconfig);
        fflush(stdout);
        daemon_catch(&h->signals, &h->loop);
        daemon_on_term(&h->signals, machine_shuts_down, &h->machine);
        uv_run(&h->loop, UV_RUN_DEFAULT);
        daemon_release(&h->signals);
    }
    stop(h);
    return result;
}

static int run(const void *options, char **args)
{
    struct head h = {.options = options};
    struct err err = {0};
    _cleanup_close_ int lock = -1;
    (void)args;
    int result = prepare(&h, &lock, &err) < 0 ? -1 : serve(&h, &err);
    if (result < 0)
        fprintf(stderr, "c8s server: %s\n", err.msg);
    char *const texts[] = {h.data_dir, h.kubeconfig, h.url, h.user, h.cert, h.key};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    place_done(&h.place);
    lb_pool_free(h.lb_pool);
    return result < 0;
}

#define OPTION(name, value, type, member, help)                                                                        \
    {                                                                                                                  \
        name, value, type, offsetof(struct server_options, member), 0, 0, help                                         \
    }
static const struct opt opts[] = {
    OPTION("no-agent", NULL, OPT_FLAG, no_agent, "the control plane alone: this machine runs no pods"),
    OPTION("no-ingress", NULL, OPT_FLAG, no_ingress, "Ingresses are another program's: ports 80 and 443 stay free"),
    OPTION("ip-families", "LIST", OPT_STR, ip_families,
           "of a new cluster: IPv4, IPv6, or both, the first one first (IPv4)"),
    OPTION("node-name", "NAME", OPT_STR, node_name, "name of the node (the machine's name)"),
    OPTION("node-ip", "IP", OPT_STR, node_ip,
           "addresses of the node and the API, one a family (those of the default routes)"),
    OPTION("lb-pool", "RANGE", OPT_STR, lb_pool, "addresses on the LAN for LoadBalancer Services (the nodes' own)"),
    NODE_OPTIONS(struct server_options),
    OPTION("data-dir", "DIR", OPT_STR, data_dir, "where the cluster keeps its data (" DATA_DIR_DEFAULT ")"),
    OPTION("kubeconfig", "FILE", OPT_STR, kubeconfig, "file to put the way to the cluster in (DIR/kubeconfig)"),
    OPTION("cluster-signing-duration", "TIME", OPT_STR, signing_duration,
           "how long the certificates of nodes and users are good (8760h)"),
    OPTION("log-level", "LEVEL", OPT_STR, log_level, "debug, info, warn or error (info)"),
    {0},
};
const struct command command_server = {
    .name = "server",
    .arguments = "",
    .summary = "Runs the control plane of a cluster of real machines, and its first node.",
    .opts = opts,
    .run = run,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
