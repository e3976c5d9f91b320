/* What policies let through to or from one pod, as the rules of a chain: a line each way to be let through, `return`;
 * who comes to the end is dropped. Pods for which the same lines hold share one chain. Pure. */
#pragma once
#include "netpol/peerset.h"

/* More than that, and each new connection of the pod would walk for some 100 us. The lines beyond are left out: what
 * only they would allow is refused. */
#define CHAIN_LINES_MAX 4096

struct chain_draft {
    struct buf text; /* "ip saddr @pods_1 tcp dport 80 return comment …", a line each */
    size_t n_lines;
    bool cut;
    struct peerset **sets; /* that it names, each of them held once */
    size_t n_sets;
};

/* Where sets come from: finds or makes one; the draft holds it (refs). */
typedef struct peerset *peerset_find_fn(void *arg, const struct peerset_want *want);

void chain_draft(struct chain_draft *ret, enum direction d, const struct world_pod *pod,
                 const struct netpolicy *const *policies, size_t n, const struct cidrs *families, peerset_find_fn *find,
                 void *arg);
void chain_draft_done(struct chain_draft *c); /* lets go of the sets */
