/* What the scheduler knows about nodes and pods: numbers and a few small documents, kept current instead of being read
 * from the objects at every decision. Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/terms.h"

struct amounts {
    int64_t milli_cpu, memory, ephemeral, pods;
    json_t *others; /* extended resources: name -> whole number; NULL: none */
};

/* Charged for a container that asks for nothing, in scores only (upstream: GetNonzeroRequests). */
#define DEFAULT_MILLI_CPU 100
#define DEFAULT_MEMORY (200LL << 20)

struct pod_claims;

struct sched_pod {
    char *key; /* "ns/name" */
    char *uid;
    char *node;    /* bound or assumed; NULL: neither */
    bool assumed;  /* bound by us, not seen yet */
    bool doubtful; /* the answer to the binding was lost */
    bool deleting;
    int64_t priority, start_usec;
    struct amounts requests;
    int64_t score_cpu, score_memory; /* requests with the defaults above */
    json_t *ns, *owner;              /* strings; owner: uid of the controller or NULL */
    json_t *labels;
    json_t *host_ports;              /* array of {port, protocol, ip} */
    json_t *spec;                    /* the members that decide, as far as they are there, and images */
    bool picks_nodes, prefers_nodes; /* nodeSelector or required node affinity; preferred */
    struct pod_terms terms[TERMS_N];
    const struct pod_claims *claims; /* while it looks for a node, if it has any; borrowed */
    size_t group;                    /* while the cluster has it */
};

struct sched_node {
    char *name;
    bool known; /* false: only pods name it so far */
    bool ready, unschedulable;
    json_t *labels, *taints; /* an object, an array */
    json_t *images;          /* name -> bytes */
    json_t *facts;           /* all of the above as one document, to see what changed */
    struct amounts allocatable, requested;
    int64_t score_cpu, score_memory;
    struct sched_pod **pods;
    size_t n_pods, pods_cap;
};

/* Placed pods with the same namespace, labels and controller. A question about those need be answered once a group;
 * with ten thousand pods of a hundred workloads that is what makes the difference. */
struct pod_group {
    size_t number, n_pods;
};

struct cluster {
    struct map groups;   /* a text of all three -> struct pod_group */
    size_t *free_groups; /* numbers to be used again */
    size_t n_free, groups_end;
    struct map nodes;                /* name -> struct sched_node */
    struct map pods;                 /* key -> struct sched_pod: bound or assumed ones */
    struct map repellers, attracted; /* those of pods that have anti-affinity, or any other terms */
    struct map namespaces;           /* name -> labels */
};

struct sched_pod *sched_pod_new(const json_t *pod);
void sched_pod_free(struct sched_pod *p);
void cluster_done(struct cluster *c);
/* doc NULL: the node is gone. Returns whether anything that matters has changed. */
bool cluster_set_node(struct cluster *c, const char *name, const json_t *doc);
/* Takes the pod, which must have a node, in place of an earlier one of its key. */
void cluster_take_pod(struct cluster *c, struct sched_pod *p);
bool cluster_remove_pod(struct cluster *c, const char *key);
struct sched_pod *cluster_detach_pod(struct cluster *c, const char *key); /* the caller's now; NULL: there is none */
/* labels NULL: the namespace is gone. Returns whether that is news. */
bool cluster_set_namespace(struct cluster *c, const char *name, const json_t *labels);
struct sched_node *cluster_next_node(const struct cluster *c, struct map_entry **cursor); /* known ones */
int64_t amount_of(const struct amounts *a, const char *resource);
