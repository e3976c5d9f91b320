/* What the agent knows about a pod, written as PodStatus (upstream: kubelet_pods.go generateAPIPodStatus,
 * status/generate.go). Pure. */
#pragma once
#include "json/json.h"
#include "node/plan.h"
#include "node/runtime.h"

#define CONTAINER_ID_SCHEME "c8s://"

struct termination {
    bool set;
    int exit_code;
    char *reason, *message; /* message may be NULL */
    int64_t started_usec, finished_usec;
    char cid[CID_SIZE];
};

struct container_facts {
    char *name;
    bool init, sidecar, ephemeral; /* as in plan.h */
    enum container_state state;
    char *waiting_reason,
        *waiting_message;   /* while it does not run; NULL reason: ContainerCreating or PodInitializing */
    bool backing_off;       /* exited, and waits for its next start */
    char *image, *image_id; /* NULL: not known yet */
    char cid[CID_SIZE];     /* "" before it exists */
    int restart_count;
    bool ready, started;
    bool in_post_start; /* runs, but its postStart hook is not through: shown as being created */
    int64_t started_usec;
    struct termination now, last;
};

struct status_input {
    const json_t *pod;
    const json_t *old; /* status sent before; the times of its conditions stay when they do not change */
    const char *phase;
    const char *reason, *message;   /* of a pod that was ended; NULL */
    bool rejected, disrupted;       /* as in pod.h */
    const char *pod_ips, *host_ips; /* a comma between the families; NULL: unknown */
    int64_t start_usec;
    bool sandbox_ready, initialized;
    const struct container_facts *const *containers; /* init containers first */
    size_t n;
};

/* Where a pod lists such a container: "initContainers", "containers" or "ephemeralContainers"; and where its status. */
const char *container_list(const struct container_facts *c);
const char *container_status_list(const struct container_facts *c);
/* The whole status; conditions of others are not in it. New reference. */
json_t *status_build(const struct status_input *in, int64_t now_usec);
/* A strategic merge patch that makes the pod's status so; NULL when it is so already. New reference. */
json_t *status_patch(const json_t *pod, const json_t *status);
void termination_done(struct termination *t);
void container_facts_done(struct container_facts *c);
/* Sets a string member. */
void replace_str(char **member, const char *text);
