/* What a DNS server has done so far, counted by the resolver and told to Prometheus under the names that CoreDNS's
 * dashboards know. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

#define METRICS_RCODES 16 /* those of a header; extended ones count as what their low bits say */

struct metrics {
    uint64_t queries[2]; /* UDP, TCP */
    uint64_t responses[METRICS_RCODES];
    uint64_t cache_hits, forwarded, refused; /* refused: one client had too many questions on their way */
    uint64_t loops;                          /* probes of ours that another server asked us */
};
void metrics_count_response(struct metrics *m, const uint8_t *answer, size_t len);
/* The caller frees. */
char *metrics_text(const struct metrics *m);

struct metrics_server;
/* http://IP:PORT/metrics; m is borrowed. */
struct metrics_server *metrics_server_new(uv_loop_t *loop, int netns_fd, const char *ip, int port,
                                          const struct metrics *m, struct err *err);
void metrics_server_free(struct metrics_server *s); /* NULL is fine */
