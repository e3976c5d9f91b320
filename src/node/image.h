/* Images without a registry and with one: DATA_DIR/images holds layers/<diff id>/ (unpacked once, shared by all images
 * and nodes), manifests/<config digest>.json and index.json (reference -> config digest). Every change is a rename
 * under a lock, so a half-pulled image is never used, and all local nodes see a new one at once. Blocking: for commands
 * and worker threads. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct image {
    char *id;        /* "sha256:…" of the config */
    char *digest;    /* "sha256:…" by which the registry knows it; NULL: it was imported */
    int64_t size;    /* of the packed layers */
    char *reference; /* as stored: "docker.io/library/nginx:latest" */
    json_t *config;  /* the OCI image configuration, whole: .config.Env, .config.Entrypoint, .rootfs … */
    char **layers;   /* directories, lowest first; NULL-terminated, one free */
};
void image_done(struct image *i);

/* docker-archive, OCI archive (plain or compressed) or OCI layout directory. name: the reference to give a single
 * image, or NULL for those inside. Names the references in *ret_refs (NULL-terminated, one free) when not NULL. */
int image_import(const char *data_dir, const char *file, const char *name, char ***ret_refs, struct err *err);
/* ref as users write it ("nginx", "luksa/kubia", "host:5000/a:b", "a@sha256:…"); 0, or -1 with err->code ENOENT when
 * absent. */
int image_lookup(const char *data_dir, const char *ref, struct image *ret, struct err *err);
/* Pulls with skopeo from the registry that the reference names, unless what is there is what the registry has.
 * docker_config: {"auths": …} or NULL; image_pull.c. */
int image_pull(const char *data_dir, const char *ref, const json_t *docker_config, struct err *err);
/* Whether the registry's answers may come without TLS: those of this machine, as with other runtimes. Pure. */
bool image_is_local(const char *reference);
/* The credentials of these Secrets as one {"auths": …}; the first that knows a registry counts. NULL: there are none.
 * New reference. Pure. */
json_t *image_auths(const json_t *const *secrets, size_t n);
/* "REGISTRY/NAME@sha256:…" of a pulled image, the id of an imported one: status.imageID. The caller frees. */
char *image_repo_digest(const struct image *i);
/* Forgets references (NULL-terminated) and deletes what no other reference needs. No container may use them. */
int image_remove(const char *data_dir, const char *const *refs, struct err *err);
/* Array of {reference, id, repoDigest (of pulled ones), size, created, usedUsec}, sorted by reference. New reference.
 */
json_t *image_list(const char *data_dir, struct err *err);
/* "nginx" -> "docker.io/library/nginx:latest" (docker/distribution reference rules). NULL when malformed. The caller
 * frees. */
char *image_normalize(const char *ref);
