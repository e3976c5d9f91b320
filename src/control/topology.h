/* Hints for Services annotated service.kubernetes.io/topology-mode: Auto: each zone gets a share of the endpoints that
 * fits its share of the nodes' CPUs, its own ones first (upstream: staging/src/k8s.io/endpointslice/topologycache).
 * Pure.
 */
#pragma once
#include <jansson.h>
#include <stddef.h>

struct topology_zone {
    char name[64];
    double cpu;
    double min, max; /* how many endpoints it is to get, filled by topology_hint() */
    size_t n;
};
#define TOPOLOGY_ZONES_MAX 64 /* beyond, hints make no sense any more: none are given */

/* Sums up the nodes that take pods into zones (room for TOPOLOGY_ZONES_MAX), by name. 0: no hints can be given, because
 * a node has no zone or no CPUs, or all are in one zone. */
size_t topology_zones(const json_t *nodes, struct topology_zone *zones);
/* Gives every ready endpoint a hint, or none, when a zone could be overloaded by more than a fifth. */
void topology_hint(json_t *endpoints, struct topology_zone *zones, size_t n_zones);
