/* See grpc.h. libnghttp2 is the engine, base of it all is conn.h. Rules: gRPC over HTTP/2 (PROTOCOL-HTTP2.md). */
#include "node/grpc.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "http/conn.h"

#define PREFIX_SIZE 5 /* of a message: compressed or not, length */
#define BODY_MAX 4096 /* a health answer has 7 bytes */
#define TEXT_MAX 1024 /* grpc-message: goes into an event */
#define SERVICE_MAX 1024
#define UNIMPLEMENTED 12 /* google.rpc.Code */
#define DEADLINE_EXCEEDED 4
#define NO_STATUS (-1)

static const char *const code_names[] = {
    "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated",
};

struct grpc_check {
    struct conn *conn;
    nghttp2_session *session;
    char *address;
    int timeout_ms;
    grpc_done_fn *done;
    void *arg;
    struct buf request, body;
    size_t sent;
    int http_status, grpc_status;
    char *grpc_message;
    bool is_open, closed; /* closed: the answer is complete, or will never be */
};

/* --- messages --- */

static size_t read_varint(const unsigned char *s, size_t len, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < len && i < 10; i++) {
        *ret |= (uint64_t)(s[i] & 0x7f) << (7 * i);
        if (!(s[i] & 0x80))
            return i + 1;
    }
    return 0;
}

/* status = 1 is all the message has; left out it is 0, and the last one counts. */
int grpc_health_status(const unsigned char *body, size_t len)
{
    if (len < PREFIX_SIZE || body[0])
        return -1;
    size_t size = (size_t)body[1] << 24 | (size_t)body[2] << 16 | (size_t)body[3] << 8 | body[4];
    uint64_t status = 0;
    if (size != len - PREFIX_SIZE)
        return -1;
    for (const unsigned char *at = body + PREFIX_SIZE; size;) {
        size_t n = at[0] == 0x08 ? read_varint(at + 1, size - 1, &status) : 0;
        if (!n)
            return -1;
        at += n + 1;
        size -= n + 1;
    }
    return status <= INT32_MAX ? (int)status : -1;
}

static void put_request(struct buf *b, const char *service)
{
    size_t len = strlen(service) < SERVICE_MAX ? strlen(service) : SERVICE_MAX;
    struct buf message = BUF_INIT(0);
    if (len) {
        buf_addc(&message, 0x0a);
        for (size_t left = len; left; left >>= 7)
            buf_addc(&message, (char)(left < 0x80 ? left : (left & 0x7f) | 0x80));
        buf_add(&message, service, len);
    }
    const unsigned char prefix[PREFIX_SIZE] = {0, 0, 0, (unsigned char)(message.len >> 8), (unsigned char)message.len};
    buf_add(b, prefix, sizeof(prefix));
    buf_add(b, message.data, message.len);
    buf_done(&message);
}

/* --- the verdict --- */

void grpc_check_cancel(struct grpc_check *g)
{
    if (!g)
        return;
    conn_free(g->conn);
    nghttp2_session_del(g->session);
    buf_done(&g->request);
    buf_done(&g->body);
    free(g->address);
    free(g->grpc_message);
    free(g);
}

static void finish(struct grpc_check *g, bool ok, char *message_take)
{
    grpc_done_fn *done = g->done;
    void *arg = g->arg;
    _cleanup_free_ char *message = message_take;
    grpc_check_cancel(g);
    done(arg, ok, message);
}

static char *timeout_message(const struct grpc_check *g)
{
    return g->is_open ? xasprintf("timeout: health rpc did not complete within %ds", g->timeout_ms / 1000)
                      : xasprintf("timeout: failed to connect service \"%s\" within %ds: context deadline exceeded",
                                  g->address, g->timeout_ms / 1000);
}

static char *rpc_message(const struct grpc_check *g)
{
    const char *text = str_or(g->grpc_message, "");
    if (g->grpc_status == UNIMPLEMENTED)
        return xasprintf("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): %s",
                         text);
    if (g->grpc_status == DEADLINE_EXCEEDED)
        return timeout_message(g);
    if (g->grpc_status == NO_STATUS)
        return xasprintf("error: health rpc probe failed: unexpected HTTP status code received from server: %d",
                         g->http_status);
    const char *name = (size_t)g->grpc_status < ARRAY_LEN(code_names) ? code_names[g->grpc_status] : "Unknown";
    return xasprintf("error: health rpc probe failed: rpc error: code = %s desc = %s", name, text);
}

static void judge(struct grpc_check *g)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    int status = g->grpc_status == 0 ? grpc_health_status((const unsigned char *)g->body.data, g->body.len) : -1;
    if (g->grpc_status != 0)
        finish(g, false, rpc_message(g));
    else if (status == 1)
        finish(g, true, xstrdup("service healthy"));
    else if (status >= 0 && status < (int)ARRAY_LEN(names))
        finish(g, false, xasprintf("service unhealthy (responded with \"%s\")", names[status]));
    else
        finish(g, false, xstrdup("error: health rpc probe failed: the answer is no HealthCheckResponse"));
}

