/* See action.h. */
#include "node/action.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <arpa/inet.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/netns.h"
#include "base/str.h"
#include "http/http.h"
#include "node/agent_impl.h"
#include "node/command.h"
#include "node/grpc.h"
#include "node/pod.h"
#include "node/record.h"

#define HEADERS_MAX 64 /* of one HTTP probe */

struct action {
    struct container *container;
    action_done_fn *done;
    void *arg;
    uv_timer_t *timer; /* the time-out, or the sleep itself */
    /* HTTP */
    struct http_call *call;
    char *url;
    int status;
    /* TCP */
    uv_tcp_t *tcp;
    struct grpc_check *grpc;
    /* exec: the job outlives a cancelled action */
    struct exec_job *job;
};

struct exec_job {
    struct action *action; /* NULL: cancelled */
    struct pod *pod;
    const struct runtime *rt;
    char *bundle, cid[CID_SIZE];
    json_t *args;
    int timeout_ms, code;
    struct buf out;
    struct err err;
};

static void free_tcp(uv_handle_t *h)
{
    free(h);
}

void action_cancel(struct action *a)
{
    if (!a)
        return;
    if (a->job)
        a->job->action = NULL;
    if (a->call)
        http_call_cancel(a->call);
    grpc_check_cancel(a->grpc);
    if (a->tcp) {
        a->tcp->data = NULL;
        uv_close((uv_handle_t *)a->tcp, free_tcp);
    }
    handle_free((uv_handle_t *)a->timer);
    free(a->url);
    free(a);
}

static void finish(struct action *a, bool ok, const char *message)
{
    action_done_fn *done = a->done;
    void *arg = a->arg;
    _cleanup_free_ char *text = xstrdup(message);
    action_cancel(a);
    done(arg, ok, text);
}

/* --- exec --- */

static void exec_work(void *arg)
{
    struct exec_job *j = arg;
    j->code = command_run(j->rt, j->bundle, j->cid, j->args, j->timeout_ms, &j->out, &j->err);
}

static void exec_done(void *arg)
{
    struct exec_job *j = arg;
    if (j->action) {
        j->action->job = NULL;
        bool timed_out = j->code == -ETIMEDOUT;
        _cleanup_free_ char *late = timed_out ? xasprintf("command timed out after %ds", j->timeout_ms / 1000) : NULL;
        finish(j->action, j->code == 0, timed_out ? late : j->code < 0 ? j->err.msg : buf_str(&j->out));
    }
    pod_unref(j->pod);
    buf_done(&j->out);
    json_decref(j->args);
    free(j->bundle);
    free(j);
}

static void start_exec(struct action *a, const json_t *handler, int timeout_ms)
{
    struct pod *p = a->container->pod;
    struct exec_job *j = NEW(struct exec_job);
    *j = (struct exec_job){.action = a,
                           .pod = pod_ref(p),
                           .rt = &p->agent->rt,
                           .bundle = record_dir(&p->agent->paths, p->uid, a->container->f.cid),
                           .args = json_deep_copy(jget(handler, "command")),
                           .timeout_ms = timeout_ms,
                           .out = BUF_INIT(COMMAND_OUTPUT_MAX)};
    memcpy(j->cid, a->container->f.cid, sizeof(j->cid));
    a->job = j;
    agent_job(p->agent, exec_work, exec_done, j);
}

/* --- where HTTP and TCP go --- */

static int find_port(const struct container *c, const json_t *port)
{
    _cleanup_json_ json_t *doc = pod_json(c->pod);
    const char *name = json_string_value(port);
    int64_t number = json_integer_value(port);
    if (name && !str_to_i64(name, 1, 65535, &number))
        number = jint(jfind(jget(find_container(doc, c->f.name), "ports"), "name", name), "containerPort", 0);
    return (int)number;
}

/* Of the pod: its address of the primary family. */
static const char *find_host(const struct container *c, const json_t *handler, char ip[IP_TEXT_SIZE])
{
    const char *host = jstr_or(handler, "host", "");
    return *host ? host : ips_first(str_or(c->pod->ips, "127.0.0.1"), ip);
}

/* --- HTTP --- */

static void http_head(void *arg, int code, const struct http_header *headers)
{
    struct action *a = arg;
    (void)headers;
    a->status = code;
}

static void http_finished(void *arg, const struct err *err)
{
    struct action *a = arg;
    bool ok = a->status >= 200 && a->status < 400;
    a->call = NULL;
    _cleanup_free_ char *why = err && !a->status ? xasprintf("Get \"%s\": %s", a->url, err->msg)
                                                 : xasprintf("HTTP probe failed with statuscode: %d", a->status);
    finish(a, ok, ok ? "" : why);
}

static size_t fill_headers(struct http_header *out, const json_t *handler)
{
    size_t n = 0, i;
    json_t *h;
    bool agent = false, accept = false;
    json_array_foreach(jget(handler, "httpHeaders"), i, h) {
        if (n == HEADERS_MAX - 3)
            break;
        out[n++] = (struct http_header){jstr_or(h, "name", ""), jstr_or(h, "value", "")};
        agent = agent || strcasecmp(out[n - 1].name, "User-Agent") == 0;
        accept = accept || strcasecmp(out[n - 1].name, "Accept") == 0;
    }
    if (!agent)
        out[n++] = (struct http_header){"User-Agent", "kube-probe/1.32"};
    if (!accept)
        out[n++] = (struct http_header){"Accept", "*/*"};
    out[n] = (struct http_header){0};
    return n;
}

