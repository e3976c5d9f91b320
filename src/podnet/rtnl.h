/* The few rtnetlink requests that a pod network needs, over libmnl. A handle belongs to the namespace it was opened in.
 * Each call is one message and its acknowledgement; what is already as asked is success. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

struct rtnl;

struct rtnl *rtnl_open(int netns_fd, struct err *err); /* -1: here */
void rtnl_close(struct rtnl *r);                       /* NULL is fine */

/* 0 when there is no such interface. */
int rtnl_index(struct rtnl *r, const char *ifname);
struct rtnl_link {
    int index, mtu;
    unsigned char mac[6];
};
bool rtnl_link(struct rtnl *r, const char *ifname, struct rtnl_link *ret); /* false: there is none */
/* A pair: `name` here, `peer` in the namespace behind peer_fd. mtu 0: the kernel's. */
int rtnl_add_veth(struct rtnl *r, const char *name, const char *peer, int peer_fd, int mtu, struct err *err);
int rtnl_add_bridge(struct rtnl *r, const char *name, struct err *err);
int rtnl_del_link(struct rtnl *r, const char *name, struct err *err); /* missing: fine */
int rtnl_set_up(struct rtnl *r, const char *name, struct err *err);
int rtnl_set_down(struct rtnl *r, const char *name, struct err *err);
int rtnl_set_master(struct rtnl *r, const char *name, const char *master, struct err *err);
/* IPv6 addresses are usable at once: whoever gives them knows that nobody else has them (no duplicate detection). */
int rtnl_add_addr(struct rtnl *r, const char *ifname, const struct ip *ip, int prefix, struct err *err);
/* A single address that is answered for, but never chosen as the source of what the machine itself sends: of IPv4 the
 * interface's first one is, of IPv6 the one that is most like the destination (RFC 6724). */
int rtnl_add_guest_addr(struct rtnl *r, const char *ifname, const struct ip *ip, struct err *err);
int rtnl_del_addr(struct rtnl *r, const char *ifname, const struct ip *ip, int prefix,
                  struct err *err); /* missing: fine */
/* gateway NULL: a link route on ifname; ifname NULL: found by the gateway. Replaces a route to the same destination. */
int rtnl_add_route(struct rtnl *r, const struct cidr *dst, const struct ip *gateway, const char *ifname,
                   struct err *err);

/* Every route of the main table with the name of its interface. */
typedef void rtnl_route_fn(void *arg, const struct cidr *dst, const char *ifname);
int rtnl_each_route(struct rtnl *r, rtnl_route_fn *fn, void *arg, struct err *err);
typedef void rtnl_addr_fn(void *arg, const struct ip *ip, int prefix, const char *ifname);
int rtnl_each_addr(struct rtnl *r, rtnl_addr_fn *fn, void *arg, struct err *err);
/* The networks that an interface is on: those of its addresses, and those that a route says need no gateway, which is
 * how DHCPv6 (single addresses) and routers' advertisements (the network) go together. Some may come twice. Not those
 * of interfaces without neighbours, like WireGuard's. */
typedef void rtnl_network_fn(void *arg, const struct cidr *network, const char *ifname);
int rtnl_each_network(struct rtnl *r, rtnl_network_fn *fn, void *arg, struct err *err);
