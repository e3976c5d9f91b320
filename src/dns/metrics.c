/* See metrics.h. */
#include "dns/metrics.h"

#include <inttypes.h>
#include <libknot/codes.h>
#include <libknot/packet/wire.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/str.h"
#include "dns/wire.h"
#include "http/http.h"

#define TEXT_MAX 16384
#define COUNTER "# HELP coredns_%s %s\n# TYPE coredns_%s counter\n"

struct metrics_server {
    struct http_server *http;
    const struct metrics *metrics;
};

void metrics_count_response(struct metrics *m, const uint8_t *answer, size_t len)
{
    if (len >= WIRE_HEADER_SIZE)
        m->responses[knot_wire_get_rcode(answer)]++;
}

static void add_plain(struct buf *b, const char *name, const char *help, uint64_t value)
{
    buf_addf(b, COUNTER "coredns_%s %" PRIu64 "\n", name, help, name, name, value);
}

char *metrics_text(const struct metrics *m)
{
    struct buf b = BUF_INIT(TEXT_MAX);
    buf_addf(&b, COUNTER, "dns_requests_total", "Queries by protocol.", "dns_requests_total");
    for (int tcp = 0; tcp < 2; tcp++)
        buf_addf(&b, "coredns_dns_requests_total{proto=\"%s\"} %" PRIu64 "\n", tcp ? "tcp" : "udp", m->queries[tcp]);
    buf_addf(&b, COUNTER, "dns_responses_total", "Answers by their code.", "dns_responses_total");
    for (int i = 0; i < METRICS_RCODES; i++) {
        const knot_lookup_t *name = knot_lookup_by_id(knot_rcode_names, i);
        if (m->responses[i])
            buf_addf(&b, "coredns_dns_responses_total{rcode=\"%s\"} %" PRIu64 "\n", name ? name->name : "other",
                     m->responses[i]);
    }
    add_plain(&b, "cache_hits_total", "Foreign names answered from memory.", m->cache_hits);
    add_plain(&b, "forward_requests_total", "Questions that other servers had to be asked.", m->forwarded);
    add_plain(&b, "forward_max_concurrent_rejects_total", "Questions of clients that had too many on their way.",
              m->refused);
    add_plain(&b, "forward_loops_total", "Probes that came back: a server asks us what we ask it.", m->loops);
    return buf_take(&b);
}

static void answer(void *arg, struct http_exchange *x)
{
    const struct metrics_server *s = arg;
    if (!streq(http_path(x), "/metrics")) {
        http_reply(x, 404, "text/plain", "404 page not found\n", 19);
        return;
    }
    _cleanup_free_ char *text = metrics_text(s->metrics);
    http_reply(x, 200, "text/plain; version=0.0.4", text, strlen(text));
}

struct metrics_server *metrics_server_new(uv_loop_t *loop, int netns_fd, const char *ip, int port,
                                          const struct metrics *m, struct err *err)
{
    struct metrics_server *s = NEW(struct metrics_server);
    s->metrics = m;
    s->http = http_server_new(loop, NULL, answer, s);
    if (http_server_listen(s->http, netns_fd, ip, port, NULL, err) == 0)
        return s;
    metrics_server_free(s);
    return NULL;
}

void metrics_server_free(struct metrics_server *s)
{
    if (!s)
        return;
    http_server_free(s->http);
    free(s);
}
