/* The downward API: fields and resources of a pod as text, for environment variables and volumes. Pure. */
#pragma once
#include "json/json.h"

/* What the pod document does not say yet when its containers start. */
struct pod_facts {
    const char *pod_ips, *host_ips; /* a comma between the families; NULL: not known */
    const char *node_name;
    int64_t node_milli_cpu, node_memory_bytes; /* allocatable: the limit of a container that has none */
    int64_t node_storage_bytes;
};

/* "metadata.labels['app']", "status.podIP"… NULL with err set when there is no such field. The caller frees. */
char *fieldref_value(const json_t *pod, const struct pod_facts *facts, const char *field_path, bool in_volume,
                     struct err *err);
/* A resourceFieldRef for this container (or the one it names). The caller frees. */
char *resource_field_value(const json_t *pod, const json_t *container, const struct pod_facts *facts, const json_t *ref,
                           struct err *err);
/* Member of spec.containers, initContainers or ephemeralContainers; NULL when there is none. */
json_t *find_container(const json_t *pod, const char *name);
