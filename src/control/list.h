/* The names behind all_controllers, one a file. */
#pragma once
#include "client/controller.h"

extern const struct controller_def accountsecret_controller, autoscaler_controller, bootstrapsigner_controller,
    cronjob_controller, csrapproving_controller, csrcleaner_controller, customresources_controller,
    daemonset_controller, deployment_controller, disruption_controller, endpoints_controller, endpointslice_controller,
    endpointslicemirroring_controller, ephemeralvolume_controller, flowschema_controller, garbage_controller,
    ipaddresses_controller, job_controller, localpath_controller, namespace_controller, nodelifecycle_controller,
    podgc_controller, policystatus_controller, replicaset_controller, replication_controller, resourcequota_controller,
    roleaggregation_controller, rootca_controller, serviceaccount_controller, servicecidrs_controller,
    staledisruption_controller, statefulset_controller, tainteviction_controller, tokencleaner_controller,
    volumebinder_controller, volumeprotection_controller;
