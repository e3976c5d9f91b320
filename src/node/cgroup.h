/* Control groups of containers: /c8s/NODE/POD_UID/CONTAINER_ID in the cgroup2 hierarchy. On a pure cgroup2 machine they
 * carry limits. Where cgroup2 is mounted beside version 1 ("hybrid"), the controllers belong to version 1; there our
 * groups only keep the processes of a container together, and limits are not enforced. Blocking calls, any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CPU_PERIOD_USEC 100000

struct cgroups {
    bool pure;        /* /sys/fs/cgroup is cgroup2 */
    const char *root; /* where cgroup2 is mounted; NULL: nowhere */
    bool limits;      /* cpu, memory and pids can be limited in our groups */
    bool devices; /* access to devices can be: it takes a BPF program, which a runtime makes room for by RLIMIT_MEMLOCK
                   */
};

#define CGROUP_PATH_SIZE 512
#define CGROUP_MONITORS "monitors" /* beside the pods: where conmon lives */

/* Thousandths of a CPU as the kernel wants them: shares of cgroup version 1 (a runtime turns them into a weight
 * itself), the weight that stands for those, and the quota in a period. Pure. */
int64_t cgroup_cpu_shares(int64_t milli);
int64_t cgroup_cpu_weight(int64_t shares);
int64_t cgroup_cpu_quota(int64_t milli);

/* Finds out what the machine has and makes the node's group. */
void cgroup_detect(struct cgroups *ret, const char *node);
/* "/c8s/NODE/UID/CID"; uid and cid may be NULL. Returns out. */
char *cgroup_path(char out[CGROUP_PATH_SIZE], const char *node, const char *uid, const char *cid);
/* Kills every process in the group and those below it. A missing group is fine. */
void cgroup_kill(const struct cgroups *g, const char *path);
/* Removes the group and those below it; false while processes are left. */
bool cgroup_remove(const struct cgroups *g, const char *path);
/* Removes the node's group, and the one of all nodes, if they are empty: another cluster of this machine may have a
 * node of the same name. */
void cgroup_remove_node(const struct cgroups *g, const char *node);
