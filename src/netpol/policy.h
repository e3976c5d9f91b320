/* A NetworkPolicy taken apart once, so that pods and packets can be held against it. Pure. */
#pragma once
#include "api/selector.h"
#include "netpol/ranges.h"
#include "service/model.h"

enum direction { INGRESS, EGRESS, DIRECTION_N };

struct port_range {
    uint16_t first, last;
};
struct named_port {
    enum svc_protocol protocol;
    char *name;
};
/* Pods by their labels. */
struct peer {
    char *namespaces; /* selector's text; NULL: the policy's own namespace */
    char *pods;       /* selector's text */
};
struct netpolicy_rule {
    bool any_port;                       /* then the next two are empty */
    struct port_range *numbers[PROTO_N]; /* sorted, disjoint */
    size_t n_numbers[PROTO_N];
    struct named_port *names;
    size_t n_names;
    bool any_peer;
    struct peer *peers;
    size_t n_peers;
    struct ranges blocks;
};
struct netpolicy {
    char *ns, *name;
    struct selector *pods;
    bool isolates[DIRECTION_N];
    struct netpolicy_rule *rules[DIRECTION_N];
    size_t n_rules[DIRECTION_N];
};
struct netpolicy *netpolicy_new(const char *ns, const char *name, const json_t *doc);
void netpolicy_free(struct netpolicy *p);
/* Is this pod what the policy is about, in that direction? */
bool netpolicy_selects(const struct netpolicy *p, enum direction d, const struct object *pod);
bool netpolicy_rule_has_port(const struct netpolicy_rule *r, enum svc_protocol protocol, uint16_t port);
