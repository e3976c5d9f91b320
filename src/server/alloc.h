/* Numbers the server gives to objects: ClusterIPs, NodePorts and health check ports of Services, the pod range of a
 * node. Pure: documents in, changed documents out. A change holds its numbers from the moment it is decided; they are
 * kept or given back when the write has been answered, so that nothing is handed out twice meanwhile. */
#pragma once
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "api/status.h"
#include "base/err.h"

struct alloc;
struct numalloc;

/* Numbers taken, and numbers to be given back, by one write. */
struct alloc_change {
    struct alloc_item {
        struct numalloc *from;
        uint32_t number;
        bool release;
    } * items;
    size_t n;
};

/* The ranges: one, or one a family with a comma between, the primary family first. */
struct alloc *alloc_new(const char *service_cidrs, const char *cluster_cidrs, int port_min, int port_max,
                        struct err *err);
void alloc_free(struct alloc *a);

/* A ServiceCIDR and an IPAddress that were so (NULL: not there) and are now otherwise. False: there are too many
 * ranges. Services that have addresses in a new range are to be restored afterwards. */
bool alloc_servicecidr(struct alloc *a, const json_t *before, const json_t *now);
void alloc_ipaddress(struct alloc *a, const json_t *before, const json_t *now);

/* Heeds the store's ServiceCIDRs, Services and IPAddresses, and what becomes of the first and the last. */
struct server;
void alloc_follow(struct server *s);
void alloc_unfollow(struct server *s);

/* What is in the store at start is taken. */
void alloc_restore_service(struct alloc *a, const json_t *doc);
/* Its pod ranges, if any, are of the cluster's families. */
bool alloc_node_fits(const struct alloc *a, const json_t *doc);
void alloc_restore_node(struct alloc *a, const json_t *doc);

/* Completes a Service that is about to be written (old NULL: created): inherits what an update left out, takes what is
 * missing, marks for release what is no longer used. What cannot be had becomes a cause; the change is then still to be
 * rolled back. -1: nothing is left to hand out. */
int alloc_service(struct alloc *a, json_t *doc, const json_t *old, struct status_causes *causes,
                  struct alloc_change *change, struct err *err);
void alloc_service_deleted(struct alloc *a, const json_t *doc, struct alloc_change *change);
/* Gives a node its pod range unless it has one. */
int alloc_node(struct alloc *a, json_t *doc, struct alloc_change *change, struct err *err);
void alloc_node_deleted(struct alloc *a, const json_t *doc, struct alloc_change *change);

/* The write is durable: what it released is free. Both leave the change empty. */
void alloc_commit(struct alloc_change *change);
/* The write did not happen: what it took is free. */
void alloc_rollback(struct alloc_change *change);
