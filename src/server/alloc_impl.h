/* What the files of the allocation share: alloc.c (ports, nodes, the whole) and alloc_ips.c (addresses of Services). */
#pragma once
#include "base/ip.h"
#include "server/alloc.h"
#include "service/ipalloc.h"

struct alloc {
    struct cidrs services, pods;        /* the primary family first */
    struct numalloc *ips[FAMILIES_MAX]; /* beside services: number n is the range's address 1 + n */
    struct numalloc *ports;             /* number n is port_min + n */
    struct numalloc *nodes;             /* number n is the n-th part of each of the pod ranges */
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
struct numalloc *alloc_ips_new(const struct cidr *range);
/* What an update leaves out of clusterIP and clusterIPs. */
void alloc_inherit_ips(json_t *doc, const json_t *old);
/* Completes ipFamilyPolicy, ipFamilies, clusterIPs and clusterIP. As alloc_service(). */
int alloc_ips(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
              struct alloc_change *change, struct err *err);
/* Gives back what `old` holds and `doc` (NULL: nothing) does not. */
void alloc_release_ips(struct alloc *a, const json_t *old, const json_t *doc, struct alloc_change *change);
