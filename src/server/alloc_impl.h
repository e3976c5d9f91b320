/* What the files of the allocation share: alloc.c (ports, nodes, the whole), alloc_ips.c (addresses of Services) and
 * alloc_objects.c (what ServiceCIDRs and IPAddresses say of them). */
#pragma once
#include "base/ip.h"
#include "base/map.h"
#include "server/alloc.h"
#include "service/ipalloc.h"

/* Addresses of Services. Ranges may overlap: an address is taken in all that cover it, so that what is free in one of
 * them is free in all. A range that is no longer used is kept, and kept current: numbers on their way point to it. */
struct service_range {
    struct cidr cidr;
    struct numalloc *numbers; /* number n is the range's address 1 + n */
    int users;                /* the configuration, ServiceCIDRs; 0: nothing new is taken from it */
};

struct alloc {
    struct cidrs services, pods; /* of the configuration, the primary family first */
    struct service_range *ranges;
    size_t n_ranges;
    struct map own; /* by address: IPAddresses that are no Service's, as far as they hold it; value: the alloc */
    struct numalloc *ports; /* number n is port_min + n */
    struct numalloc *nodes; /* number n is the n-th part of each of the pod ranges */
    int port_min, port_max;
    uint32_t n_nodes;
};

/* Notes what the write takes or will give back. */
void alloc_note(struct alloc_change *c, struct numalloc *from, uint32_t number, bool release);
bool alloc_take(struct alloc_change *c, struct numalloc *from, uint32_t number);
bool alloc_take_next(struct alloc_change *c, struct numalloc *from, uint32_t *ret);

bool alloc_needs_ip(const json_t *service);
/* spec.clusterIP, or the first of clusterIPs; NULL when neither says anything. */
const char *alloc_cluster_ip(const json_t *service);
/* One user more. NULL: there are too many. */
struct service_range *alloc_use_range(struct alloc *a, const struct cidr *cidr);
void alloc_ips_done(struct alloc *a);
/* In every range that covers it, or, when it is not free, in none. */
bool alloc_take_ip(struct alloc *a, const struct ip *ip, struct alloc_change *change);
void alloc_release_ip(struct alloc *a, const struct ip *ip, struct alloc_change *change);
/* What an update leaves out of clusterIP and clusterIPs. */
void alloc_inherit_ips(json_t *doc, const json_t *old);
/* Completes ipFamilyPolicy, ipFamilies, clusterIPs and clusterIP. As alloc_service(). */
int alloc_ips(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
              struct alloc_change *change, struct err *err);
/* Gives back what `old` holds and `doc` (NULL: nothing) does not. */
void alloc_release_ips(struct alloc *a, const json_t *old, const json_t *doc, struct alloc_change *change);
