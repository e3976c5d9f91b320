/* c8s agent: this machine as a node of a cluster whose server is elsewhere. Joins once, by token; from then on it has
 * certificates of its own, which it renews. When the server is away, what was known goes on: containers, Services, DNS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_AREA "agent"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/join.h"
#include "cli/machine.h"
#include "cli/nodeoptions.h"
#include "cli/runstate.h"
#include "client/https.h"
#include "http/http.h"
#include "json/json.h"
#include "kinds/bootstraptoken.h"
#include "kinds/csr.h"
#include "node/certificate.h"

#define SHA256_HEX 64

struct agent_options {
    const char *server, *token, *ca_hash, *node_name, *node_ip, *lb_pool, *data_dir, *log_level;
    bool no_ingress;
    struct node_options node;
};
static const struct agent_options defaults = {
    .data_dir = DATA_DIR_DEFAULT, .log_level = "info", .node = NODE_OPTIONS_DEFAULT(EVICTION_HARD_DEFAULT, "auto")};

struct member {
    const struct agent_options *options;
    uv_loop_t loop;
    struct daemon_signals signals;
    struct join_server server;
    struct machine_place place;
    struct join_paths paths;
    char *user, *data_dir, *serving_cert, *serving_key, *memory;
    struct lb_pool *lb_pool;
    struct node_policy policy;
    struct join *join;
    SSL_CTX *tls;
    struct client *client;
    struct certificate *own, *serving;
    struct machine machine;
    struct err failure;
    bool failed;
};

static void fail(struct member *m, const struct err *why)
{
    m->failure = *why;
    m->failed = true;
    uv_stop(&m->loop);
}

/* --- being a node --- */

static void reconnect(void *arg)
{
    struct member *m = arg;
    client_https_reconnect(m->client);
}

static void keep_certificates(struct member *m)
{
    char ip[FAMILIES_MAX][IP_TEXT_SIZE];
    ips_split(m->place.ips, ip);
    const char *const names[] = {m->place.name, ip[0], *ip[1] ? ip[1] : NULL, NULL};
    const struct certificate_config own = {.signer = CSR_SIGNER_NODE_CLIENT,
                                           .auth = "client auth",
                                           .spec = {.common_name = m->user, .organization = "system:nodes"},
                                           .cert = m->paths.cert,
                                           .key = m->paths.key,
                                           .tls = m->tls,
                                           .renewed = reconnect,
                                           .renewed_arg = m};
    const struct certificate_config serving = {
        .signer = CSR_SIGNER_NODE_SERVING,
        .auth = "server auth",
        .spec = {.common_name = m->user, .organization = "system:nodes", .names = names},
        .cert = m->serving_cert,
        .key = m->serving_key,
        .tls = agent_tls(m->machine.node.agent)};
    m->own = certificate_new(m->client, &own, NULL, NULL);
    m->serving = certificate_new(m->client, &serving, NULL, NULL);
}

static int find_place(struct member *m, struct err *err)
{
    struct ip server;
    const struct place_wish wish = {.node_ips = m->options->node_ip,
                                    .toward = ip_parse(m->server.ip, &server) ? &server : NULL};
    _cleanup_free_ char *families = file_read(m->paths.families, FAMILIES_TEXT_MAX, NULL, err);
    if (!families)
        return -1;
    return place_find(&m->place, families, &wish, err) < 0 ? err_wrap(err, "a cluster with %s", families) : 0;
}

static int become_node(struct member *m, struct err *err)
{
    static const char *const no_labels[] = {NULL};
    if (find_place(m, err) < 0)
        return -1;
    m->tls = tls_client_ctx(m->paths.cert, m->paths.key, m->paths.ca, err);
    if (!m->tls)
        return -1;
    const struct client_https_config https = {
        .netns_fd = -1, .ip = m->server.ip, .port = m->server.port, .server_name = m->server.name, .tls = m->tls};
    const struct machine_config machine = {.place = &m->place,
                                           .data_dir = m->data_dir,
                                           .client_ca = m->paths.ca,
                                           .memory = m->memory,
                                           .labels = no_labels,
                                           .lb_pool = m->lb_pool,
                                           .serves_ingress = !m->options->no_ingress,
                                           .policy = &m->policy};
    m->client = client_https_new(&m->loop, &https);
    if (machine_start(&m->machine, &m->loop, m->client, &machine, err) < 0)
        return -1;
    keep_certificates(m);
    char host[HOST_TEXT_SIZE];
    printf("c8s agent: node %s (%s) of https://%s:%d\n", m->place.name, m->place.ips, ip_url_host(m->server.name, host),
           m->server.port);
    fflush(stdout);
    return 0;
}

static void on_joined(void *arg, const struct err *why)
{
    struct member *m = arg;
    struct err err;
    if (why || become_node(m, &err) < 0)
        fail(m, why ? why : &err);
    join_free(TAKE(m->join));
}

/* --- running --- */

