/* A Service and its slices brought together. Inside the room only. */
#pragma once
#include "service/documents.h"

/* zone_of: the zone of a node, for endpoints that don't name theirs; borrowed text, never NULL. */
struct resolve_nodes {
    const char *(*zone_of)(const void *arg, const char *node);
    const void *arg;
};
/* Fills the endpoints and addresses of s from the slices (struct slice.link), replacing what was there. n_declared: how
 * many of s->ports the Service itself names; a headless Service gains the ports only its slices know. */
void resolve(struct svc *s, size_t n_declared, const struct list *slices, const struct resolve_nodes *nodes);
/* Back to what the Service itself says. */
void resolve_clear(struct svc *s, size_t n_declared);
