/* See https.h. */
#define LOG_AREA "client"
#include "client/https.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "http/http.h"
#include "json/json.h"
#include "kinds/kind.h"

/* Requests at one time; more wait. A controller's burst would else open hundreds of connections at once. */
#define CONNECTIONS_MAX 32
/* An answer that is larger is none of ours: 100,000 pods are about 300 MB. */
#define ANSWER_MAX (512u << 20)
/* One watch event: an object is at most 3 MiB, escaped at worst sixfold. */
#define LINE_MAX_BYTES (20u << 20)
#define TIMEOUT_MS 30000
/* A watch only listens: without asking it would never notice that its server is gone without a word. */
#define SILENCE_MS 10000
#define TELL_AGAIN_MS 300000 /* while the server is away */

struct https {
    struct client base;
    int netns_fd, port;
    char *ip, *server_name, *authorization; /* "Bearer …" or NULL */
    SSL_CTX *tls;
    struct list exchanges, watches;
    size_t n_running;
    bool away;        /* the last that was heard */
    uint64_t told_at; /* uv_now() of the last word about it */
};

/* One request and its answer. */
struct exchange {
    struct list link;
    struct https *client;
    struct http_call *call; /* NULL: waits for its turn */
    char *method, *target, *content_type, *body;
    int code;
    struct buf answer;
    client_done_fn *done; /* one of these two */
    client_list_fn *listed;
    const struct kind *kind;
    void *arg;
};

struct client_watch {
    struct list link;
    struct https *client;
    struct http_call *call;
    const struct kind *kind;
    const struct client_watch_handler *handler;
    void *arg;
    int code;
    struct buf line;
    bool delivering, over; /* over: `ended` was called or need not be */
};

static void run_waiting(struct https *c);

static struct http_call *start_call(struct https *c, const char *method, const char *target, const char *content_type,
                                    const char *body, const struct http_call_handler *h, void *arg)
{
    struct http_header headers[4] = {{"Accept", "application/json"}};
    size_t n = 1;
    if (body)
        headers[n++] = (struct http_header){"Content-Type", content_type};
    if (c->authorization)
        headers[n++] = (struct http_header){"Authorization", c->authorization};
    struct http_call_spec spec = {
        .netns_fd = c->netns_fd,
        .ip = c->ip,
        .port = c->port,
        .tls = c->tls,
        .server_name = c->server_name,
        .method = method,
        .target = target,
        .headers = headers,
        .body = body,
        .len = body ? strlen(body) : 0,
        .timeout_ms = TIMEOUT_MS,
        .silence_ms = SILENCE_MS,
    };
    return http_call_start(c->base.loop, &spec, h, arg);
}

/* All who ask meet the same trouble, so it is told here, once, and not by each of them. why NULL: it answers. */
static void heard(struct https *c, const struct err *why)
{
    uint64_t now = uv_now(c->base.loop);
    const char *name = c->server_name ? c->server_name : c->ip;
    if (why && (!c->away || now - c->told_at > TELL_AGAIN_MS)) {
        log_warn("https://%s:%d: %s", name, c->port, why->msg);
        c->told_at = now;
    } else if (!why && c->away) {
        log_info("https://%s:%d answers again", name, c->port);
    }
    c->away = why != NULL;
}

/* --- requests --- */

static void exchange_free(struct exchange *e)
{
    list_remove(&e->link);
    free(e->method);
    free(e->target);
    free(e->content_type);
    free(e->body);
    buf_done(&e->answer);
    free(e);
}

static void exchange_head(void *arg, int code, const struct http_header *headers)
{
    struct exchange *e = arg;
    (void)headers;
    e->code = code;
}

static void exchange_data(void *arg, const void *bytes, size_t len)
{
    struct exchange *e = arg;
    buf_add(&e->answer, bytes, len);
}

