/* What the kinds around volumes share. Inside the room only. */
#pragma once
#include "api/status.h"
#include "kinds/cells.h"

/* volume_sources.c */
extern const struct field persistent_glusterfs_fields[], persistent_rbd_fields[], persistent_iscsi_fields[],
    persistent_cinder_fields[], persistent_cephfs_fields[], persistent_flex_fields[], persistent_azure_file_fields[],
    persistent_scaleio_fields[], persistent_storageos_fields[], persistent_csi_fields[], local_volume_fields[];
extern const struct field host_path_volume_fields[], nfs_volume_fields[]; /* volumes.c */
extern const struct field persistent_volume_spec_fields[];
extern const struct field node_selector_fields[]; /* affinity.c */

/* "RWO,ROX" out of a list of access modes. */
json_t *access_modes_cell(const json_t *modes);
/* Says which modes there are not, and that ReadWriteOncePod stands alone. */
void access_modes_validate(const json_t *modes, struct status_causes *causes);
/* "Terminating" instead of the phase when the object is being deleted. */
json_t *volume_phase_cell(const json_t *obj);
cell_fn cell_volume_mode, cell_attributes_class;
