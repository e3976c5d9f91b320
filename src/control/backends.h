/* From a Service to the pods behind it and back, for the two controllers that publish them. Both directions go through
 * an index over one pair of the selector, so that a pod's change costs the same with ten Services as with ten thousand.
 */
#pragma once
#include "client/controller.h"
#include "control/podstate.h"

struct backends {
    struct informer *services, *pods;
    int services_by_pair, pods_by_pair, pod_digest;
};
void backends_init(struct backends *b, struct controller *c);
/* Enqueues the Services whose selector matches this version of the pod. */
void backends_map_pod(struct backends *b, struct controller *c, struct object *pod);
/* Calls visit with every pod that the Service selects. */
void backends_each(const struct backends *b, const char *ns, const json_t *service,
                   void (*visit)(void *arg, const struct object *pod, const struct pod_state *state), void *arg);

bool service_is_headless(const json_t *service);
/* Where a port of a Service leads on this pod: targetPort as a number, or its name looked up in the pod's containers by
 * name and protocol. 0: the pod has no such port. */
int64_t backend_port(const json_t *service_port, const struct pod_state *pod);
/* The hostname that DNS may give this pod under the Service, or NULL. */
const char *backend_hostname(const char *service_name, const struct pod_state *pod);
