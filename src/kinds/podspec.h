/* What can be said of pods and of the templates of pods alike, and the parts of the kind Pod. Inside the room only. */
#pragma once
#include "api/status.h"
#include "kinds/cells.h"

/* poddefaults.c: defaults that depend on other fields. */
void pod_spec_default(json_t *spec);
void pod_default(json_t *pod);
/* podrules.c: path is where the spec is ("spec.template.spec"). */
void pod_spec_validate(const json_t *spec, const char *path, struct status_causes *causes);
/* containerrules.c: the containers, init containers and ephemeral containers of a spec. */
void pod_containers_validate(const json_t *spec, const char *path, struct status_causes *causes);
/* securityrules.c */
void pod_security_validate(const json_t *spec, const char *path, struct status_causes *c);
/* affinityrules.c */
void pod_affinity_validate(const json_t *affinity, const char *path, struct status_causes *causes);
/* podupdate.c: what may change in a pod that exists, but for its ephemeral containers (ephemeral.h). */
void pod_update_validate(const json_t *pod, const json_t *old, struct status_causes *causes);
/* podqos.c */
const char *pod_qos_class(const json_t *pod);
/* podcells.c */
cell_fn pod_cell_ready, pod_cell_status, pod_cell_restarts, pod_cell_ip, pod_cell_node, pod_cell_nominated_node,
    pod_cell_readiness_gates;
