/* See volumes.h. */
#include "node/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/map.h"
#include "base/quantity.h"
#include "base/str.h"
#include "node/claim.h"
#include "node/env.h"
#include "node/payload.h"
#include "node/spec.h"
#include "node/token.h"

#define DEFAULT_FILE_MODE 0644

struct volume {
    const struct volumes_input *in;
    const json_t *doc; /* the entry of spec.volumes */
    const char *name;
    char *path; /* of volumes of our own */
};

/* --- emptyDir --- */

static bool is_mount_point(const char *path)
{
    struct stat here, above;
    _cleanup_free_ char *parent = xasprintf("%s/..", path);
    return stat(path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

static int mount_tmpfs(const char *path, const char *options, struct err *err)
{
    if (is_mount_point(path) || mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
        return 0;
    return err_set(err, errno, "mount tmpfs at %s", path);
}

static int set_up_empty_dir(const struct volume *v, struct err *err)
{
    struct quantity limit;
    const char *text = jstr(v->doc, "emptyDir.sizeLimit");
    char options[64] = "mode=0777";
    if (text && quantity_parse(text, &limit) && quantity_value(&limit) > 0)
        snprintf(options, sizeof(options), "mode=0777,size=%lld", (long long)quantity_value(&limit));
    if (streq(jstr_or(v->doc, "emptyDir.medium", ""), "Memory"))
        return mount_tmpfs(v->path, options, err);
    return chmod(v->path, 0777) < 0 ? err_set(err, errno, "chmod %s", v->path) : 0;
}

/* --- hostPath --- */

static const struct host_path_type {
    const char *name, *title;
    mode_t format; /* 0: anything */
    bool create;
} host_path_types[] = {
    {"", "", 0, false},
    {"DirectoryOrCreate", "directory", S_IFDIR, true},
    {"Directory", "directory", S_IFDIR, false},
    {"FileOrCreate", "file", S_IFREG, true},
    {"File", "file", S_IFREG, false},
    {"Socket", "socket file", S_IFSOCK, false},
    {"CharDevice", "character device", S_IFCHR, false},
    {"BlockDevice", "block device", S_IFBLK, false},
};

static int create_host_path(const struct host_path_type *t, const char *path)
{
    if (t->format == S_IFDIR)
        return make_dirs(path, 0755);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno == EEXIST ? 0 : -errno;
    close(fd);
    return 0;
}

static int set_up_host_path(const struct volume *v, struct err *err)
{
    const char *path = jstr_or(v->doc, "hostPath.path", ""), *type = jstr_or(v->doc, "hostPath.type", "");
    struct stat st;
    for (size_t i = 0; i < ARRAY_LEN(host_path_types); i++) {
        const struct host_path_type *t = &host_path_types[i];
        if (!streq(t->name, type))
            continue;
        int r = t->create ? create_host_path(t, path) : 0;
        if (r < 0)
            return err_set(err, -r, "create %s", path);
        if (!t->format || (stat(path, &st) == 0 && (st.st_mode & S_IFMT) == t->format))
            return 0;
        return err_set(err, 0, "hostPath type check failed: %s is not a %s", path, t->title);
    }
    return err_set(err, 0, "unknown hostPath type %s", type);
}

/* --- contents of other objects --- */

static int add_key(struct payload *p, const json_t *object, const char *key, const char *path, unsigned mode,
                   struct err *err)
{
    size_t len;
    _cleanup_free_ char *bytes = refs_value(object, key, &len);
    if (!bytes)
        return err_set(err, 0, "references non-existent config key: %s", key);
    return payload_add(p, path, bytes, len, mode, err);
}

static int add_all_keys(struct payload *p, const json_t *object, const char *map, unsigned mode, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(jget(object, map), key, value)
        if (add_key(p, object, key, key, mode, err) < 0)
            return -1;
    return 0;
}

/* source: configMap or secret of a volume or of a projected one; they differ in how they name the object. */
static int add_object(const struct volume *v, struct payload *p, const char *kind, const json_t *source, unsigned mode,
                      struct err *err)
{
    const char *name = jstr(source, "secretName");
    name = name ? name : jstr_or(source, "name", "");
    const json_t *object = refs_get(v->in->refs, kind, name);
    const json_t *items = jget(source, "items");
    bool optional = jbool(source, "optional", false);
    json_t *item;
    size_t i;
    if (!object)
        return optional ? 0 : err_set(err, 0, "%s \"%s\" not found", kind, name);
    if (json_array_size(items) == 0)
        return add_all_keys(p, object, "data", mode, err) < 0 || add_all_keys(p, object, "binaryData", mode, err) < 0
                   ? -1
                   : 0;
    json_array_foreach((json_t *)items, i, item) {
        unsigned item_mode = (unsigned)jint(item, "mode", mode);
        struct err why;
        if (add_key(p, object, jstr_or(item, "key", ""), jstr_or(item, "path", ""), item_mode, &why) < 0 && !optional)
            return *err = why, -1;
    }
    return 0;
}

static int add_downward(const struct volume *v, struct payload *p, const json_t *source, unsigned mode, struct err *err)
{
    json_t *item;
    size_t i;
    json_array_foreach(jget(source, "items"), i, item) {
        const json_t *field = jget(item, "fieldRef"), *resource = jget(item, "resourceFieldRef");
        _cleanup_free_ char *text =
            field ? fieldref_value(v->in->pod, v->in->facts, jstr_or(field, "fieldPath", ""), true, err)
                  : resource_field_value(v->in->pod, NULL, v->in->facts, resource, err);
        unsigned item_mode = (unsigned)jint(item, "mode", mode);
        if (!text || payload_add(p, jstr_or(item, "path", ""), text, strlen(text), item_mode, err) < 0)
            return -1;
    }
    return 0;
}

/* The user that all containers run as; -1: there is no such one (upstream: volume/util FsUserFrom). */
static int64_t common_user(const json_t *pod)
{
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    int64_t common = -1;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        json_t *container;
        json_array_foreach(jget(pod, lists[l]), i, container) {
            const json_t *user = spec_security(pod, container, "runAsUser");
            if (!user || (common >= 0 && common != json_integer_value(user)))
                return -1;
            common = json_integer_value(user);
        }
    }
    return common;
}

/* Where it is known who reads it, and that a group shares the volumes, the file is for those alone (as upstream). */
static int add_token(const struct volume *v, struct payload *p, const json_t *source, unsigned mode, struct err *err)
{
    const char *token = token_text(v->in->refs, source, err);
    int64_t user = common_user(v->in->pod);
    if (user >= 0 || jhas(v->in->pod, "spec.securityContext.fsGroup"))
        mode = 0600;
    if (!token || payload_add(p, jstr_or(source, "path", ""), token, strlen(token), mode, err) < 0)
        return -1;
    payload_own(p, user > 0 ? user : 0);
    return 0;
}

static int add_projected(const struct volume *v, struct payload *p, const json_t *source, unsigned mode,
                         struct err *err)
{
    const json_t *part;
    if ((part = jget(source, "configMap")))
        return add_object(v, p, "configmap", part, mode, err);
    if ((part = jget(source, "secret")))
        return add_object(v, p, "secret", part, mode, err);
    if ((part = jget(source, "downwardAPI")))
        return add_downward(v, p, part, mode, err);
    if ((part = jget(source, "serviceAccountToken")))
        return add_token(v, p, part, mode, err);
    return err_set(err, 0, "this projected source is not supported");
}

static int write_payload(const struct volume *v, const struct payload *p, struct err *err)
{
    int64_t fs_group = jint(v->in->pod, "spec.securityContext.fsGroup", -1);
    return payload_write(p, v->path, fs_group, err);
}

static int set_up_config_map(const struct volume *v, struct err *err)
{
    struct payload p = {0};
    const json_t *source = jget(v->doc, "configMap");
    unsigned mode = (unsigned)jint(source, "defaultMode", DEFAULT_FILE_MODE);
    int r = add_object(v, &p, "configmap", source, mode, err) < 0 ? -1 : write_payload(v, &p, err);
    payload_done(&p);
    return r;
}

static int set_up_secret(const struct volume *v, struct err *err)
{
    struct payload p = {0};
    const json_t *source = jget(v->doc, "secret");
    unsigned mode = (unsigned)jint(source, "defaultMode", DEFAULT_FILE_MODE);
    int r = add_object(v, &p, "secret", source, mode, err) < 0 || mount_tmpfs(v->path, "mode=0755", err) < 0
                ? -1
                : write_payload(v, &p, err);
    payload_done(&p);
    return r;
}

static int set_up_downward(const struct volume *v, struct err *err)
{
    struct payload p = {0};
    const json_t *source = jget(v->doc, "downwardAPI");
    unsigned mode = (unsigned)jint(source, "defaultMode", DEFAULT_FILE_MODE);
    int r = add_downward(v, &p, source, mode, err) < 0 ? -1 : write_payload(v, &p, err);
    payload_done(&p);
    return r;
}

static int set_up_projected(const struct volume *v, struct err *err)
{
    struct payload p = {0};
    unsigned mode = (unsigned)jint(v->doc, "projected.defaultMode", DEFAULT_FILE_MODE);
    json_t *source;
    size_t i;
    int r = 0;
    json_array_foreach(jget(v->doc, "projected.sources"), i, source)
        if (r == 0)
            r = add_projected(v, &p, source, mode, err);
    r = r < 0 || mount_tmpfs(v->path, "mode=0755", err) < 0 ? -1 : write_payload(v, &p, err);
    payload_done(&p);
    return r;
}

/* --- claims --- */

static int set_up_claim(const struct volume *v, struct err *err)
{
    const json_t *volume = claim_volume(v->in->pod, v->in->refs, v->doc, err);
    if (!volume || !claim_volume_path(volume, err))
        return -1;
    const struct volume behind = {.in = v->in, .doc = jget(volume, "spec"), .name = v->name};
    return jget(volume, "spec.hostPath") ? set_up_host_path(&behind, err)
                                         : claim_volume_set_up(volume, v->in->pod, err);
}

/* --- all of them --- */

static const struct volume_type {
    const char *name; /* member of the volume */
    int (*set_up)(const struct volume *v, struct err *err);
    bool own_directory;
    bool follows; /* other objects */
} volume_types[] = {
    {"emptyDir", set_up_empty_dir, true, false},           {"hostPath", set_up_host_path, false, false},
    {"configMap", set_up_config_map, true, true},          {"secret", set_up_secret, true, true},
    {"downwardAPI", set_up_downward, true, true},          {"projected", set_up_projected, true, true},
    {"persistentVolumeClaim", set_up_claim, false, false}, {"ephemeral", set_up_claim, false, false},
};

static const struct volume_type *type_of(const json_t *volume)
{
    for (size_t i = 0; i < ARRAY_LEN(volume_types); i++)
        if (jget(volume, volume_types[i].name))
            return &volume_types[i];
    return NULL;
}

bool volumes_follow(const json_t *pod)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jget(pod, "spec.volumes"), i, volume) {
        const struct volume_type *type = type_of(volume);
        if (type && type->follows)
            return true;
    }
    return false;
}

