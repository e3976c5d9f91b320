/* Whether a node takes a pod that was bound to it (upstream: the kubelet's admit handlers: eviction_manager.go Admit,
 * sysctl/allowlist.go, apparmor). Who is refused never begins and is Failed for good. Pure. */
#pragma once
#include "json/json.h"

struct admit_node {
    unsigned pressures; /* as in eviction.h */
    bool shutting_down;
    bool apparmor; /* its kernel has it, and it is on */
};
struct refusal {
    const char *reason;
    char *message; /* the caller frees */
};
/* False with ret set. */
bool admit_pod(const json_t *pod, const struct admit_node *node, struct refusal *ret);
