/* Asks other servers: a fresh socket (and so a random port) and a random id for every try, the next server when one is
 * silent or broken, TCP when an answer was cut and the client asked over TCP. A server that sends our queries back to
 * us is found with a probe and left alone. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "dns/upstream.h"

struct forward;
struct forward_config {
    int netns_fd;                 /* where the servers are reached; -1: here; stays the caller's, and open */
    const char *const *upstreams; /* NULL: from resolv_conf, read again when it changes */
    const char *resolv_conf;
    struct ips own;  /* our own addresses, no upstreams */
    unsigned try_ms; /* how long one server may take */
    size_t open_max; /* questions at once: each holds a descriptor */
};

struct forward *forward_new(uv_loop_t *loop, const struct forward_config *config);
/* Open questions end with NULL. Memory goes when the loop runs on. */
void forward_free(struct forward *f);

/* reply: for the query's id, spelled as the query was; NULL: nobody answered. Called once, always later than the call.
 */
typedef void forward_done_fn(void *arg, const uint8_t *reply, size_t len);
/* false: not possible now (no server, or too many questions open), and done is not called. */
bool forward_ask(struct forward *f, const uint8_t *query, size_t len, bool tcp, forward_done_fn *done, void *arg);
/* Is this one of our probes come back? It marks the server that sent it here. */
bool forward_is_probe(struct forward *f, const uint8_t *query, size_t len);
