/* See claim.h. */
#include "node/claim.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "kinds/binding.h"
#include "node/env.h"
#include "node/paths.h"

#define OPEN_DIRS_MAX 32 /* descriptors nftw may hold */

void claims_each(const json_t *pod, void (*visit)(void *arg, const char *claim), void *arg)
{
    const json_t *volumes = jget(pod, "spec.volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        _cleanup_free_ char *name = volume_claim_name(jstr_or(pod, "metadata.name", ""), json_array_get(volumes, i));
        if (name)
            visit(arg, name);
    }
}

const json_t *claim_volume(const json_t *pod, const json_t *refs, const json_t *pod_volume, struct err *err)
{
    _cleanup_free_ char *name = volume_claim_name(jstr_or(pod, "metadata.name", ""), pod_volume);
    const json_t *claim = refs_get(refs, "persistentvolumeclaim", str_or(name, ""));
    const json_t *volume = refs_get(refs, "persistentvolume", jstr_or(claim, "spec.volumeName", ""));
    const char *owner = jstr(json_array_get(jget(claim, "metadata.ownerReferences"), 0), "uid");
    if (!claim)
        err_set(err, 0, "persistentvolumeclaim \"%s\" not found", str_or(name, ""));
    else if (jget(pod_volume, "ephemeral") && !streq(str_or(owner, ""), jstr_or(pod, "metadata.uid", "")))
        err_set(err, 0, "PVC %s was not created for pod %s (pod is not owner)", name,
                jstr_or(pod, "metadata.name", ""));
    else if (!volume || !volume_is_claimed_by(volume, claim))
        err_set(err, 0, "persistentvolumeclaim \"%s\" is not bound", name);
    else if (streq(jstr_or(claim, "spec.volumeMode", ""), "Block"))
        err_set(err, 0, "persistentvolumeclaim \"%s\": volumeMode Block is not supported", name);
    else
        return volume;
    return NULL;
}

const char *claim_volume_path(const json_t *volume, struct err *err)
{
    const char *path = str_or(jstr(volume, "spec.hostPath.path"), jstr(volume, "spec.local.path"));
    const char *driver = jstr(volume, "spec.csi.driver");
    if (!path && driver)
        err_set(err, 0, "kubernetes.io/csi: driver name %s not found in the list of registered CSI drivers", driver);
    else if (!path)
        err_set(err, 0, "this type of persistent volume is not supported");
    return path;
}

/* --- the group that shares a volume --- */

static gid_t given_group; /* nftw has no argument; see its lock */

static int give_to_group(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)at;
    if (type == FTW_SL)
        return lchown(path, (uid_t)-1, given_group) < 0;
    mode_t mode = (st->st_mode & 07777) | 0660 | (S_ISDIR(st->st_mode) ? 02010 : 0);
    return lchown(path, (uid_t)-1, given_group) < 0 || chmod(path, mode) < 0;
}

/* What the kubelet's SetVolumeOwnership does: everything in it, unless the policy is content with the root. */
static int apply_fs_group(const char *path, const json_t *pod, struct err *err)
{
    int64_t gid = jint(pod, "spec.securityContext.fsGroup", -1);
    bool root_is_enough = streq(jstr_or(pod, "spec.securityContext.fsGroupChangePolicy", ""), "OnRootMismatch");
    struct stat st;
    if (gid < 0 || stat(path, &st) < 0)
        return 0;
    if (root_is_enough && st.st_gid == (gid_t)gid && (st.st_mode & 02070) == 02070)
        return 0;
    static pthread_mutex_t walking = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&walking);
    given_group = (gid_t)gid;
    int r = nftw(path, give_to_group, OPEN_DIRS_MAX, FTW_PHYS | FTW_MOUNT);
    pthread_mutex_unlock(&walking);
    return r ? err_set(err, errno, "applyFSGroup failed for %s", path) : 0;
}

int claim_volume_set_up(const json_t *volume, const json_t *pod, struct err *err)
{
    const char *path = jstr_or(volume, "spec.local.path", "");
    struct stat st;
    if (stat(path, &st) == 0)
        return apply_fs_group(path, pod, err);
    if (!streq(str_or(annotation_of(volume, PROVISIONED_BY), ""), LOCAL_PATH_PROVISIONER))
        return err_set(err, 0,
                       "MountVolume.NewMounter initialization failed for volume \"%s\" : path \"%s\" does not exist",
                       jstr_or(volume, "metadata.name", ""), path);
    int r = make_dirs(path, 0755);
    if (r < 0 || chmod(path, 0777) < 0) /* whoever runs in the pod may write */
        return err_set(err, r < 0 ? -r : errno, "create %s", path);
    return apply_fs_group(path, pod, err);
}
