/* When a node runs short: which thresholds are passed, what the Node says of it, and which pod pays (upstream:
 * pkg/kubelet/eviction, helpers.go). Pure: figures in, decisions and upstream's sentences out. Bytes, inodes and
 * processes are all plain numbers. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum eviction_signal {
    SIGNAL_MEMORY,
    SIGNAL_NODEFS,
    SIGNAL_NODEFS_INODES,
    SIGNAL_IMAGEFS,
    SIGNAL_IMAGEFS_INODES,
    SIGNAL_PID,
    SIGNAL_N
};
/* What pods use up. */
enum eviction_resource { STARVED_MEMORY, STARVED_DISK, STARVED_INODES, STARVED_PIDS, STARVED_N };
/* Conditions of a Node; sets of them are masks of 1 << pressure. */
enum node_pressure { PRESSURE_MEMORY, PRESSURE_DISK, PRESSURE_PID, PRESSURE_N };

/* kubelet's own, and those of a cluster on somebody's own machine: shares of a large disk would leave it useless with
 * 50 GB free, which is why kind and minikube do not keep them either. */
#define EVICTION_HARD_DEFAULT                                                                                          \
    "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%"
#define EVICTION_HARD_LOCAL "memory.available<100Mi,nodefs.available<1Gi,nodefs.inodesFree<1%"
#define EVICTION_TRANSITION_DEFAULT_S 300 /* a condition stays so long after it was last seen, lest it flaps */

struct eviction_threshold {
    bool set;
    double share; /* of the capacity, 0.1 for "10%"; 0: amount counts */
    int64_t amount;
};
struct eviction_thresholds {
    struct eviction_threshold of[SIGNAL_N];
    int64_t transition_ms;
};
/* "memory.available<100Mi,nodefs.available<10%"; "" for none. Leaves transition_ms alone. */
int eviction_parse(const char *text, struct eviction_thresholds *ret, struct err *err);

struct eviction_observation {
    int64_t available, capacity; /* capacity 0: not known */
};
/* Signals under their thresholds, as a mask of 1 << signal. */
unsigned eviction_signals(const struct eviction_thresholds *t, const struct eviction_observation seen[SIGNAL_N]);
/* The one that is dealt with first, memory before the rest; SIGNAL_N when there is none. */
enum eviction_signal eviction_first(unsigned signals);
enum eviction_resource eviction_resource_of(enum eviction_signal s);
const char *eviction_resource_name(enum eviction_resource r);

/* When each condition was last seen to hold; 0: never. */
struct eviction_memory {
    int64_t seen_ms[PRESSURE_N];
};
/* Takes the signals in; returns the conditions that hold, those of the transition period included. */
unsigned eviction_conditions(const struct eviction_thresholds *t, struct eviction_memory *m, unsigned signals,
                             int64_t now_ms);
/* "[DiskPressure MemoryPressure]". The caller frees. */
char *eviction_condition_names(unsigned pressures);

struct eviction_container {
    const char *name;
    int64_t used[STARVED_N], request[STARVED_N];
    int64_t disk_limit; /* 0: none */
    const char *disk_limit_text;
};
struct eviction_volume { /* an emptyDir */
    const char *name;
    int64_t used, limit; /* 0: none */
    const char *limit_text;
};
/* Pods of the system itself: never evicted, never refused, the last to end. */
#define CRITICAL_PRIORITY INT64_C(2000000000)
struct eviction_pod {
    void *who; /* the caller's */
    int64_t priority;
    bool critical;             /* never evicted: priority of the system's own */
    int64_t shared[STARVED_N]; /* used by no container in particular: volumes */
    struct eviction_container *containers;
    size_t n_containers;
    struct eviction_volume *volumes;
    size_t n_volumes;
};
/* Sorts: those who use more than they asked for first, then by priority, then by how much more. */
void eviction_rank(struct eviction_pod *pods, size_t n, enum eviction_resource r);
/* The message of an evicted pod. The caller frees. */
char *eviction_message(const struct eviction_pod *p, enum eviction_signal s, const struct eviction_thresholds *t,
                       const struct eviction_observation seen[SIGNAL_N]);
/* Whether the pod uses more of the disk than it may itself: the message, which the caller frees; NULL: it does not. */
char *eviction_over_limit(const struct eviction_pod *p);
