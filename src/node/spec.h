/* Pod, container and image put together to the OCI runtime's config.json. Pure. */
#pragma once
#include "json/json.h"
#include "node/user.h"

struct spec_mount {
    const char *source, *destination;
    bool read_only;
    const char *propagation; /* "rprivate", "rslave", "rshared" */
};

struct spec_input {
    const json_t *pod, *container; /* API objects */
    const json_t *image_config;    /* OCI image config */
    const json_t *env;             /* env_build() */
    const struct user *user;       /* spec_user() resolved */
    const char *rootfs, *hostname;
    const char *net_path, *ipc_path, *uts_path, *pid_path; /* NULL: the machine's own; pid_path NULL: a new one */
    bool host_pid;
    const struct spec_mount *mounts;
    size_t n_mounts;
    const json_t *seccomp_local; /* as in seccomp.h */
    const char *cgroup_path;
    bool limits; /* write cpu, memory and pids limits */
    bool
        device_rules; /* forbid devices but the usual; where that is impossible, nobody may make device nodes instead */
    int oom_score_adj, oom_score_adj_min; /* wanted; and what we may not go below */
};

/* NULL with err set when the pod asks for what cannot be (no command, runAsNonRoot as root). New reference. */
json_t *spec_build(const struct spec_input *in, struct err *err);
/* A field of the container's securityContext, else of the pod's; NULL. */
const json_t *spec_security(const json_t *pod, const json_t *container, const char *field);
/* The text for user_resolve(): runAsUser and runAsGroup of container and pod, else the image's USER. The caller frees.
 */
char *spec_user(const json_t *pod, const json_t *container, const json_t *image_config);
/* The OCI process of `kubectl exec` and exec probes: the container's own with other arguments. New reference. */
json_t *spec_exec_process(const json_t *spec, const char *const *args, bool tty);
/* Guaranteed -997, Burstable by its share of the node's memory, BestEffort 1000 (upstream: qos/policy.go). */
int spec_oom_score_adj(const json_t *pod, const json_t *container, int64_t node_memory_bytes);
/* "Guaranteed", "Burstable" or "BestEffort". */
const char *spec_qos_class(const json_t *pod);
