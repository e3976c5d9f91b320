/* See relay.h. Rules: apimachinery pkg/util/proxy (transport.go, upgradeaware.go), Go's httputil.ReverseProxy. */
#include "server/relay.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "server/html_links.h"

/* A pod that is not there does not say so. After that, an answer may take as long as it likes: it may be a long poll.
 */
#define CONNECT_MS 30000
/* How much may wait on its way, in each direction, before its source is paused. */
#define PENDING_MAX (256 << 10)
/* X-Forwarded-For, -Uri and -Host */
#define HEADERS_ADDED 3

struct relay {
    struct http_exchange *exchange;
    struct http_call *call;
    bool answering, answer_paused;
    char *prefix, *host;
    struct html_links *page; /* the answer is one, and its links are changed; or NULL */
    bool has_body;           /* the method is not HEAD */
};

static void relay_free(struct relay *p)
{
    html_links_free(p->page);
    free(p->prefix);
    free(p->host);
    free(p);
}

/* --- headers --- */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcasecmp(name, *names) == 0)
            return true;
    return false;
}

/* Whether a comma-separated list has this word. */
static bool lists(const char *value, const char *word)
{
    size_t len = strlen(word);
    for (const char *s = value; s && *s; s += strcspn(s, ",")) {
        s += strspn(s, ", \t");
        if (strcspn(s, ", \t") == len && strncasecmp(s, word, len) == 0)
            return true;
    }
    return false;
}

static bool is_passed_on(const struct http_header *h, const char *connection, bool upgrades)
{
    /* Framing is made anew, and whom we know by Authorization must not become known to others. */
    static const char *const ours[] = {
        "Content-Length", "Transfer-Encoding",   "Keep-Alive", "TE", "Trailer", "Proxy-Connection", "Authorization",
        "Expect",         "Proxy-Authorization", NULL};
    static const char *const of_upgrades[] = {"Connection", "Upgrade", NULL};
    if (is_one_of(h->name, of_upgrades))
        return upgrades;
    return !is_one_of(h->name, ours) && !lists(connection, h->name) &&
           strncasecmp(h->name, "Impersonate-", strlen("Impersonate-")) != 0;
}

/* All of one kind are gone, and these are there. */
static struct http_header *with_identity(struct http_header *headers, const struct http_header *identity)
{
    size_t n = 0, more = 0;
    for (const struct http_header *h = headers; h->name; h++)
        if (strncasecmp(h->name, "X-Remote-", strlen("X-Remote-")) != 0)
            headers[n++] = *h;
    while (identity[more].name)
        more++;
    headers = xrealloc(headers, (n + more + HEADERS_ADDED + 1) * sizeof(*headers));
    memcpy(headers + n, identity, more * sizeof(*headers));
    memset(headers + n + more, 0, (HEADERS_ADDED + 1) * sizeof(*headers));
    return headers;
}

struct http_header *relay_headers(const struct http_header *headers, bool upgrades)
{
    const char *connection = http_header_find(headers, "Connection");
    size_t n = 0;
    for (const struct http_header *h = headers; h->name; h++)
        n++;
    struct http_header *out = xcalloc(n + HEADERS_ADDED + 1, sizeof(*out));
    n = 0;
    for (const struct http_header *h = headers; h->name; h++)
        if (is_passed_on(h, connection, upgrades))
            out[n++] = *h;
    return out;
}

/* Adds or replaces. */
static void set_header(struct http_header *headers, const char *name, const char *value)
{
    for (; headers->name; headers++)
        if (strcasecmp(headers->name, name) == 0)
            break;
    *headers = (struct http_header){name, value};
}

char *relay_location(const char *location, const char *host, const char *prefix)
{
    const char *path = location, *scheme = strstr(location, "://");
    if (scheme && scheme < location + strcspn(location, "/?#:") + 1) {
        const char *at = scheme + 3;
        size_t len = strcspn(at, "/?#");
        if (len != strlen(host) || strncasecmp(at, host, len) != 0)
            return NULL; /* somewhere else */
        path = at[len] ? at + len : "/";
    }
    if (*path != '/' || path[1] == '/' || str_after(path, prefix))
        return NULL;
    return xasprintf("%s%s", prefix, path);
}

/* --- the answer --- */

static void on_gone(void *arg)
{
    struct relay *p = arg;
    http_call_cancel(p->call);
    relay_free(p);
}

static void on_client_drained(void *arg)
{
    struct relay *p = arg;
    if (p->answer_paused)
        http_call_pause(p->call, false);
    p->answer_paused = false;
}

static char *page_link(void *arg, const char *link)
{
    const struct relay *p = arg;
    return relay_location(link, p->host, p->prefix);
}

/* Packed pages are passed on as they are; browsers' requests keep servers from packing them (ask_unpacked). */
static bool is_page(const struct relay *p, const struct http_header *headers)
{
    const char *type = str_or(http_header_find(headers, "Content-Type"), "");
    size_t len = strcspn(type, "; \t");
    return p->has_body && len == strlen("text/html") && strncasecmp(type, "text/html", len) == 0 &&
           strcasecmp(str_or(http_header_find(headers, "Content-Encoding"), "identity"), "identity") == 0;
}

static void on_head(void *arg, int code, const struct http_header *headers)
{
    struct relay *p = arg;
    _cleanup_free_ struct http_header *passed = relay_headers(headers, false);
    const char *length = http_header_find(headers, "Content-Length");
    int64_t n = -1;
    for (const struct http_header *h = passed; h->name; h++) {
        bool is_location = strcasecmp(h->name, "Location") == 0;
        _cleanup_free_ char *location = is_location ? relay_location(h->value, p->host, p->prefix) : NULL;
        /* What a page of a pod may be read by is for us to say: it would speak for the whole API. */
        if (strncasecmp(h->name, "Access-Control-", strlen("Access-Control-")) != 0)
            http_add_header(p->exchange, h->name, location ? location : h->value);
    }
    if (is_page(p, headers))
        p->page = html_links_new(page_link, p);
    else if (length)
        str_to_i64(length, 0, INT64_MAX, &n);
    p->answering = true;
    http_stream_start_sized(p->exchange, code, NULL, n);
}

