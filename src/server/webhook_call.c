/* See webhook_call.h. A URL is asked from where this program runs, a Service from the first node. */
#include "server/webhook_call.h"

#include <netdb.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/str.h"
#include "http/http.h"
#include "server/service_address.h"

#define ANSWER_MAX (HTTP_BODY_MAX + (1 << 20)) /* an object as a patch in base64, and some words */
#define HTTPS_PORT 443

struct webhook_call {
    struct server *server;
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    int handles; /* the timer, and the lookup while it runs: freed with the last */
    struct http_call *http;
    char *url; /* as it is told in errors */
    char *host, *target, *ip;
    const char *server_name; /* host, or the Service's in its own text */
    char *service_name;
    int port, netns_fd, code;
    SSL_CTX *tls;
    char *question;
    struct buf answer;
    struct err early; /* why it cannot even be tried */
    bool over;
    webhook_call_fn *done;
    void *arg;
};

/* --- the end --- */

static void let_go(struct webhook_call *c)
{
    if (--c->handles)
        return;
    SSL_CTX_free(c->tls);
    buf_done(&c->answer);
    free(c->url);
    free(c->host);
    free(c->target);
    free(c->ip);
    free(c->service_name);
    free(c->question);
    free(c);
}

static void on_timer_closed(uv_handle_t *h)
{
    let_go(h->data);
}

void webhook_call_cancel(struct webhook_call *c)
{
    if (c->over)
        return;
    c->over = true;
    if (c->http)
        http_call_cancel(c->http);
    if (c->handles > 1)
        uv_cancel((uv_req_t *)&c->lookup);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void end(struct webhook_call *c, const struct err *err)
{
    struct err told;
    if (err)
        err_set(&told, 0, "Post \"%s\": %s", c->url, err->msg);
    if (!c->over)
        c->done(c->arg, c->answer.data, c->answer.len, err ? &told : NULL);
    webhook_call_cancel(c);
}

static void fail(struct webhook_call *c, const char *why)
{
    struct err err;
    err_set(&err, 0, "%s", why);
    end(c, &err);
}

static void on_timeout(uv_timer_t *timer)
{
    struct webhook_call *c = timer->data;
    if (*c->early.msg)
        end(c, &c->early);
    else
        fail(c, "context deadline exceeded");
}

/* --- asking --- */

static void on_head(void *arg, int code, const struct http_header *headers)
{
    (void)headers;
    ((struct webhook_call *)arg)->code = code;
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct webhook_call *c = arg;
    if (c->answer.len + len <= ANSWER_MAX)
        buf_add(&c->answer, bytes, len);
    else
        c->code = -1;
}

static void on_done(void *arg, const struct err *err)
{
    struct webhook_call *c = arg;
    c->http = NULL;
    if (err) {
        end(c, err);
    } else if (c->code == -1) {
        fail(c, "the response is too large");
    } else if (c->code < 200 || c->code > 299) {
        struct err refused;
        err_set(&refused, 0, "the server responded with status %d", c->code);
        end(c, &refused);
    } else {
        end(c, NULL);
    }
}

static void ask(struct webhook_call *c)
{
    static const struct http_call_handler handler = {.head = on_head, .data = on_data, .done = on_done};
    char host[HOST_TEXT_SIZE];
    _cleanup_free_ char *authority = xasprintf("%s:%d", ip_url_host(c->server_name, host), c->port);
    const struct http_header headers[] = {
        {"Host", authority}, {"Accept", "application/json"}, {"Content-Type", "application/json"}, {NULL, NULL}};
    const struct http_call_spec spec = {
        .netns_fd = c->netns_fd,
        .ip = c->ip,
        .port = c->port,
        .tls = c->tls,
        .server_name = c->server_name,
        .method = "POST",
        .target = c->target,
        .headers = headers,
        .body = c->question,
        .len = strlen(c->question),
    };
    c->http = http_call_start(c->server->loop, &spec, &handler, c);
}

static void on_address(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct webhook_call *c = lookup->data;
    char ip[IP_TEXT_SIZE];
    if (!c->over && (status < 0 || !found || uv_ip_name(found->ai_addr, ip, sizeof(ip)) < 0)) {
        fail(c, "no such host");
    } else if (!c->over) {
        c->ip = xstrdup(ip);
        ask(c);
    }
    uv_freeaddrinfo(found);
    let_go(c);
}

static void find_and_ask(struct webhook_call *c)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct ip ip;
    if (c->ip || ip_parse(c->host, &ip)) {
        c->ip = c->ip ? c->ip : xstrdup(c->host);
        ask(c);
        return;
    }
    c->lookup.data = c;
    if (uv_getaddrinfo(c->server->loop, &c->lookup, on_address, c->host, NULL, &hints) == 0)
        c->handles++;
    else
        err_set(&c->early, 0, "no such host");
}