static void deliver_list(struct exchange *e, const json_t *doc)
{
    const json_t *items = json_object_get(doc, "items");
    size_t n = json_array_size(items), made = 0;
    int64_t rv = 0;
    str_to_i64(jstr_or(doc, "metadata.resourceVersion", "0"), 0, INT64_MAX, &rv);
    struct object **objs = xcalloc(n + 1, sizeof(struct object *));
    for (size_t i = 0; i < n; i++)
        if ((objs[made] = object_new(e->kind, json_array_get(items, i))))
            made++;
    e->listed(e->arg, e->code, objs, made, (uint64_t)rv);
    for (size_t i = 0; i < made; i++)
        object_unref(objs[i]);
    free(objs);
}

static void deliver(struct exchange *e, int code, const json_t *doc)
{
    e->code = code;
    if (e->done)
        e->done(e->arg, code, doc);
    else if (e->listed && code == 200)
        deliver_list(e, doc);
    else if (e->listed)
        e->listed(e->arg, code, NULL, 0, 0);
}

static void exchange_done(void *arg, const struct err *why)
{
    struct exchange *e = arg;
    struct https *c = e->client;
    struct err bad;
    e->call = NULL;
    c->n_running--;
    list_remove(&e->link);
    json_t *doc = why || e->answer.overflowed ? NULL : jparse(buf_str(&e->answer), e->answer.len, &bad);
    heard(c, why);
    run_waiting(c); /* before the caller is told: it may free the client */
    deliver(e, doc ? e->code : 0, doc);
    json_decref(doc);
    exchange_free(e);
}

static const struct http_call_handler exchange_handler = {
    .head = exchange_head, .data = exchange_data, .done = exchange_done};

static void run_waiting(struct https *c)
{
    LIST_EACH(it, &c->exchanges) {
        struct exchange *e = container_of(it, struct exchange, link);
        if (c->n_running >= CONNECTIONS_MAX)
            return;
        if (e->call)
            continue;
        c->n_running++;
        e->call = start_call(c, e->method, e->target, e->content_type, e->body, &exchange_handler, e);
    }
}

static struct exchange *exchange_new(struct client *base, const char *method, const char *target, void *arg)
{
    struct https *c = container_of(base, struct https, base);
    struct exchange *e = NEW(struct exchange);
    e->client = c;
    e->method = xstrdup(method);
    e->target = xstrdup(target);
    e->arg = arg;
    buf_init(&e->answer, ANSWER_MAX);
    list_append(&c->exchanges, &e->link);
    return e;
}

static void https_request(struct client *base, const char *method, const char *path, const char *content_type,
                          const json_t *body, client_done_fn *done, void *arg)
{
    struct exchange *e = exchange_new(base, method, path, arg);
    e->content_type = xstrdup_or_null(content_type);
    e->body = body ? jprint(body) : NULL;
    e->done = done;
    run_waiting(e->client);
}

static void https_list(struct client *base, const struct kind *k, const char *path, client_list_fn *done, void *arg)
{
    struct exchange *e = exchange_new(base, "GET", path, arg);
    e->kind = k;
    e->listed = done;
    run_waiting(e->client);
}

/* --- watches --- */

static void watch_free(struct client_watch *w)
{
    list_remove(&w->link);
    buf_done(&w->line);
    free(w);
}

static void end_watch(struct client_watch *w, int code)
{
    if (w->over)
        return;
    w->over = true;
    w->handler->ended(w->arg, code);
}

static void deliver_event(struct client_watch *w, const json_t *event)
{
    static const char *const names[CLIENT_EVENT_N] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"};
    const char *type = jstr_or(event, "type", "");
    const json_t *doc = json_object_get(event, "object");
    int64_t rv = 0;
    if (streq(type, "ERROR")) {
        end_watch(w, (int)jint(doc, "code", 500));
        return;
    }
    int t = 0;
    while (t < CLIENT_EVENT_N && !streq(type, names[t]))
        t++;
    if (t == CLIENT_EVENT_N)
        return;
    str_to_i64(jstr_or(doc, "metadata.resourceVersion", "0"), 0, INT64_MAX, &rv);
    _cleanup_object_ struct object *o = t == CLIENT_BOOKMARK ? NULL : object_new(w->kind, doc);
    if (o || t == CLIENT_BOOKMARK)
        w->handler->event(w->arg, (enum client_event)t, o, (uint64_t)rv);
}

