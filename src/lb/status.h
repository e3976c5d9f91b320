/* What both ways to give LoadBalancer Services addresses have in common: which Services are ours, who waits for
 * something that another has, and writing what they got. Events are worded as by k8s.io/cloud-provider,
 * controllers/service. */
#pragma once
#include "base/err.h"
#include "base/ip.h"
#include "base/map.h"
#include "client/controller.h"

/* Begins a controller's state. */
struct lb_common {
    struct informer *services;
    struct map waiting; /* owners, in order; an owner is "namespace/name" */
    bool filled;        /* what Services have from an earlier life is known */
};
struct lb_way {
    /* Before anybody is given anything: what the Service has. */
    void (*remember)(void *state, const json_t *service, const char *owner);
    /* All the addresses it shall have; the caller frees *ret. False: none, and err says why. What it
     * holds beyond them is given back; *freed: somebody else may want it. */
    bool (*find)(void *state, const json_t *service, const char *owner, struct ip **ret, size_t *ret_n, bool *freed,
                 struct err *err);
    bool (*release)(void *state, const char *owner); /* everything; whether there was anything */
};
void lb_common_init(struct lb_common *s, struct controller *c);
void lb_common_done(struct lb_common *s);
/* A living one of type LoadBalancer that asks for no other implementation. */
bool lb_is_ours(const json_t *service);
void lb_reconcile(struct controller *c, const struct lb_way *way, const char *ns, const char *name);

/* AF_INET and AF_INET6, in the Service's order; returns how many. */
int lb_families(const json_t *service, int ret[FAMILIES_MAX]);
const char *lb_family_name(int family);
