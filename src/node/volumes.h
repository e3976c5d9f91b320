/* Volumes of a pod as directories on the node. ConfigMaps, Secrets and the downward API appear the way kubelet writes
 * them: files are links into ..data, itself a link that one rename moves to a complete new directory. Blocking, any
 * thread. */
#pragma once
#include "json/json.h"
#include "node/fieldref.h"
#include "node/paths.h"

struct volumes_input {
    const struct node_paths *paths;
    const json_t *pod;
    const json_t *refs; /* env.h */
    const struct pod_facts *facts;
    bool refresh; /* only what follows other objects is brought up to date */
};

/* Makes all volumes, or brings their contents up to date. err names the volume, as kubelet's FailedMount event does. */
int volumes_set_up(const struct volumes_input *in, struct err *err);
/* Does some volume's content follow other objects (and so wants volumes_set_up() now and then)? */
bool volumes_follow(const json_t *pod);
/* The directory or file behind a volumeMount, subPath included; a subPath cannot lead out of its volume. scratch:
 * directory of the container where a subPath is pinned under the name `sub`. NULL with err set. The caller frees. */
char *volume_mount_source(const struct volumes_input *in, const json_t *mount, const json_t *env, const char *scratch,
                          const char *sub, struct err *err);
/* Whether the volume itself is only read, whatever the mount says. */
bool volume_is_read_only(const json_t *pod, const json_t *mount);
/* Opens a path inside root, whose links cannot lead out of it. -1 with errno. */
int open_in_root(const char *root, const char *path, int flags);
