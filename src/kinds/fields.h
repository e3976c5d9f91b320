/* Tables and rows that several kinds share, and the shorthand in which tables are written. */
#pragma once
#include "kinds/kind.h"

/* Rows of items and values. */
extern const struct field string_item[], int_item[], int64_item[], bytes_item[], quantity_item[];
extern const struct field label_value_item[], ip_item[], cidr_item[], host_name_item[], namespace_name_item[];

/* For .oneof: in the order in which upstream lists the values when it refuses another one. */
#define ONE_OF(...) ((const char *const[]){__VA_ARGS__, NULL})
/* For the .sub of lists and maps. */
#define LIST_OF(table)                                                                                                 \
    .sub = (const struct field[])                                                                                      \
    {                                                                                                                  \
        {                                                                                                              \
            .type = F_OBJECT, .sub = (table)                                                                           \
        }                                                                                                              \
    }
#define STRINGS .sub = string_item
#define QUANTITIES .sub = quantity_item
#define LABELS .sub = label_value_item, .check_key = check_qualified_name

#define FIELD_METADATA                                                                                                 \
    {                                                                                                                  \
        "metadata", F_OBJECT, .sub = meta_fields, .doc = "Name, labels and what the server keeps about the object."    \
    }

/* Fields that many specs and statuses have. `item`: plain_condition_fields or another list of a condition's members. */
#define FIELD_CONDITIONS(item, text)                                                                                   \
    {                                                                                                                  \
        "conditions", F_LIST, OPT, LIST_OF(item), .merge_key = "type", .list_keys = "type", .doc = text                \
    }
#define FIELD_OBSERVED_GENERATION                                                                                      \
    {                                                                                                                  \
        "observedGeneration", F_INT64, OPT, .doc = "metadata.generation that the controller has seen."                 \
    }
#define FIELD_MIN_READY_SECONDS                                                                                        \
    {                                                                                                                  \
        "minReadySeconds", F_INT, OPT, .max = NO_MAX, .doc = "Seconds a pod must be ready to count as available."      \
    }
#define FIELD_POD_SELECTOR                                                                                             \
    {                                                                                                                  \
        "selector", F_OBJECT, REQ | IMMUT | ATOMIC, .sub = label_selector_fields,                                      \
                                                    .doc = "Labels of the pods that count; must match the template."   \
    }

/* meta.c, selector.c, references.c */
extern const struct field meta_fields[], label_selector_fields[];
extern const struct field condition_fields[],
    plain_condition_fields[]; /* metav1.Condition; what kinds older than it have */
extern const struct field local_reference_fields[], object_reference_fields[], typed_local_object_reference_fields[],
    typed_object_reference_fields[];

/* Pieces of pods, each in the file of its name. */
extern const struct field affinity_fields[], toleration_fields[], topology_spread_constraint_fields[]; /* affinity.c */
extern const struct field claim_template_fields[], claim_fields[];
extern const struct field container_fields[], ephemeral_container_fields[];
extern const struct field env_var_fields[], env_from_source_fields[], object_field_selector_fields[],
    resource_field_selector_fields[];                         /* env.c */
extern const struct field lifecycle_fields[], probe_fields[]; /* probe.c */
extern const struct field pod_spec_fields[], pod_template_spec_fields[];
extern const struct field pod_status_fields[];
extern const struct field resource_requirements_fields[], container_resize_policy_fields[]; /* resources.c */
extern const struct field security_context_fields[], pod_security_context_fields[];         /* security.c */
extern const struct field volume_fields[];

extern const struct field node_status_fields[], node_config_source_fields[]; /* nodestatus.c */

extern const struct field webhook_client_fields[]; /* webhooks.c */

/* volumes_plugins.c */
extern const struct field gce_persistent_disk_volume_fields[], aws_elastic_block_store_volume_fields[],
    gitrepo_volume_fields[], iscsi_volume_fields[], glusterfs_volume_fields[], rbd_volume_fields[],
    flex_volume_fields[], cinder_volume_fields[], cephfs_volume_fields[], flocker_volume_fields[], fc_volume_fields[],
    azure_file_volume_fields[], vsphere_virtual_disk_volume_fields[], quobyte_volume_fields[],
    azure_disk_volume_fields[], photon_persistent_disk_volume_fields[], portworx_volume_fields[],
    scaleio_volume_fields[], storageos_volume_fields[];
