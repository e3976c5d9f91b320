/* Where a node keeps things. Everything of a pod lies beneath two directories named by its uid: one on disk (volumes,
 * logs, container layers), one that a reboot takes away (namespace pins, bundles, records of what runs). */
#pragma once
#include <stdbool.h>

struct node_paths {
    char *data;    /* DATA_DIR */
    char *volumes; /* DATA_DIR/volumes: what outlives pods */
    char *run;     /* RUN_DIR/nodes/NODE */
    char *pods;    /* DATA_DIR/nodes/NODE/pods */
    char *exits;   /* RUN_DIR/nodes/NODE/exits: conmon writes a file named by the container id when one ends */
    char *oci;     /* RUN_DIR/nodes/NODE/oci: state of crun or runc */
};

void node_paths_init(struct node_paths *p, const char *data_dir, const char *run_dir, const char *node);
void node_paths_done(struct node_paths *p);
/* Paths below the pod's directory; the caller frees. */
char *pod_data_path(const struct node_paths *p, const char *uid, const char *rest);
char *pod_run_path(const struct node_paths *p, const char *uid, const char *rest);

/* mkdir -p; 0 or -errno. */
int make_dirs(const char *path, unsigned mode);
/* Deletes a tree. Unmount below it first: a bind mount of the same file system cannot be told from a folder. Does not
 * cross into other file systems or follow symbolic links. A missing one is fine. */
void remove_tree(const char *path);
/* Detaches every mount at or below path; false: something is still mounted there (and must not be deleted through). */
bool unmount_below(const char *path);
/* Writes by way of a temporary file and rename. 0 or -errno. */
int write_file_atomically(const char *path, const void *data, unsigned long len, unsigned mode);
/* The whole file, NUL-terminated, at most max bytes (larger: -EFBIG); NULL on failure with errno set. The caller frees.
 */
char *read_small_file(const char *path, unsigned long max);