/* len 0: the rest of it. */
static void write_page(struct relay *p, const char *bytes, size_t len)
{
    struct buf out = BUF_INIT(0); /* a piece that was read, and a prefix for each of its links */
    html_links_feed(p->page, bytes, len, &out);
    if (out.len)
        http_stream_write(p->exchange, out.data, out.len);
    buf_done(&out);
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct relay *p = arg;
    if (p->page)
        write_page(p, bytes, len);
    else
        http_stream_write(p->exchange, bytes, len);
    if (!p->answer_paused && http_stream_pending(p->exchange) > PENDING_MAX) {
        p->answer_paused = true;
        http_call_pause(p->call, true);
    }
}

static void on_upgraded(void *arg, const struct http_header *headers, struct duplex *there)
{
    struct relay *p = arg;
    _cleanup_free_ struct http_header *passed = relay_headers(headers, true);
    duplex_splice(http_upgrade(p->exchange, passed), there);
    relay_free(p);
}

static void reply_unreachable(struct http_exchange *x, const struct err *err)
{
    _cleanup_json_ json_t *status =
        status_new(STATUS_UNAVAILABLE, "error trying to reach service: %s", err ? err->msg : "no answer");
    _cleanup_free_ char *text = jprint(status);
    http_reply(x, (int)jint(status, "code", 503), "application/json", text, strlen(text));
}

static void finish(struct relay *p)
{
    if (p->page)
        write_page(p, NULL, 0);
    http_stream_end(p->exchange);
}

static void on_done(void *arg, const struct err *err)
{
    struct relay *p = arg;
    if (!p->answering)
        reply_unreachable(p->exchange, err);
    else if (err)
        http_abort(p->exchange); /* a cut answer must not look complete */
    else
        finish(p);
    relay_free(p);
}

/* --- the body of the request --- */

static void on_body(void *arg, const void *bytes, size_t len)
{
    struct relay *p = arg;
    http_call_write(p->call, bytes, len);
    if (http_call_pending(p->call) > PENDING_MAX)
        http_body_pause(p->exchange, true);
}

static void on_body_end(void *arg)
{
    struct relay *p = arg;
    http_call_end_body(p->call);
}

static void on_server_drained(void *arg)
{
    struct relay *p = arg;
    http_body_pause(p->exchange, false);
}

static const struct http_call_handler call_handler = {
    .head = on_head, .data = on_data, .upgraded = on_upgraded, .done = on_done, .drained = on_server_drained};
static const struct http_body_handler body_handler = {.data = on_body, .end = on_body_end};

/* Whoever would read a page gets it unpacked, since its links have to be read on the way. */
static void ask_unpacked(const struct http_exchange *x, struct http_header *headers)
{
    if (lists(http_get_header(x, "Accept"), "text/html") && http_get_header(x, "Accept-Encoding"))
        set_header(headers, "Accept-Encoding", "identity");
}

void relay(struct request *r, const struct relay_target *to, const char *target, const char *prefix)
{
    uv_loop_t *loop = r->server->loop;
    int node = r->server->netns_fd;
    _cleanup_free_ char *method = xstrdup(r->method);
    struct relay *p = NEW(struct relay);
    p->prefix = xstrdup(prefix);
    p->has_body = !streq(method, "HEAD");
    p->exchange = request_take_exchange(r);
    const char *upgrade = http_get_header(p->exchange, "Upgrade"),
               *before = http_get_header(p->exchange, "X-Forwarded-For");
    bool upgrades = upgrade && lists(http_get_header(p->exchange, "Connection"), "Upgrade");
    p->host = xstrdup(str_or(http_get_header(p->exchange, "Host"), ""));
    _cleanup_free_ char *uri = xasprintf("%s%.*s", prefix, (int)strcspn(target, "?"), target);
    _cleanup_free_ char *from = xasprintf("%s%s%s", str_or(before, ""), before ? ", " : "", http_peer_ip(p->exchange));
    _cleanup_free_ struct http_header *headers = relay_headers(http_headers(p->exchange), upgrades);
    if (to->identity)
        headers = with_identity(headers, to->identity);
    ask_unpacked(p->exchange, headers);
    set_header(headers, "X-Forwarded-For", from);
    set_header(headers, "X-Forwarded-Uri", uri);
    set_header(headers, "X-Forwarded-Host", p->host);
    bool flows = http_body_flows(p->exchange);
    size_t len = 0;
    const char *body = flows ? NULL : http_body(p->exchange, &len);
    /* Whoever started us has routes to all nodes and their pods. */
    const struct http_call_spec spec = {.netns_fd = to->from_node ? node : -1,
                                        .ip = to->ip,
                                        .port = to->port,
                                        .tls = to->tls,
                                        .server_name = to->server_name,
                                        .method = method,
                                        .target = target,
                                        .headers = headers,
                                        .body = body,
                                        .len = len,
                                        .streams_body = flows,
                                        .body_length = http_body_length(p->exchange),
                                        .connect_ms = CONNECT_MS};
    p->call = http_call_start(loop, &spec, &call_handler, p);
    http_on_gone(p->exchange, on_gone, p);
    http_on_drained(p->exchange, on_client_drained, p);
    if (spec.streams_body)
        http_body_start(p->exchange, &body_handler, p);
}
