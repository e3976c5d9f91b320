/* One request and its answer, whatever carries them: what a handler sees of http.h. Large answers are packed on the way
 * out, on a worker: a megabyte takes the loop's time for ten milliseconds. */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/str.h"
#include "http/gzip.h"
#include "http/h1.h"
#include "http/http_internal.h"

void exchange_dispatch(struct http_exchange *x, struct http_server *s, const char *method, const char *target,
                       const struct http_header *headers, size_t n_headers)
{
    x->method = method;
    x->headers = headers;
    x->n_headers = n_headers;
    x->path = xstrdup(target);
    char *query = strchr(x->path, '?');
    x->query = query ? query + 1 : "";
    if (query)
        *query = '\0';
    s->handler(s->arg, x);
}

void exchange_forget(struct http_exchange *x)
{
    if (x->free_user_data)
        x->free_user_data(x->user_data);
    x->user_data = NULL;
    x->free_user_data = NULL;
    x->gone = NULL;
    x->drained = NULL;
    x->method = NULL;
    x->headers = NULL;
    x->n_headers = 0;
    x->encoded = false;
    x->body_flows = x->body_paused = x->body_held = x->body_ended = false;
    x->body_handler = NULL;
    buf_done(&x->body);
    buf_done(&x->added);
    free(TAKE(x->path));
}

void exchange_body(struct http_exchange *x, const void *bytes, size_t len)
{
    if (x->body_held) {
        buf_add(&x->body, bytes, len);
        x->body_ended = !len;
        return;
    }
    if (!x->body_handler)
        return;
    if (len) {
        x->body_handler->data(x->body_arg, bytes, len);
        return;
    }
    x->body_flows = false;
    x->body_handler->end(x->body_arg);
}

bool exchange_streams(const struct http_server *s, const char *target)
{
    return s && s->streams && s->streams(s->arg, target);
}

char *exchange_refusal(struct http_server *s, int code, const char *why, const char **ret_content_type)
{
    *ret_content_type = "text/plain; charset=utf-8";
    return s && s->refusal ? s->refusal(code, why, ret_content_type) : xasprintf("%s\n", why);
}

bool exchange_to_head(const struct http_exchange *x)
{
    return x->method && strcmp(x->method, "HEAD") == 0;
}

bool exchange_added(const struct http_exchange *x, size_t *at, const char **ret_name, const char **ret_value)
{
    if (*at >= x->added.len)
        return false;
    *ret_name = x->added.data + *at;
    *ret_value = *ret_name + strlen(*ret_name) + 1;
    *at = (size_t)(*ret_value + strlen(*ret_value) + 1 - x->added.data);
    return true;
}

/* --- packing --- */

struct packing {
    uv_work_t work;
    struct http_exchange *x; /* stays until it is answered, whatever becomes of its peer */
    int code;
    char *content_type;
    const void *body;
    size_t len;
    void (*release)(void *);
    void *release_arg;
    struct buf packed;
};

static void pack(uv_work_t *work)
{
    struct packing *p = work->data;
    gzip_pack(p->body, p->len, GZIP_LEVEL, &p->packed);
}

static void on_packed(uv_work_t *work, int status)
{
    struct packing *p = work->data;
    struct http_exchange *x = p->x;
    (void)status;
    size_t len = p->packed.len;
    char *bytes = buf_take(&p->packed);
    http_add_header(x, "Content-Encoding", "gzip");
    http_add_header(x, "Vary", "Accept-Encoding");
    x->carrier->reply(x, p->code, p->content_type, bytes, len, free, bytes);
    if (p->release)
        p->release(p->release_arg);
    free(p->content_type);
    free(p);
}

static bool worth_packing(const struct http_exchange *x, int code, size_t len)
{
    return len > GZIP_MIN && code == 200 && !x->encoded && !exchange_to_head(x) && x->carrier->conn(x) &&
           gzip_accepted(http_get_header(x, "Accept-Encoding"));
}

static void reply(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                  void (*release)(void *), void *release_arg)
{
    if (!worth_packing(x, code, len)) {
        x->carrier->reply(x, code, content_type, body, len, release, release_arg);
        return;
    }
    struct packing *p = NEW(struct packing);
    x->gone = NULL; /* the handler has done its part */
    *p = (struct packing){.x = x, .code = code, .body = body, .len = len, .release = release};
    p->release_arg = release_arg;
    p->content_type = content_type ? xstrdup(content_type) : NULL;
    if (!release) { /* the caller's bytes go when we return */
        p->body = p->release_arg = xmemdup(body, len);
        p->release = free;
    }
    p->work.data = p;
    uv_queue_work(conn_loop(x->carrier->conn(x)), &p->work, pack, on_packed);
}

/* --- the answer --- */

