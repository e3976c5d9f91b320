/* What both ways to give LoadBalancer Services an address have in common: which are ours, and writing what they got.
 * Events are worded as by k8s.io/cloud-provider, controllers/service. */
#pragma once
#include "base/ip.h"
#include "base/map.h"
#include "client/controller.h"

/* A living one of type LoadBalancer that asks for no other implementation. */
bool lb_is_ours(const json_t *service);
/* "namespace/name"; the caller frees. */
char *lb_owner(const char *ns, const char *name);
/* Puts those that wait for something, by their owners' texts, back into the queue. */
void lb_enqueue_owners(struct controller *c, const struct map *owners);
/* Its addresses, with an Event when it has others than before; n 0: none. */
void lb_write(struct controller *c, const json_t *service, const struct ip *ips, size_t n);
void lb_tell_failure(struct controller *c, const json_t *service, const char *why);
