/* See join.h. The first question is asked of somebody unknown; clusterinfo.h judges the answer. */
#define LOG_AREA "join"
#include "cli/join.h"

#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/addresses.h"
#include "cli/place.h"
#include "cli/settings.h"
#include "client/https.h"
#include "http/http.h"
#include "json/json.h"
#include "kinds/csr.h"
#include "kinds/kind.h"
#include "kinds/node.h"
#include "node/certificate.h"
#include "node/clusterinfo.h"

#define ANSWER_MAX (1 << 20) /* a CA bundle is a few KiB; who answers is not known yet */
#define TIMEOUT_MS 5000
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 10000
#define SIGNATURE_TRIES 3 /* some seconds: tokens are signed within moments of their making */

struct join {
    uv_loop_t *loop;
    struct join_config config;
    uv_timer_t timer;
    int retry_ms, tries;
    SSL_CTX *tls;
    struct http_call *call; /* for the CA */
    int code;
    struct buf answer;
    struct client *client; /* with the token */
    struct certificate *certificate;
    SSL_CTX *own_tls; /* with the certificate */
    struct client *own_client;
    bool over; /* nobody waits any more */
    void (*done)(void *arg, const struct err *err);
    void *arg;
};

/* --- the server's address --- */

/* Of several the IPv4 one, where every server listens, if there is a way to it. The resolver has sorted out what has
 * none (RFC 6724). */
static const struct addrinfo *choose(const struct addrinfo *found)
{
    for (const struct addrinfo *i = found; i; i = i->ai_next) {
        const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)i->ai_addr;
        struct ip own;
        if (i->ai_family == AF_INET && place_source(&(struct ip){.family = AF_INET, .v4 = sin->sin_addr}, &own))
            return i;
    }
    return found;
}

int join_parse_url(const char *url, struct join_server *ret, struct err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    *ret = (struct join_server){.port = API_PORT};
    ret->name = url_https_host(url, &ret->port, NULL);
    if (!ret->name)
        return err_set(err, 0, "\"%s\" is not https://HOST[:PORT]", url);
    int code = getaddrinfo(ret->name, NULL, &hints, &found);
    const struct addrinfo *best = choose(found);
    if (code == 0)
        code = getnameinfo(best->ai_addr, best->ai_addrlen, ret->ip, sizeof(ret->ip), NULL, 0, NI_NUMERICHOST);
    if (found)
        freeaddrinfo(found);
    return code == 0 ? 0 : err_set(err, 0, "%s: %s", ret->name, gai_strerror(code));
}

/* --- the CA --- */

static void ask_for_ca(struct join *j);
static void ask_for_node(struct join *j);
static void ask_for_families(struct join *j);

static void begin(uv_timer_t *t)
{
    struct join *j = t->data;
    const struct join_paths *p = j->config.paths;
    bool joined = certificate_is_there(p->cert, p->key) && access(p->ca, F_OK) == 0;
    struct err err;
    if (!joined && !j->config.token) {
        err_set(&err, 0, "%s--token is needed to join (`c8s token create` on the server makes one)",
                access(p->cert, F_OK) == 0 ? "this machine's certificate is no longer valid: " : "");
        j->done(j->arg, &err);
    } else if (!joined)
        ask_for_ca(j);
    else if (access(p->families, F_OK) < 0)
        ask_for_families(j);
    else
        j->done(j->arg, NULL); /* without the server, which may be away */
}

static void try_again(struct join *j, const char *why)
{
    log_warn("https://%s:%d: %s; trying again", j->config.server->name, j->config.server->port, why);
    j->retry_ms = j->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : j->retry_ms * 2;
    uv_timer_start(&j->timer, begin, (uint64_t)j->retry_ms, 0);
}

static void on_head(void *arg, int code, const struct http_header *headers)
{
    struct join *j = arg;
    (void)headers;
    j->code = code;
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct join *j = arg;
    buf_add(&j->answer, bytes, len);
}

static int take_ca(struct join *j, const json_t *answer, bool *again, struct err *err)
{
    const struct join_config *c = &j->config;
    _cleanup_free_ char *pem = clusterinfo_ca(answer, c->token, c->ca_hash, again, err);
    return pem ? file_write_atomic(c->paths->ca, pem, strlen(pem), 0644, err) : -1;
}

static void on_answer(void *arg, const struct err *why)
{
    struct join *j = arg;
    struct err err;
    bool again = true;
    j->call = NULL;
    _cleanup_json_ json_t *doc = why ? NULL : jparse(buf_str(&j->answer), j->answer.len, &err);
    if (why)
        try_again(j, why->msg);
    else if (take_ca(j, doc, &again, &err) == 0)
        ask_for_node(j);
    else if (again && (!jget(doc, "data") || j->tries++ < SIGNATURE_TRIES))
        try_again(j, err.msg);
    else
        j->done(j->arg, &err);
}

static const struct http_call_handler ca_handler = {.head = on_head, .data = on_data, .done = on_answer};

static void ask_for_ca(struct join *j)
{
    struct err err;
    if (access(j->config.paths->ca, F_OK) == 0) {
        ask_for_node(j);
        return;
    }
    if (!j->tls)
        j->tls = tls_client_ctx(NULL, NULL, NULL, &err);
    const struct http_call_spec spec = {.netns_fd = -1,
                                        .ip = j->config.server->ip,
                                        .port = j->config.server->port,
                                        .tls = j->tls,
                                        .method = "GET",
                                        .target = CLUSTER_INFO_PATH,
                                        .timeout_ms = TIMEOUT_MS};
    buf_clear(&j->answer);
    j->call = http_call_start(j->loop, &spec, &ca_handler, j);
}