static int make_paths(struct member *m, struct err *err)
{
    if (dir_make(m->options->data_dir, 0755, err) < 0)
        return -1;
    m->data_dir = realpath(m->options->data_dir, NULL);
    _cleanup_free_ char *dir = xasprintf("%s/agent", m->data_dir);
    m->paths = (struct join_paths){xasprintf("%s/ca.crt", dir), xasprintf("%s/client.crt", dir),
                                   xasprintf("%s/client.key", dir), xasprintf("%s/families", dir)};
    m->serving_cert = xasprintf("%s/serving.crt", dir);
    m->serving_key = xasprintf("%s/serving.key", dir);
    m->memory = xasprintf("%s/known", dir);
    return dir_make(dir, 0700, err) < 0 ? -1 : dir_make(m->memory, 0700, err);
}

static int check_secrets(const struct agent_options *o, struct err *err)
{
    const char *hash = o->ca_hash ? str_after(o->ca_hash, "sha256:") : NULL;
    if (o->token && !bootstrap_token_is(o->token, strlen(o->token)))
        return err_set(err, 0, "--token is not of the form abcdef.0123456789abcdef");
    if (o->ca_hash && (!hash || strlen(hash) != SHA256_HEX || hash[strspn(hash, "0123456789abcdef")]))
        return err_set(err, 0, "--ca-hash is not sha256: and %d digits of 0-9a-f", SHA256_HEX);
    return 0;
}

static int prepare(struct member *m, int *ret_lock, struct err *err)
{
    const struct agent_options *o = m->options;
    if (!o->server)
        return err_set(err, 0, "--server is missing: https://HOST[:PORT] of the server");
    place_init(&m->place, o->node_name);
    if (daemon_check(o->log_level, err) < 0 || check_secrets(o, err) < 0 ||
        node_options_read(&o->node, &m->policy, err) < 0 ||
        (join_parse_url(o->server, &m->server, err) < 0 && err_wrap(err, "--server")) || make_paths(m, err) < 0 ||
        (o->lb_pool && !(m->lb_pool = lb_pool_new(o->lb_pool, err))))
        return -1;
    m->user = xasprintf("system:node:%s", m->place.name);
    *ret_lock = runstate_lock(err);
    if (*ret_lock < 0)
        return -1;
    _cleanup_json_ json_t *state =
        json_pack("{s:i, s:s, s:s}", "pid", (int)getpid(), "dataDir", m->data_dir, "node", m->place.name);
    return runstate_save(state, err);
}

static void serve(struct member *m)
{
    const struct join_config join = {
        &m->server, m->options->token, m->options->ca_hash, m->place.name, &m->paths,
    };
    daemon_prepare();
    uv_loop_init(&m->loop);
    daemon_catch(&m->signals, &m->loop);
    daemon_on_term(&m->signals, machine_shuts_down, &m->machine);
    m->join = join_start(&m->loop, &join, on_joined, m);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    daemon_release(&m->signals);
    join_free(m->join);
    certificate_free(m->own);
    certificate_free(m->serving);
    machine_stop(&m->machine);
    client_free(m->client);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    uv_loop_close(&m->loop);
    SSL_CTX_free(m->tls);
}

static void member_done(struct member *m)
{
    char *const texts[] = {m->server.name, m->paths.ca, m->paths.cert,   m->paths.key,   m->paths.families,
                           m->user,        m->data_dir, m->serving_cert, m->serving_key, m->memory};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    place_done(&m->place);
    lb_pool_free(m->lb_pool);
}

static int run(const void *options, char **args)
{
    struct member m = {.options = options};
    _cleanup_close_ int lock = -1;
    (void)args;
    if (prepare(&m, &lock, &m.failure) < 0)
        m.failed = true;
    else
        serve(&m);
    if (m.failed)
        fprintf(stderr, "c8s agent: %s\n", m.failure.msg);
    member_done(&m);
    return m.failed;
}

#define OPTION(name, value, member, help)                                                                              \
    {                                                                                                                  \
        name, value, OPT_STR, offsetof(struct agent_options, member), 0, 0, help                                       \
    }
static const struct opt opts[] = {
    OPTION("server", "URL", server, "https://HOST[:PORT] of the server"),
    OPTION("token", "TOKEN", token, "bootstrap token, to join (`c8s token create`)"),
    OPTION("ca-hash", "HASH", ca_hash, "sha256:… that the cluster's CA must have, to join (by the token alone)"),
    OPTION("ca-cert-hash", "HASH", ca_hash, "the same"),
    OPTION("node-name", "NAME", node_name, "name of the node (the machine's name)"),
    OPTION("node-ip", "IP", node_ip, "addresses of the node, one a family of the cluster (those the routes take)"),
    OPTION("lb-pool", "RANGE", lb_pool, "addresses of load balancers to announce; as on the server"),
    {"no-ingress", NULL, OPT_FLAG, offsetof(struct agent_options, no_ingress), 0, 0,
     "Ingresses are not served here: ports 80 and 443 stay free"},
    NODE_OPTIONS(struct agent_options),
    OPTION("data-dir", "DIR", data_dir, "where the node keeps its data (" DATA_DIR_DEFAULT ")"),
    OPTION("log-level", "LEVEL", log_level, "debug, info, warn or error (info)"),
    {0},
};
const struct command command_agent = {
    .name = "agent",
    .arguments = "",
    .summary = "Makes this machine a node of a cluster.",
    .opts = opts,
    .run = run,
    .defaults = &defaults,
    .options_size = sizeof(defaults),
};
