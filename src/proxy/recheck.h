/* What leads to endpoints that have changed; where it goes to none of the targets it is stale. Flows through a front,
 * because UDP has no end of connection that would clear them from connection tracking; session affinities of a
 * ServicePort, because they would go on choosing an endpoint that is gone. Pure. */
#pragma once
#include "proxy/plan.h"

struct recheck_key {
    uint32_t number; /* an affinity's; 0: a flow's front */
    struct ip ip;
    enum svc_protocol protocol;
    uint16_t port;
};
struct recheck {
    struct recheck_key key;
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

/* Takes `targets` over. */
void recheck_add(struct recheck_list *l, const struct recheck_key *key, struct target *targets, size_t n_targets);
/* Before recheck_stale() is asked. */
void recheck_sort(struct recheck_list *l);
/* Does what goes that way to the endpoint go wrong? false when the way is none of them. */
bool recheck_stale(const struct recheck_list *l, const struct recheck_key *key, const struct target *endpoint);

bool rechecks_empty(const struct rechecks *r);
void rechecks_move(struct rechecks *to, struct rechecks *from); /* appends; from is empty then */
void rechecks_done(struct rechecks *r);