/* --- the certificate --- */

static void on_certificate(void *arg)
{
    ask_for_families(arg);
}

static void ask_for_certificate(struct join *j)
{
    _cleanup_free_ char *user = xasprintf("system:node:%s", j->config.node_name);
    const struct certificate_config certificate = {.signer = CSR_SIGNER_NODE_CLIENT,
                                                   .auth = "client auth",
                                                   .spec = {.common_name = user, .organization = "system:nodes"},
                                                   .cert = j->config.paths->cert,
                                                   .key = j->config.paths->key};
    j->certificate = certificate_new(j->client, &certificate, on_certificate, j);
}

/* --- the name --- */

/* Whether the Node has the address that we have towards the server: then it is what we were before our data went. */
static bool is_ourselves(const struct join *j, const json_t *node)
{
    struct ip server, own;
    char text[IP_TEXT_SIZE];
    if (!ip_parse(j->config.server->ip, &server) || !place_source(&server, &own))
        return false;
    return node_has_address(node, ip_format(&own, text));
}

static void on_node(void *arg, int code, const json_t *body)
{
    struct join *j = arg;
    struct err err;
    if (j->over)
        return;
    if (code == 0) {
        try_again(j, "no answer");
    } else if (code == 401) {
        err_set(&err, 0, "the cluster does not know the token, or it has expired (`c8s token list` on the server)");
        j->done(j->arg, &err);
    } else if (code == 200 && node_is_ready(body) && !is_ourselves(j, body)) {
        err_set(&err, 0,
                "a Node with name \"%s\" and status \"Ready\" already exists in the cluster: delete it, or give this "
                "machine another name (--node-name)",
                j->config.node_name);
        j->done(j->arg, &err);
    } else {
        ask_for_certificate(j);
    }
}

static int make_client(struct join *j, struct err *err)
{
    SSL_CTX_free(j->tls);
    j->tls = tls_client_ctx(NULL, NULL, j->config.paths->ca, err);
    if (!j->tls)
        return -1;
    const struct client_https_config https = {.netns_fd = -1,
                                              .ip = j->config.server->ip,
                                              .port = j->config.server->port,
                                              .server_name = j->config.server->name,
                                              .token = j->config.token,
                                              .tls = j->tls};
    j->client = client_https_new(j->loop, &https);
    return 0;
}

/* Whether another machine has our name; tokens for joining may ask that. */
static void ask_for_node(struct join *j)
{
    struct err err;
    if (!j->client && make_client(j, &err) < 0)
        j->done(j->arg, &err);
    else
        client_get(j->client, &kind_node, NULL, j->config.node_name, on_node, j);
}

/* --- the families --- */

/* Cluster DNS has an address in each (server/bootstrap.c), and nodes may read Services. */
static void on_service(void *arg, int code, const json_t *service)
{
    struct join *j = arg;
    struct err err;
    struct addresses addresses;
    _cleanup_free_ char *text = jjoin(jget(service, "spec.ipFamilies"));
    if (j->over)
        return;
    if (code != 200 || !addresses_init(&addresses, text))
        try_again(j, jstr_or(service, "message", "no answer about cluster DNS"));
    else
        j->done(j->arg, file_write_atomic(j->config.paths->families, text, strlen(text), 0644, &err) < 0 ? &err : NULL);
}

static void ask_for_families(struct join *j)
{
    struct err err;
    const struct join_paths *p = j->config.paths;
    if (!j->own_tls)
        j->own_tls = tls_client_ctx(p->cert, p->key, p->ca, &err);
    if (!j->own_tls) {
        j->done(j->arg, &err);
        return;
    }
    const struct client_https_config https = {.netns_fd = -1,
                                              .ip = j->config.server->ip,
                                              .port = j->config.server->port,
                                              .server_name = j->config.server->name,
                                              .tls = j->own_tls};
    if (!j->own_client)
        j->own_client = client_https_new(j->loop, &https);
    client_get(j->own_client, &kind_service, "kube-system", "kube-dns", on_service, j);
}

/* --- life --- */

struct join *join_start(uv_loop_t *loop, const struct join_config *config,
                        void (*done)(void *arg, const struct err *err), void *arg)
{
    struct join *j = NEW(struct join);
    *j = (struct join){.loop = loop, .config = *config, .retry_ms = RETRY_MIN_MS, .done = done, .arg = arg};
    buf_init(&j->answer, ANSWER_MAX);
    uv_timer_init(loop, &j->timer);
    j->timer.data = j;
    uv_timer_start(&j->timer, begin, 0, 0);
    return j;
}

static void on_closed(uv_handle_t *h)
{
    struct join *j = h->data;
    SSL_CTX_free(j->tls);
    SSL_CTX_free(j->own_tls);
    buf_done(&j->answer);
    free(j);
}

void join_free(struct join *j)
{
    if (!j)
        return;
    j->over = true;
    if (j->call)
        http_call_cancel(j->call);
    certificate_free(j->certificate);
    client_free(j->client);
    client_free(j->own_client);
    uv_close((uv_handle_t *)&j->timer, on_closed);
}