static char *own_path(const struct volumes_input *in, const char *name)
{
    _cleanup_free_ char *rest = xasprintf("volumes/%s", name);
    return pod_data_path(in->paths, jstr_or(in->pod, "metadata.uid", ""), rest);
}

/* The group that may write to the pod's volumes; new files inherit it. */
static void apply_fs_group(const struct volume *v)
{
    int64_t gid = jint(v->in->pod, "spec.securityContext.fsGroup", -1);
    if (gid < 0 || !jget(v->doc, "emptyDir"))
        return;
    (void)!chown(v->path, (uid_t)-1, (gid_t)gid);
    (void)chmod(v->path, 02777);
}

static int set_up_one(const struct volumes_input *in, const json_t *doc, struct err *err)
{
    struct volume v = {.in = in, .doc = doc, .name = jstr_or(doc, "name", "")};
    const struct volume_type *type = type_of(doc);
    if (!type)
        return err_set(err, 0, "this type of volume is not supported");
    if (in->refresh && !type->follows)
        return 0;
    if (!type->own_directory)
        return type->set_up(&v, err);
    _cleanup_free_ char *path = own_path(in, v.name);
    int r = make_dirs(path, 0755);
    if (r < 0)
        return err_set(err, -r, "create %s", path);
    v.path = path;
    if (type->set_up(&v, err) < 0)
        return -1;
    apply_fs_group(&v);
    return 0;
}

