/* What policies are held against: the cluster's pods and namespaces, and the policies themselves. Pure: objects in. */
#pragma once
#include "base/ip.h"
#include "base/map.h"
#include "netpol/policy.h"

struct pod_port {
    char *name;
    enum svc_protocol protocol;
    uint16_t number;
};
/* What concerns us of a pod. Those in the node's own network are not here: no policy is about them, and no selector
 * means them. */
struct world_pod {
    struct object *object; /* name and labels */
    char *node;            /* "" */
    struct ips ips;        /* n 0: none yet, or no longer: another pod may have those of one that has ended */
    struct pod_port *ports;
    size_t n_ports;
};

struct world {
    struct map pods;       /* "ns/name" -> struct world_pod */
    struct map namespaces; /* name -> struct object */
    struct map policies;   /* "ns/name" -> struct netpolicy */
};
void world_done(struct world *w);

/* NULL: the pod does not concern us. */
struct world_pod *world_pod_new(struct object *o);
void world_pod_free(struct world_pod *p);
bool world_pod_equal(const struct world_pod *a, const struct world_pod *b); /* as far as we are concerned */
void world_pod_renew(struct world_pod *p, struct world_pod *now); /* takes the object over from its equal, which goes */

/* The cluster's DNS is no pod here, but people's policies name it by the labels that CoreDNS has everywhere else. So it
 * is known as a pod that has them and the address at which every node answers. */
struct world_pod *world_dns_pod(const struct ips *ips);

/* Is the pod among those that the selectors mean? own_ns: where `namespaces` is NULL. */
bool world_selects(const struct world *w, const struct selector *namespaces, const char *own_ns,
                   const struct selector *pods, const struct world_pod *pod);
/* The policies about the pod in that direction, by name; out has room for all that there are. Returns how many: none
 * means that the pod is not isolated. */
size_t world_policies_of(const struct world *w, enum direction d, const struct world_pod *pod,
                         const struct netpolicy **out);
