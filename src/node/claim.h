/* Volumes that a pod has through claims: which directory of this node that is. The claims and volumes are among the
 * refs of env.h, as persistentvolumeclaim/NAME and persistentvolume/NAME. */
#pragma once
#include "json/json.h"

/* Calls visit for the claim of every volume of the pod that has one. */
void claims_each(const json_t *pod, void (*visit)(void *arg, const char *claim), void *arg);
/* The PersistentVolume behind a member of spec.volumes; NULL with err set. Borrowed. */
const json_t *claim_volume(const json_t *pod, const json_t *refs, const json_t *pod_volume, struct err *err);
/* Its directory or device file: hostPath and local are what a node has. NULL with err set. Borrowed. */
const char *claim_volume_path(const json_t *volume, struct err *err);
/* Makes the directory of a volume that this program provides, or checks that a local one is there, and gives it to the
 * pod's group. Not for hostPath. Blocking, any thread. */
int claim_volume_set_up(const json_t *volume, const json_t *pod, struct err *err);
