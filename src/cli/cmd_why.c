/* c8s why SERVICE[.NAMESPACE]: explains why a Service of the running cluster answers or not. The objects come from the
 * API; whether a node has the rules, and whether somebody listens in a pod, is asked in the node's namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/nft.h"
#include "base/netns.h"
#include "base/str.h"
#include "cli/addresses.h"
#include "cli/cluster.h"
#include "cli/commands.h"
#include "cli/runstate.h"
#include "cli/settings.h"
#include "client/https.h"
#include "service/why.h"

#define LISTENS_MS 1000 /* a pod on the same machine answers at once, or not */
#define FETCH_MS 10000
#define OUT_MAX (1 << 20)

/* --- the API --- */

enum { SERVICES, SLICES, PODS, NODES, N_LISTS };

struct fetch {
    uv_loop_t loop;
    struct client *client;
    json_t *lists[N_LISTS];
    int n_open, code; /* code: of the first answer that is none */
};

struct fetch_one {
    struct fetch *f;
    json_t **list;
};

static void on_list(void *arg, int code, const json_t *body)
{
    struct fetch_one *one = arg;
    if (code == 200)
        *one->list = json_incref(jget(body, "items"));
    else if (!one->f->code)
        one->f->code = code ? code : -1;
    if (--one->f->n_open == 0)
        uv_stop(&one->f->loop);
}

static void on_too_late(uv_timer_t *t)
{
    uv_stop(t->loop);
}

static SSL_CTX *admin_tls(const char *data_dir, struct err *err)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    _cleanup_free_ char *crt = xasprintf("%s/pki/admin.crt", data_dir), *key = xasprintf("%s/pki/admin.key", data_dir),
                        *ca = xasprintf("%s/pki/ca.crt", data_dir);
    if (SSL_CTX_use_certificate_file(tls, crt, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_load_verify_locations(tls, ca, NULL) == 1)
        return tls;
    SSL_CTX_free(tls);
    err_set(err, 0, "cannot read the certificates in %s/pki", data_dir);
    return NULL;
}

static int fetch_lists(struct fetch *f, SSL_CTX *tls, const char *families, const char *ns, struct err *err)
{
    char ips[IPS_TEXT_SIZE], ip[IP_TEXT_SIZE];
    struct addresses addresses;
    _cleanup_free_ char *slices = xasprintf("/apis/discovery.k8s.io/v1/namespaces/%s/endpointslices", ns);
    _cleanup_free_ char *pods = xasprintf("/api/v1/namespaces/%s/pods", ns);
    const char *const paths[N_LISTS] = {"/api/v1/services", slices, pods, "/api/v1/nodes"};
    struct fetch_one ones[N_LISTS];
    uv_timer_t patience;
    addresses_init(&addresses, families);
    addresses_node(&addresses, 0, ips);
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &patience);
    uv_timer_start(&patience, on_too_late, FETCH_MS, 0);
    f->client = client_https_new(&f->loop, &(struct client_https_config){
                                               .netns_fd = -1, .ip = ips_first(ips, ip), .port = API_PORT, .tls = tls});
    f->n_open = N_LISTS;
    for (int i = 0; i < N_LISTS; i++) {
        ones[i] = (struct fetch_one){f, &f->lists[i]};
        f->client->ops->request(f->client, "GET", paths[i], NULL, NULL, on_list, &ones[i]);
    }
    uv_run(&f->loop, UV_RUN_DEFAULT);
    client_free(f->client);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_loop_close(&f->loop);
    if (f->code || !f->lists[SERVICES])
        return err_set(err, 0, "the API server does not answer (%d)", f->code);
    return 0;
}

/* --- the nodes --- */

static int open_node(const char *node)
{
    struct err ignored;
    _cleanup_free_ char *path = xasprintf("/run/netns/%s", node);
    return netns_open(path, &ignored);
}

/* Numbers: nft would look names up in /etc/protocols, which need not be there. */
static const int protocols[PROTO_N] = {
    [PROTO_TCP] = IPPROTO_TCP, [PROTO_UDP] = IPPROTO_UDP, [PROTO_SCTP] = IPPROTO_SCTP};

static enum why_answer has_rule(void *arg, const char *node, const struct ip *ip, enum svc_protocol p, uint16_t port)
{
    _cleanup_close_ int fd = open_node(node);
    char text[IP_TEXT_SIZE], command[200];
    struct err ignored;
    (void)arg;
    if (fd < 0)
        return WHY_UNKNOWN;
    snprintf(command, sizeof(command), "get element %s c8s svc { %s . %d . %u }", ip->family == AF_INET ? "ip" : "ip6",
             ip_format(ip, text), protocols[p], port);
    return nft_run(fd, command, &ignored) < 0 ? WHY_NO : WHY_YES;
}

static bool connects(int fd, const struct ip *ip, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip->v4};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = ip->v6};
    const void *addr = ip->family == AF_INET ? (const void *)&v4 : (const void *)&v6;
    int error = 0;
    if (connect(fd, addr, ip->family == AF_INET ? sizeof(v4) : sizeof(v6)) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, LISTENS_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) == 0 && !error;
}

static enum why_answer listens(void *arg, const char *node, const struct ip *ip, uint16_t port)
{
    _cleanup_close_ int ns = open_node(node);
    (void)arg;
    if (ns < 0)
        return WHY_UNKNOWN;
    NETNS_SCOPE(ns);
    _cleanup_close_ int fd = socket(ip->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 && connects(fd, ip, port) ? WHY_YES : WHY_NO;
}

/* --- the command --- */

static int explain(const char *name, const char *ns, const struct fetch *f)
{
    const struct why w = {.ns = ns,
                          .name = name,
                          .services = f->lists[SERVICES],
                          .slices = f->lists[SLICES],
                          .pods = f->lists[PODS],
                          .nodes = f->lists[NODES],
                          .domain = CLUSTER_DOMAIN,
                          .has_rule = has_rule,
                          .listens = listens};
    struct buf out = BUF_INIT(OUT_MAX);
    int n_bad = why_explain(&w, &out);
    printf("Service %s in namespace %s %s\n%s", name, ns,
           n_bad ? "does not answer as it should:" : "answers:", buf_str(&out));
    buf_done(&out);
    return n_bad ? 1 : 0;
}

static int run(const void *options, char **args)
{
    struct fetch f = {0};
    struct err err;
    _cleanup_json_ json_t *state = runstate_load();
    _cleanup_free_ char *name = xstrdup(args[0]);
    char *dot = strchr(name, '.');
    int code = 1;
    (void)options;
    if (dot)
        *dot++ = '\0';
    if (!state || !runstate_is_running()) {
        fputs("c8s why: no cluster is running\n", stderr);
        return 1;
    }
    SSL_CTX *tls = admin_tls(jstr_or(state, "dataDir", DATA_DIR_DEFAULT), &err);
    if (!tls || fetch_lists(&f, tls, jstr_or(state, "ipFamilies", "IPv4"), str_or(dot, "default"), &err) < 0)
        fprintf(stderr, "c8s why: %s\n", err.msg);
    else
        code = explain(name, str_or(dot, "default"), &f);
    for (int i = 0; i < N_LISTS; i++)
        json_decref(f.lists[i]);
    SSL_CTX_free(tls);
    return code;
}

static const struct opt opts[] = {{0}};
const struct command command_why = {.name = "why",
                                    .arguments = "SERVICE[.NAMESPACE]",
                                    .summary = "Explains why a Service answers, or does not.",
                                    .opts = opts,
                                    .min_args = 1,
                                    .max_args = 1,
                                    .run = run};