int volumes_set_up(const struct volumes_input *in, struct err *err)
{
    size_t i;
    json_t *volume;
    json_array_foreach(jget(in->pod, "spec.volumes"), i, volume)
        if (set_up_one(in, volume, err) < 0)
            return err_wrap(err, "MountVolume.SetUp failed for volume \"%s\" ", jstr_or(volume, "name", ""));
    return 0;
}

/* --- what a container mounts --- */

int open_in_root(const char *root, const char *path, int flags)
{
    _cleanup_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* Opens volume/sub, making the directories that are missing. */
static int open_sub_path(const char *volume, const char *sub, struct err *err)
{
    int fd = open_in_root(volume, sub, O_PATH);
    if (fd >= 0)
        return fd;
    _cleanup_free_ char *so_far = xstrdup("");
    _cleanup_free_ char **parts = str_split(sub, '/', NULL);
    for (char **part = parts; *part; part++) {
        if (!**part)
            continue;
        if (streq(*part, ".."))
            return err_set(err, 0, "unable to provision SubPath `%s`: must not contain '..'", sub);
        _cleanup_close_ int above = open_in_root(volume, *so_far ? so_far : ".", O_PATH | O_DIRECTORY);
        if (above < 0 || (mkdirat(above, *part, 0755) < 0 && errno != EEXIST))
            return err_set(err, errno, "create subPath %s", sub);
        char *next = xasprintf("%s%s%s", so_far, *so_far ? "/" : "", *part);
        free(so_far);
        so_far = next;
    }
    fd = open_in_root(volume, sub, O_PATH);
    return fd >= 0 ? fd : err_set(err, errno, "open subPath %s", sub);
}

/* Bind-mounts what fd is at target, so that nobody can swap it for a link any more. */
static int pin_fd(int fd, const char *target, struct err *err)
{
    char source[64];
    struct stat st;
    snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
    if (fstat(fd, &st) < 0)
        return err_set(err, errno, "stat subPath");
    if (S_ISDIR(st.st_mode)) {
        if (mkdir(target, 0700) < 0 && errno != EEXIST)
            return err_set(err, errno, "create %s", target);
    } else {
        _cleanup_close_ int file = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0)
            return err_set(err, errno, "create %s", target);
    }
    return mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0 ? err_set(err, errno, "pin subPath at %s", target)
                                                                   : 0;
}

