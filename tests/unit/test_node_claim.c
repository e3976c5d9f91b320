/* node: which directory of the node a claim is. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "node/claim.h"
#include "node/paths.h"
#include "doc.h"

#define BOUND(volume)                                                                                                  \
    "{\"persistentvolumeclaim/c\":{\"metadata\":{\"namespace\":\"a\",\"name\":\"c\",\"uid\":\"u\"},\"spec\":{"         \
    "\"volumeName\":\"v\"}},\"persistentvolume/"                                                                       \
    "v\":{\"spec\":{\"claimRef\":{\"namespace\":\"a\",\"name\":\"c\",\"uid\":"                                         \
    "\"u\"}," volume "}}}"

TEST(claims_lead_to_paths)
{
    static const struct {
        const char *refs, *path, *why;
    } rows[] = {
        {"{}", NULL, "persistentvolumeclaim \"c\" not found"},
        {"{\"persistentvolumeclaim/c\":{\"spec\":{}}}", NULL, "persistentvolumeclaim \"c\" is not bound"},
        {BOUND("\"hostPath\":{\"path\":\"/mnt/data\"}"), "/mnt/data", NULL},
        {BOUND("\"local\":{\"path\":\"/mnt/disk\"}"), "/mnt/disk", NULL},
        {BOUND("\"nfs\":{\"path\":\"/x\"}"), NULL, "this type of persistent volume is not supported"},
        {BOUND("\"csi\":{\"driver\":\"d.example\"}"), NULL,
         "kubernetes.io/csi: driver name d.example not found in the list of registered CSI drivers"},
    };
    _cleanup_json_ json_t *pod = t_doc("{\"metadata\":{\"name\":\"p\",\"uid\":\"p\"}}");
    _cleanup_json_ json_t *volume = t_doc("{\"name\":\"d\",\"persistentVolumeClaim\":{\"claimName\":\"c\"}}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = {0};
        _cleanup_json_ json_t *refs = t_doc(rows[i].refs);
        const json_t *behind = claim_volume(pod, refs, volume, &err);
        T_STR(behind ? claim_volume_path(behind, &err) : NULL, rows[i].path);
        if (rows[i].why)
            T_STR(err.msg, rows[i].why);
    }
}

static int mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

TEST(directories_are_made_for_volumes_of_our_own)
{
    char dir[] = "/tmp/c8s-test-XXXXXX";
    struct err err = {0};
    T_TRUE(mkdtemp(dir));
    _cleanup_free_ char *path = xasprintf("%s/volumes/pvc-1_a_c", dir), *file = xasprintf("%s/file", path);
    _cleanup_json_ json_t *pod = json_pack("{s{s{si}}}", "spec", "securityContext", "fsGroup", (int)getgid());
    _cleanup_json_ json_t *volume =
        json_pack("{s{ss}, s{s{ss}}}", "metadata", "name", "v", "spec", "local", "path", path);
    T_INT(claim_volume_set_up(volume, pod, &err), -1); /* made by hand: must be there */
    T_TRUE(strstr(err.msg, "does not exist"));
    jset(volume, "metadata.annotations", json_pack("{ss}", "pv.kubernetes.io/provisioned-by", "c8s.io/local-path"));
    T_INT(claim_volume_set_up(volume, pod, &err), 0);
    T_INT(mode_of(path), 02777);
    T_INT(write_file_atomically(file, "x", 1, 0600), 0);
    T_INT(claim_volume_set_up(volume, pod, &err), 0);
    T_INT(mode_of(file), 0660);
    chmod(file, 0600);
    jset_str(pod, "spec.securityContext.fsGroupChangePolicy", "OnRootMismatch");
    T_INT(claim_volume_set_up(volume, pod, &err), 0);
    T_INT(mode_of(file), 0600);
    remove_tree(dir);
}

int main(void)
{
    RUN(claims_lead_to_paths);
    RUN(directories_are_made_for_volumes_of_our_own);
    return DONE();
}
