/* What one Service wants of this node's rules: its fronts (the addresses and ports that clients know) and, for each
 * port, its endpoints in numbered slots. Pure. */
#pragma once
#include "base/map.h"
#include "service/model.h"

/* What the rules must know about the node and the cluster. One address family; dual stack is one table a family. */
struct site {
    int family; /* AF_INET, AF_INET6 */
    const char *node_name;
    const char *node_zone; /* "" */
    struct ip node_ip;
    const struct ip *port_ips; /* where NodePorts are answered */
    size_t n_port_ips;
    struct cidr pods, services;
    struct ip dns;    /* family 0: none */
    struct map avoid; /* nodes whose endpoints get nothing as long as there are others */
};

struct target {
    struct ip ip;
    uint16_t port;
};

/* Endpoints by slot, without holes. Slots are kept over a change as far as possible, so that one endpoint more or less
 * moves at most one other. */
struct slots {
    struct target *list;
    size_t n;
};
/* The largest number of endpoints one port of a Service uses; render.c makes the chains for it. */
#define SLOTS_MAX 4096
/* now (empty) gets the wanted targets, sorted and without doubles. */
void slots_assign(struct slots *now, const struct slots *before, const struct target *want, size_t n);

/* Clients with session affinity are remembered by client and ServicePort. Ways that may use different endpoints do not
 * follow each other: those with policy Local have a number of their own. */
struct affinity_numbers {
    uint32_t cluster, local;
};

struct plan_port {
    const char *name;
    enum svc_protocol protocol;
    struct affinity_numbers affinity; /* given by the ruleset, when the Service wants affinity */
    struct slots cluster;             /* all usable endpoints, as near as hints say; empty: there are none at all */
    struct slots local;               /* those on this node; only where a policy asks for them */
};

enum front_kind {
    FRONT_ADDRESS, /* a ClusterIP as such, without port: tells unknown ports from unknown addresses */
    FRONT_CLUSTER,
    FRONT_EXTERNAL,
    FRONT_LOAD_BALANCER,
    FRONT_NODE,
    FRONT_HOST, /* hostPort of a pod here; address 0.0.0.0 or :: is each that the node has */
    FRONT_N
};

struct front {
    enum front_kind kind;
    struct ip ip;
    uint16_t port;
    size_t port_index; /* in plan.ports */
    bool held;         /* false: another Service or pod has this address and port */
};
bool front_is_any(const struct front *f); /* no address of its own */

struct plan {
    const char *ns, *name;
    struct plan_port *ports;
    size_t n_ports;
    struct front *fronts;
    size_t n_fronts;
    struct cidr *ranges; /* loadBalancerSourceRanges of the family, none inside another; empty: everybody */
    size_t n_ranges;
    bool internal_local, external_local;
    int affinity_seconds;
};
/* Unless it is there, or of another family. */
void plan_add_front(struct plan *plan, const struct site *site, const struct front *f);
/* before: the plan this one replaces, or NULL. NULL when nothing of the Service is for the proxy. */
struct plan *plan_new(const struct site *site, const struct svc *svc, const struct plan *before);
void plan_free(struct plan *p);