/* NULL with err set. The caller frees. */
static char *volume_path(const struct volumes_input *in, const json_t *volume, struct err *err)
{
    if (jget(volume, "hostPath"))
        return xstrdup(jstr_or(volume, "hostPath.path", ""));
    if (!jget(volume, "persistentVolumeClaim") && !jget(volume, "ephemeral"))
        return own_path(in, jstr_or(volume, "name", ""));
    const json_t *behind = claim_volume(in->pod, in->refs, volume, err);
    const char *path = behind ? claim_volume_path(behind, err) : NULL;
    return path ? xstrdup(path) : NULL;
}

bool volume_is_read_only(const json_t *pod, const json_t *mount)
{
    const json_t *volume = jfind(jget(pod, "spec.volumes"), "name", jstr_or(mount, "name", ""));
    const struct volume_type *type = type_of(volume);
    return (type && type->follows) || jbool(volume, "persistentVolumeClaim.readOnly", false);
}

char *volume_mount_source(const struct volumes_input *in, const json_t *mount_doc, const json_t *env,
                          const char *scratch, const char *sub, struct err *err)
{
    const char *name = jstr_or(mount_doc, "name", "");
    const json_t *volume = jfind(jget(in->pod, "spec.volumes"), "name", name);
    const char *plain = jstr_or(mount_doc, "subPath", ""), *with_env = jstr_or(mount_doc, "subPathExpr", "");
    if (!volume) {
        err_set(err, 0, "no volume %s", name);
        return NULL;
    }
    _cleanup_free_ char *path = volume_path(in, volume, err);
    if (!path)
        return NULL;
    _cleanup_free_ char *sub_path = *with_env ? env_expand_all(with_env, env, err) : xstrdup(plain);
    if (!sub_path || !*sub_path)
        return sub_path ? TAKE(path) : NULL;
    if (*sub_path == '/') {
        err_set(err, 0, "error SubPath `%s` must not be an absolute path", sub_path);
        return NULL;
    }
    _cleanup_close_ int fd = open_sub_path(path, sub_path, err);
    _cleanup_free_ char *target = xasprintf("%s/%s", scratch, sub);
    if (fd < 0 || pin_fd(fd, target, err) < 0)
        return NULL;
    return TAKE(target);
}