static void deliver_lines(struct client_watch *w)
{
    size_t start = 0;
    const char *end;
    while (!w->over && (end = memchr(w->line.data + start, '\n', w->line.len - start))) {
        struct err err;
        size_t len = (size_t)(end - (w->line.data + start));
        _cleanup_json_ json_t *event = len ? jparse(w->line.data + start, len, &err) : NULL;
        start += len + 1;
        if (event)
            deliver_event(w, event);
        else if (len)
            end_watch(w, 0);
    }
    buf_drop_front(&w->line, start);
}

static void watch_head(void *arg, int code, const struct http_header *headers)
{
    struct client_watch *w = arg;
    (void)headers;
    w->code = code;
}

/* Events may stop the watch from inside, or end it: then the connection goes when they are through. */
static void watch_data(void *arg, const void *bytes, size_t len)
{
    struct client_watch *w = arg;
    if (w->code != 200 || w->over)
        return;
    buf_add(&w->line, bytes, len);
    w->delivering = true;
    if (w->line.overflowed)
        end_watch(w, 0);
    else
        deliver_lines(w);
    w->delivering = false;
    if (!w->over)
        return;
    http_call_cancel(w->call);
    watch_free(w);
}

static void watch_done(void *arg, const struct err *why)
{
    struct client_watch *w = arg;
    w->call = NULL;
    if (why)
        heard(w->client, why);
    end_watch(w, why ? 0 : w->code);
    watch_free(w);
}

static const struct http_call_handler watch_handler = {.head = watch_head, .data = watch_data, .done = watch_done};

static struct client_watch *https_watch(struct client *base, const struct kind *k, const char *path,
                                        const struct client_watch_handler *h, void *arg)
{
    struct https *c = container_of(base, struct https, base);
    struct client_watch *w = NEW(struct client_watch);
    w->client = c;
    w->kind = k;
    w->handler = h;
    w->arg = arg;
    buf_init(&w->line, LINE_MAX_BYTES);
    list_append(&c->watches, &w->link);
    w->call = start_call(c, "GET", path, NULL, NULL, &watch_handler, w);
    return w;
}

static void https_watch_stop(struct client_watch *w)
{
    w->over = true;
    if (w->delivering)
        return;
    http_call_cancel(w->call);
    watch_free(w);
}

/* --- life --- */

/* One end may stop or begin others, so they are taken one by one; what is begun meanwhile has the new certificate. */
void client_https_reconnect(struct client *base)
{
    struct https *c = container_of(base, struct https, base);
    struct list old;
    list_init(&old);
    LIST_EACH(it, &c->watches) {
        list_remove(it);
        list_append(&old, it);
    }
    while (!list_empty(&old)) {
        struct client_watch *w = container_of(old.next, struct client_watch, link);
        http_call_cancel(TAKE(w->call));
        end_watch(w, 0);
        watch_free(w);
    }
}

static void https_free(struct client *base)
{
    struct https *c = container_of(base, struct https, base);
    LIST_EACH(it, &c->watches)
        https_watch_stop(container_of(it, struct client_watch, link));
    LIST_EACH(it, &c->exchanges) {
        struct exchange *e = container_of(it, struct exchange, link);
        http_call_cancel(e->call);
        list_remove(&e->link);
        deliver(e, 0, NULL);
        exchange_free(e);
    }
    free(c->ip);
    free(c->server_name);
    free(c->authorization);
    free(c);
}

struct client *client_https_new(uv_loop_t *loop, const struct client_https_config *config)
{
    static const struct client_ops ops = {https_request, https_list, https_watch, https_watch_stop, https_free};
    struct https *c = NEW(struct https);
    c->base = (struct client){&ops, loop};
    c->netns_fd = config->netns_fd;
    c->ip = xstrdup(config->ip);
    c->port = config->port;
    c->server_name = xstrdup(config->server_name ? config->server_name : config->ip);
    c->authorization = config->token ? xasprintf("Bearer %s", config->token) : NULL;
    c->tls = config->tls;
    list_init(&c->exchanges);
    list_init(&c->watches);
    return &c->base;
}