/* --- HTTP/2 --- */

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct grpc_check *g = arg;
    int64_t number;
    (void)s, (void)frame, (void)flags;
    _cleanup_free_ char *key = xstrndup((const char *)name, name_len);
    _cleanup_free_ char *text = xstrndup((const char *)value, value_len < TEXT_MAX ? value_len : TEXT_MAX);
    if (streq(key, ":status") && str_to_i64(text, 100, 999, &number))
        g->http_status = (int)number;
    if (streq(key, "grpc-status") && str_to_i64(text, 0, INT32_MAX, &number))
        g->grpc_status = (int)number;
    if (streq(key, "grpc-message")) {
        free(g->grpc_message);
        g->grpc_message = TAKE(text);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
    struct grpc_check *g = arg;
    (void)s, (void)flags, (void)id;
    buf_add(&g->body, data, len);
    return 0;
}

static int on_stream_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    struct grpc_check *g = arg;
    (void)s, (void)id, (void)code;
    g->closed = true;
    return 0;
}

static ssize_t read_request(nghttp2_session *s, int32_t id, uint8_t *out, size_t size, uint32_t *flags,
                            nghttp2_data_source *source, void *arg)
{
    struct grpc_check *g = arg;
    size_t left = g->request.len - g->sent, n = left < size ? left : size;
    (void)s, (void)id, (void)source;
    memcpy(out, g->request.data + g->sent, n);
    g->sent += n;
    if (g->sent == g->request.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void make_session(struct grpc_check *g)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_client_new(&g->session, callbacks, g);
    nghttp2_session_callbacks_del(callbacks);
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void submit(struct grpc_check *g)
{
    const nghttp2_nv headers[] = {pair(":method", "POST"),
                                  pair(":scheme", "http"),
                                  pair(":path", "/grpc.health.v1.Health/Check"),
                                  pair(":authority", g->address),
                                  pair("content-type", "application/grpc"),
                                  pair("user-agent", "kube-probe/1.32"),
                                  pair("te", "trailers")};
    const nghttp2_data_provider body = {.read_callback = read_request};
    nghttp2_submit_settings(g->session, NGHTTP2_FLAG_NONE, NULL, 0);
    nghttp2_submit_request(g->session, NULL, headers, ARRAY_LEN(headers), &body, NULL);
}

static void flush(struct grpc_check *g)
{
    const uint8_t *bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(g->session, &bytes)) > 0)
        conn_write(g->conn, bytes, (size_t)n);
}

/* --- the connection --- */

static void on_open(void *arg)
{
    struct grpc_check *g = arg;
    g->is_open = true;
    make_session(g);
    submit(g);
    flush(g);
}

static void on_data(void *arg, const char *bytes, size_t len)
{
    struct grpc_check *g = arg;
    ssize_t n = nghttp2_session_mem_recv(g->session, (const uint8_t *)bytes, len);
    if (n < 0) {
        finish(g, false, xasprintf("error: health rpc probe failed: %s", nghttp2_strerror((int)n)));
        return;
    }
    flush(g);
    if (g->closed)
        judge(g);
}

static void on_eof(void *arg)
{
    finish(arg, false, xstrdup("error: health rpc probe failed: the connection was closed"));
}

static void on_failed(void *arg, const struct err *why)
{
    struct grpc_check *g = arg;
    char *message = why && why->code == ETIMEDOUT ? timeout_message(g)
                    : g->is_open
                        ? xasprintf("error: health rpc probe failed: %s", why ? why->msg : "closed")
                        : xasprintf("error: failed to connect service at \"%s\": %s", g->address, why ? why->msg : "");
    finish(g, false, message);
}

struct grpc_check *grpc_check_start(uv_loop_t *loop, int netns_fd, const char *ip, int port, const char *service,
                                    int timeout_ms, grpc_done_fn *done, void *arg)
{
    static const struct conn_handler handler = {.open = on_open, .data = on_data, .eof = on_eof, .failed = on_failed};
    struct grpc_check *g = NEW(struct grpc_check);
    *g = (struct grpc_check){.address = xasprintf("%s:%d", ip, port),
                             .timeout_ms = timeout_ms,
                             .done = done,
                             .arg = arg,
                             .request = BUF_INIT(0),
                             .body = BUF_INIT(BODY_MAX),
                             .grpc_status = NO_STATUS};
    put_request(&g->request, service);
    g->conn = conn_connect(loop, netns_fd, ip, port, NULL, NULL, &handler, g);
    conn_deadline(g->conn, (unsigned)timeout_ms);
    return g;
}
