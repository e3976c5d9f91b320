/* The names behind all_controllers, one a file. */
#pragma once
#include "client/controller.h"

extern const struct controller_def deployment_controller, replicaset_controller, replication_controller,
    endpoints_controller, endpointslice_controller, endpointslicemirroring_controller, garbage_controller,
    namespace_controller, serviceaccount_controller, nodelifecycle_controller, tainteviction_controller,
    podgc_controller, daemonset_controller, job_controller, cronjob_controller, statefulset_controller,
    rootca_controller, disruption_controller, staledisruption_controller, resourcequota_controller,
    roleaggregation_controller, customresources_controller, csrapproving_controller, csrcleaner_controller,
    tokencleaner_controller;
    rootca_controller, disruption_controller, resourcequota_controller, roleaggregation_controller,
    customresources_controller, csrapproving_controller, csrcleaner_controller, tokencleaner_controller;
extern const struct controller_def volumebinder_controller, volumeprotection_controller, localpath_controller,
    ephemeralvolume_controller;
extern const struct controller_def autoscaler_controller, deployment_controller, replicaset_controller,
    replication_controller, endpoints_controller, endpointslice_controller, endpointslicemirroring_controller,
    garbage_controller, namespace_controller, serviceaccount_controller, nodelifecycle_controller,
    tainteviction_controller, podgc_controller, daemonset_controller, job_controller, cronjob_controller,
    statefulset_controller, rootca_controller, disruption_controller, resourcequota_controller,
    roleaggregation_controller, customresources_controller, csrapproving_controller, csrcleaner_controller,
    tokencleaner_controller;