/* --- where --- */

/* https://HOST[:PORT][/PATH]; validation has seen the rest. */
static int use_url(struct webhook_call *c, const char *url)
{
    const char *path;
    c->port = HTTPS_PORT;
    c->host = url_https_host(url, &c->port, &path);
    if (!c->host)
        return err_set(&c->early, 0, "no host, or no port, in the URL");
    c->server_name = c->host;
    c->netns_fd = -1;
    c->target = xstrdup(*path ? path : "/");
    return 0;
}

static int use_service(struct webhook_call *c, const json_t *service)
{
    const char *ns = jstr_or(service, "namespace", ""), *name = jstr_or(service, "name", "");
    char ip[SERVICE_IP_SIZE];
    c->service_name = xasprintf("%s.%s.svc", name, ns);
    c->server_name = c->service_name;
    c->port = (int)jint(service, "port", HTTPS_PORT);
    c->netns_fd = c->server->netns_fd;
    c->target = xstrdup(jstr_or(service, "path", "/"));
    if (service_address(c->server, ns, name, ip, &c->early) < 0)
        return -1;
    c->ip = xstrdup(ip);
    return 0;
}

static void add_timeout(struct webhook_call *c, int seconds)
{
    char host[HOST_TEXT_SIZE], *target = xasprintf("%s?timeout=%ds", c->target ? c->target : "/", seconds);
    free(c->target);
    c->target = target;
    c->url = xasprintf("https://%s:%d%s", ip_url_host(str_or(c->server_name, ""), host), c->port, target);
}

static int make_tls(struct webhook_call *c, const char *bundle)
{
    size_t len = 0;
    _cleanup_free_ char *pem = *bundle ? base64_decode(bundle, strlen(bundle), &len) : NULL;
    if (*bundle && !pem)
        return err_set(&c->early, 0, "caBundle is not in base64");
    c->tls = tls_client_ctx_pem(pem, len, &c->early);
    return c->tls ? 0 : -1;
}

struct webhook_call *webhook_call_start(struct server *s, const json_t *webhook, const json_t *review,
                                        webhook_call_fn *done, void *arg)
{
    struct webhook_call *c = NEW(struct webhook_call);
    const json_t *config = jget(webhook, "clientConfig");
    const char *url = jstr(config, "url");
    int seconds = (int)jint(webhook, "timeoutSeconds", 10);
    *c = (struct webhook_call){.server = s, .done = done, .arg = arg, .handles = 1, .answer = BUF_INIT(ANSWER_MAX)};
    uv_timer_init(s->loop, &c->timer);
    c->timer.data = c;
    int rc = url ? use_url(c, url) : use_service(c, jget(config, "service"));
    add_timeout(c, seconds);
    c->question = jprint(review);
    if (rc == 0 && make_tls(c, jstr_or(config, "caBundle", "")) == 0)
        find_and_ask(c);
    uv_timer_start(&c->timer, on_timeout, *c->early.msg ? 0 : (uint64_t)seconds * 1000, 0);
    return c;
}
