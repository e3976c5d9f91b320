/* Pods act as a ServiceAccount: it must exist, and its token, the cluster's CA and the namespace are mounted into every
 * container unless somebody says no (upstream: admission plug-in ServiceAccount). */
#include "server/admit_account.h"

#include <string.h>

#include "api/status.h"
#include "base/rand.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/kind.h"

#define VOLUME_PREFIX "kube-api-access-"
#define MOUNT_PATH "/var/run/secrets/kubernetes.io/serviceaccount"
#define SUFFIX_LEN 5
#define TOKEN_SECONDS 3607 /* upstream's: an hour, and seven seconds by which such tokens are told from others */

/* The pod's word, then the account's. */
static bool wants_token(const json_t *pod, const json_t *account)
{
    return jbool(pod, "spec.automountServiceAccountToken", jbool(account, "automountServiceAccountToken", true));
}

static const char *find_volume(const json_t *pod)
{
    size_t i;
    const json_t *volume;
    json_array_foreach(jget(pod, "spec.volumes"), i, volume)
        if (str_after(jstr_or(volume, "name", ""), VOLUME_PREFIX))
            return jstr(volume, "name");
    return NULL;
}

static void add_volume(json_t *pod, const char *name)
{
    json_t *volumes = jget(pod, "spec.volumes");
    if (!volumes)
        jset(pod, "spec.volumes", volumes = json_array());
    json_t *token = json_pack("{s:i, s:s}", "expirationSeconds", TOKEN_SECONDS, "path", "token");
    json_t *ca =
        json_pack("{s:s, s:[{s:s, s:s}]}", "name", "kube-root-ca.crt", "items", "key", "ca.crt", "path", "ca.crt");
    json_t *ns = json_pack("{s:[{s:s, s:{s:s, s:s}}]}", "items", "path", "namespace", "fieldRef", "apiVersion", "v1",
                           "fieldPath", "metadata.namespace");
    json_array_append_new(volumes, json_pack("{s:s, s:{s:[{s:o}, {s:o}, {s:o}], s:i}}", "name", name, "projected",
                                             "sources", "serviceAccountToken", token, "configMap", ca, "downwardAPI",
                                             ns, "defaultMode", 0644));
}

/* Containers that mount something of their own there are left alone. Returns whether any other was given the volume. */
static bool mount_volume(json_t *containers, const char *name)
{
    bool any = false;
    size_t i;
    json_t *container;
    json_array_foreach(containers, i, container) {
        json_t *mounts = jget(container, "volumeMounts");
        if (jfind(mounts, "mountPath", MOUNT_PATH))
            continue;
        if (!mounts)
            jset(container, "volumeMounts", mounts = json_array());
        json_array_append_new(mounts,
                              json_pack("{s:s, s:b, s:s}", "name", name, "readOnly", 1, "mountPath", MOUNT_PATH));
        any = true;
    }
    return any;
}

static void add_token(json_t *pod)
{
    char made[sizeof(VOLUME_PREFIX) + SUFFIX_LEN] = VOLUME_PREFIX;
    const char *present = find_volume(pod);
    rand_name(made + strlen(VOLUME_PREFIX), SUFFIX_LEN);
    const char *name = present ? present : made;
    bool init = mount_volume(jget(pod, "spec.initContainers"), name);
    bool main = mount_volume(jget(pod, "spec.containers"), name);
    if ((init || main) && !present)
        add_volume(pod, name);
}

json_t *admit_account(const struct store *store, json_t *pod)
{
    const char *ns = jstr_or(pod, "metadata.namespace", ""), *pod_name = jstr_or(pod, "metadata.name", "");
    if (!*jstr_or(pod, "spec.serviceAccountName", ""))
        jset_str(pod, "spec.serviceAccountName", "default");
    const char *name = jstr(pod, "spec.serviceAccountName");
    jset_str(pod, "spec.serviceAccount", name);
    const struct object *o = store_latest(store, &kind_serviceaccount, ns, name);
    if (!o)
        return status_for(STATUS_FORBIDDEN, "", "pods", pod_name,
                          "pods \"%s\" is forbidden: error looking up service account %s/%s: serviceaccount \"%s\" not "
                          "found",
                          pod_name, ns, name, name);
    _cleanup_json_ json_t *account = object_json(o);
    if (wants_token(pod, account))
        add_token(pod);
    if (!json_array_size(jget(pod, "spec.imagePullSecrets")) && json_array_size(jget(account, "imagePullSecrets")))
        jset(pod, "spec.imagePullSecrets", json_deep_copy(jget(account, "imagePullSecrets")));
    return NULL;
}