void http_reply(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len)
{
    reply(x, code, content_type, body, len, NULL, NULL);
}

void http_reply_shared(struct http_exchange *x, int code, const char *content_type, const void *body, size_t len,
                       void (*release)(void *), void *release_arg)
{
    reply(x, code, content_type, body, len, release, release_arg);
}

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    if (!h1_is_token(name) || !h1_is_field_value(value)) /* a line end in a value would begin an answer of its own */
        return;
    x->encoded |= strcasecmp(name, "Content-Encoding") == 0;
    buf_add(&x->added, name, strlen(name) + 1);
    buf_add(&x->added, value, strlen(value) + 1);
}

void http_stream_start(struct http_exchange *x, int code, const char *content_type)
{
    x->carrier->stream_start(x, code, content_type, -1);
}

void http_stream_start_sized(struct http_exchange *x, int code, const char *content_type, int64_t length)
{
    x->carrier->stream_start(x, code, content_type, length);
}

void http_stream_write(struct http_exchange *x, const void *bytes, size_t len)
{
    if (len && !exchange_to_head(x))
        x->carrier->stream_write(x, bytes, len);
}

size_t http_stream_pending(const struct http_exchange *x)
{
    return x->carrier->stream_pending(x);
}

void http_stream_end(struct http_exchange *x)
{
    x->carrier->stream_end(x);
}

void http_abort(struct http_exchange *x)
{
    x->carrier->abort(x);
}

void http_on_gone(struct http_exchange *x, void (*gone)(void *arg), void *arg)
{
    x->gone = gone;
    x->gone_arg = arg;
    x->carrier->gone_set(x);
}

void http_on_drained(struct http_exchange *x, void (*drained)(void *arg), void *arg)
{
    x->drained = drained;
    x->drained_arg = arg;
}

struct duplex *http_upgrade(struct http_exchange *x, const struct http_header *headers)
{
    return x->carrier->upgrade(x, headers);
}

/* --- reading the request --- */

const char *http_method(const struct http_exchange *x)
{
    return x->method;
}

const char *http_path(const struct http_exchange *x)
{
    return x->path;
}

const char *http_query(const struct http_exchange *x)
{
    return x->query;
}

const char *http_header_find(const struct http_header *headers, const char *name)
{
    for (; headers && headers->name; headers++)
        if (strcasecmp(headers->name, name) == 0)
            return headers->value;
    return NULL;
}

const char *http_get_header_nth(const struct http_exchange *x, const char *name, size_t n)
{
    for (size_t i = 0; i < x->n_headers; i++)
        if (strcasecmp(x->headers[i].name, name) == 0 && n-- == 0)
            return x->headers[i].value;
    return NULL;
}

const char *http_get_header(const struct http_exchange *x, const char *name)
{
    return http_get_header_nth(x, name, 0);
}

const char *http_body(const struct http_exchange *x, size_t *ret_len)
{
    if (ret_len)
        *ret_len = x->body.len;
    return buf_str(&x->body);
}

bool http_body_flows(const struct http_exchange *x)
{
    return x->body_flows;
}

int64_t http_body_length(const struct http_exchange *x)
{
    return x->body_length;
}

void http_body_start(struct http_exchange *x, const struct http_body_handler *h, void *arg)
{
    x->body_handler = h;
    x->body_arg = arg;
    if (!x->body_held)
        return;
    x->body_held = false;
    if (x->body.len)
        exchange_body(x, x->body.data, x->body.len);
    if (x->body_ended)
        exchange_body(x, NULL, 0);
    else
        http_body_pause(x, false);
}

void http_body_hold(struct http_exchange *x)
{
    if (!x->body_flows)
        return;
    if (!x->body.max)
        buf_init(&x->body, HTTP_BODY_MAX);
    x->body_held = true;
    http_body_pause(x, true);
}

void http_body_pause(struct http_exchange *x, bool paused)
{
    if (x->body_paused == paused || !x->body_flows)
        return;
    x->body_paused = paused;
    x->carrier->body_pause(x);
}

const struct http_header *http_headers(const struct http_exchange *x)
{
    static const struct http_header none[] = {{NULL, NULL}};
    return x->n_headers ? x->headers : none;
}

X509 *http_peer_cert(const struct http_exchange *x)
{
    const struct conn *conn = x->carrier->conn(x);
    return conn ? conn_peer_cert(conn) : NULL;
}

const char *http_peer_ip(const struct http_exchange *x)
{
    return x->peer_ip;
}

void http_set_user_data(struct http_exchange *x, void *data, void (*free_data)(void *))
{
    x->user_data = data;
    x->free_user_data = free_data;
}

void *http_user_data(const struct http_exchange *x)
{
    return x->user_data;
}
