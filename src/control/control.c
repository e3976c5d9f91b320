/* The list of controllers. */
#include "control/control.h"
#include "control/list.h"

const struct controller_def *const all_controllers[] = {
    &deployment_controller,
    &daemonset_controller,
    &job_controller,
    &cronjob_controller,
    &statefulset_controller,
    &replicaset_controller,
    &replication_controller,
    &endpoints_controller,
    &endpointslice_controller,
    &endpointslicemirroring_controller,
    &customresources_controller,
    &garbage_controller,
    &namespace_controller,
    &serviceaccount_controller,
    &nodelifecycle_controller,
    &tainteviction_controller,
    &podgc_controller,
    &disruption_controller,
    &staledisruption_controller,
    &rootca_controller,
    &resourcequota_controller,
    &roleaggregation_controller,
    &csrapproving_controller,
    &csrcleaner_controller,
    &tokencleaner_controller,
    NULL,
};
