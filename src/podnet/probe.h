/* Tries the tunnel of one node to the others behind it, all the time: a round of packets (reach.h) to one peer after
 * the other. */
#pragma once
#include <uv.h>

#include "base/err.h"
#include "base/ip.h"
#include "podnet/reach.h"

#define PROBE_PORT 10262 /* UDP, in the tunnel and beside it */

struct probe;
struct probe_config {
    int netns_fd;               /* borrowed; -1: here */
    struct ip node_ip;          /* packets beside the tunnel come and go here … */
    struct ip tunnel_ip;        /* … and those in it here */
    int interval_ms;            /* between two rounds for the same peer; 0: two seconds */
    void (*changed)(void *arg); /* what probe_in() or probe_out() says of some peer */
    /* Whether we are on speaking terms with the API: else its word that a silent peer lives may be an old one. */
    bool (*heard)(void *arg);
    void (*lost)(void *arg); /* the tunnel's device is not the one it was; may be NULL */
    void *arg;
};
struct probe *probe_new(uv_loop_t *loop, const struct probe_config *config);
void probe_free(struct probe *p); /* NULL is fine */

struct probe_peer {
    const char *name;
    struct ip node_ip, tunnel_ip; /* of the families of ours */
    bool ready;                   /* the API says that it lives */
};
/* Those that are known already, with the same addresses, go on. Copies. */
void probe_set_peers(struct probe *p, const struct probe_peer *peers, size_t n);
void probe_set_ready(struct probe *p, const char *name, bool ready); /* nobody of that name: nothing */
bool probe_is_idle(const struct probe *p);                           /* it has no peers */
bool probe_has(const struct probe *p, const char *name);
/* Nobody of that name: REACH_NOT_KNOWN. */
enum reach_fault probe_in(const struct probe *p, const char *name);
enum reach_fault probe_out(const struct probe *p, const char *name);
