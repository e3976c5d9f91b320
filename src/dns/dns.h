/* Cluster DNS of one node: the Kubernetes DNS specification 1.1 answered from the model, other names forwarded.
 * answer.h is pure (query bytes in, answer bytes out); this is the sockets. */
#pragma once
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "dns/settings.h"
#include "service/model.h"

#define DNS_METRICS_PORT 9153

struct dns;
struct dns_config {
    int netns_fd;                 /* the node's namespace: addresses are put on its loopback interface; -1: here */
    const char *ips;              /* 10.96.0.10, with a comma between the families; UDP and TCP port 53 */
    const char *domain;           /* "cluster.local" */
    int upstream_netns_fd;        /* where the host's resolvers are reached; -1: here */
    const char *const *upstreams; /* addresses ("10.0.0.1", "10.0.0.1#5353"), NULL-terminated, asked when the settings
                                     name none; NULL: those of /etc/resolv.conf, also when it changes. Borrowed */
    int port;                     /* 0: 53 */
    int metrics_port;             /* at the first address; 0: no metrics; DNS_METRICS_PORT is CoreDNS's */
    bool partial;                 /* the model is still being filled: no name is denied before dns_set_complete() */
};
struct dns *dns_new(uv_loop_t *loop, struct model *m, const struct dns_config *config, struct err *err);
void dns_set_complete(struct dns *d);
void dns_configure(struct dns *d, struct settings *s);
/* Before the model goes. The last memory goes when the loop runs on. */
void dns_free(struct dns *d);
