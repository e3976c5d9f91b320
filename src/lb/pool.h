/* The addresses that LoadBalancer Services get, and who holds which: one each, or several one address when all of them
 * agree to share it. Pure. Owners are texts ("namespace/name"). */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

/* One pointer an address is kept, and looking for a free one walks them. */
#define LB_POOL_BITS 16
#define LB_POOL_MAX (1 << LB_POOL_BITS)

/* What an owner is ready to share. Services behind one address have the same key, are led to their pods in the same way
 * and have no port in common: MetalLB's rules. */
struct lb_share {
    const char *key;       /* NULL: nothing */
    const char *backends;  /* "": traffic may enter at any node; else who the pods are that it must enter beside */
    const uint32_t *ports; /* LB_SHARE_PORT */
    size_t n_ports;
};
#define LB_SHARE_PORT(protocol, port) (((uint32_t)(protocol) << 16) | (uint32_t)(port))

struct lb_pool;
/* "172.28.128.200-172.28.128.250", "192.0.2.0/28", "fd00::7", or several, of either family, with commas between. */
struct lb_pool *lb_pool_new(const char *text, struct err *err);
void lb_pool_free(struct lb_pool *p); /* NULL is fine */
size_t lb_pool_size(const struct lb_pool *p, int family);
bool lb_pool_has(const struct lb_pool *p, const struct ip *ip); /* NULL has none */
/* All of it, without the first and the last address of the networks: those are no host's. */
bool lb_pool_inside(const struct lb_pool *p, const struct cidrs *networks);
/* The one who has held it longest; NULL: free, or not of the pool. */
const char *lb_pool_holder(const struct lb_pool *p, const struct ip *ip);
/* Gives the address to the owner; true when it has it then. An owner may hold several for a while. share: as it is now,
 * copied; NULL: alone. */
bool lb_pool_take(struct lb_pool *p, const struct ip *ip, const char *owner, const struct lb_share *share);
/* The lowest address of the family that the owner holds, or can share, or that is free, which it holds from now on;
 * false: none is left. */
bool lb_pool_next(struct lb_pool *p, int family, const char *owner, const struct lb_share *share, struct ip *ret);
/* Takes back what the owner holds, but not these (NULL: none such). Returns how many. */
size_t lb_pool_release(struct lb_pool *p, const char *owner, const struct ips *keep, const struct ips *keep_too);
