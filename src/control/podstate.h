/* The facts about a pod that controllers count, rank and publish: a digest of the informer (client/informer.h), so that
 * a pod is parsed once a version and not once a question. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/informer.h"

enum pod_phase {
    POD_PENDING,
    POD_UNKNOWN,
    POD_RUNNING,
    POD_SUCCEEDED,
    POD_FAILED
}; /* in upstream's order of ranking */

struct pod_state {
    enum pod_phase phase;
    bool deleting;      /* has a deletionTimestamp */
    bool ready;         /* condition Ready is True */
    int64_t ready_usec; /* since when; 0: unknown */
    int64_t created_usec;
    int64_t restarts; /* of the container with the most */
    int64_t cost;     /* controller.kubernetes.io/pod-deletion-cost */
    /* A small document with what must stay JSON: labels, node, hostname, subdomain, ips (array), ports (array of {name,
     * protocol, containerPort} of named ports). */
    json_t *facts;
};

int pod_states(struct informer *pods); /* declares the digest, returns its number */
static inline bool pod_finished(const struct pod_state *p)
{
    return p->phase >= POD_SUCCEEDED;
}
/* Counts as a replica: neither finished nor being deleted. */
static inline bool pod_active(const struct pod_state *p)
{
    return !pod_finished(p) && !p->deleting;
}
bool pod_available(const struct pod_state *p, int64_t min_ready_seconds, int64_t now_usec);
const char *pod_node(const struct pod_state *p); /* "" while it has none */
/* From a document. */
bool pod_json_ready(const json_t *pod);
