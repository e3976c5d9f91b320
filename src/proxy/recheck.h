/* Fronts whose endpoints have changed: what goes through them to none of the targets is stale. Flows, because UDP
 * has no end of connection that would clear them from connection tracking; session affinities, because they would go on
 * choosing an endpoint that is gone. Pure. */
#pragma once
#include "proxy/plan.h"

struct recheck {
    struct ip ip;
    enum svc_protocol protocol;
    uint16_t port;
    struct target *targets;
    size_t n_targets;
};
struct recheck_list {
    struct recheck *list;
    size_t n;
};
struct rechecks {
    struct recheck_list flows;
    struct recheck_list affinities;
};

/* Adds one for the front, which takes `targets` over. */
void recheck_add(struct recheck_list *l, const struct plan *plan, const struct front *f, struct target *targets,
                 size_t n_targets);
/* Before recheck_stale() is asked. */
void recheck_sort(struct recheck_list *l);
/* Does what goes through the front to the endpoint go wrong? false when the front is none of them. */
bool recheck_stale(const struct recheck_list *l, const struct ip *front, enum svc_protocol protocol, uint16_t port,
                   const struct ip *endpoint, uint16_t endpoint_port);

bool rechecks_empty(const struct rechecks *r);
void rechecks_move(struct rechecks *to, struct rechecks *from); /* appends; from is empty then */
void rechecks_done(struct rechecks *r);