static void start_http(struct action *a, const json_t *handler, int timeout_ms)
{
    static const struct http_call_handler callbacks = {.head = http_head, .done = http_finished};
    struct agent *agent = a->container->pod->agent;
    bool https = strcasecmp(jstr_or(handler, "scheme", "HTTP"), "HTTPS") == 0;
    char ip[IP_TEXT_SIZE], url_host[HOST_TEXT_SIZE];
    const char *path = jstr_or(handler, "path", "/"), *host = find_host(a->container, handler, ip);
    _cleanup_free_ char *target = xasprintf("%s%s", path[0] == '/' ? "" : "/", path);
    struct http_header headers[HEADERS_MAX];
    struct err err;
    int port = find_port(a->container, jget(handler, "port"));
    SSL_CTX *tls = https ? tls_client_ctx(NULL, NULL, NULL, &err) : NULL;
    fill_headers(headers, handler);
    a->url = xasprintf("%s://%s:%d%s", https ? "https" : "http", ip_url_host(host, url_host), port, target);
    struct http_call_spec spec = {.netns_fd = agent->netns_fd,
                                  .ip = host,
                                  .port = port,
                                  .tls = tls,
                                  .method = "GET",
                                  .target = target,
                                  .headers = headers,
                                  .timeout_ms = timeout_ms};
    a->call = http_call_start(agent->loop, &spec, &callbacks, a);
    if (tls)
        SSL_CTX_free(tls); /* the call holds its own reference */
}

/* --- TCP --- */

static void tcp_connected(uv_connect_t *req, int status)
{
    struct action *a = req->handle->data;
    free(req);
    if (!a)
        return; /* cancelled */
    _cleanup_free_ char *why =
        status < 0 ? xasprintf("dial tcp %s: connect: %s", a->url, uv_strerror(status)) : xstrdup("");
    finish(a, status == 0, why);
}

/* A socket belongs to the namespace it is made in. */
static int make_socket(struct action *a, int family)
{
    struct agent *agent = a->container->pod->agent;
    NETNS_SCOPE(agent->netns_fd);
    return uv_tcp_init_ex(agent->loop, a->tcp, (unsigned)family);
}

static void fail_soon(uv_timer_t *t)
{
    struct action *a = t->data;
    finish(a, false, a->url);
}

static void start_tcp(struct action *a, const json_t *handler)
{
    char ip[IP_TEXT_SIZE], url_host[HOST_TEXT_SIZE];
    struct sockaddr_storage to;
    const char *host = find_host(a->container, handler, ip);
    int port = find_port(a->container, jget(handler, "port"));
    ip_url_host(host, url_host);
    a->url = xasprintf("%s:%d", url_host, port);
    a->tcp = NEW(uv_tcp_t);
    bool v6 = strchr(host, ':');
    int r = make_socket(a, v6 ? AF_INET6 : AF_INET);
    if (r < 0) {
        free(TAKE(a->tcp));
    } else {
        a->tcp->data = a;
        uv_connect_t *req = NEW(uv_connect_t);
        r = v6 ? uv_ip6_addr(host, port, (struct sockaddr_in6 *)&to)
               : uv_ip4_addr(host, port, (struct sockaddr_in *)&to);
        r = r < 0 ? r : uv_tcp_connect(req, a->tcp, (struct sockaddr *)&to, tcp_connected);
        if (r < 0)
            free(req);
    }
    if (r == 0)
        return;
    free(a->url);
    a->url = xasprintf("dial tcp %s:%d: %s", url_host, port, uv_strerror(r));
    uv_timer_start(a->timer, fail_soon, 0, 0);
}

/* --- gRPC --- */

static void grpc_finished(void *arg, bool ok, const char *message)
{
    struct action *a = arg;
    a->grpc = NULL;
    finish(a, ok, message);
}

static void start_grpc(struct action *a, const json_t *handler, int timeout_ms)
{
    const struct agent *agent = a->container->pod->agent;
    char ip[IP_TEXT_SIZE];
    a->grpc =
        grpc_check_start(agent->loop, agent->netns_fd, find_host(a->container, handler, ip),
                         (int)jint(handler, "port", 0), jstr_or(handler, "service", ""), timeout_ms, grpc_finished, a);
}

/* --- all --- */

static void timed_out(uv_timer_t *t)
{
    struct action *a = t->data;
    _cleanup_free_ char *why = xasprintf("dial tcp %s: i/o timeout", str_or(a->url, ""));
    finish(a, false, why);
}

static void slept(uv_timer_t *t)
{
    finish(t->data, true, "");
}

struct action *action_run(struct container *c, const json_t *handler, int timeout_ms, action_done_fn *done, void *arg)
{
    struct action *a = NEW(struct action);
    const json_t *h;
    *a = (struct action){.container = c, .done = done, .arg = arg, .timer = timer_make(c->pod->agent->loop, a)};
    if ((h = jget(handler, "exec"))) {
        start_exec(a, h, timeout_ms);
    } else if ((h = jget(handler, "httpGet"))) {
        start_http(a, h, timeout_ms);
    } else if ((h = jget(handler, "sleep"))) {
        uv_timer_start(a->timer, slept, (uint64_t)(1000 * jint(h, "seconds", 0)), 0);
    } else if ((h = jget(handler, "grpc"))) {
        start_grpc(a, h, timeout_ms);
    } else {
        h = jget(handler, "tcpSocket");
        uv_timer_start(a->timer, timed_out, (uint64_t)timeout_ms, 0);
        start_tcp(a, h);
    }
    return a;
}
