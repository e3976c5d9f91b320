/* See launch.h. */
#define LOG_AREA "node"
#include "node/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "kinds/kind.h"
#include "node/env.h"
#include "node/files.h"
#include "node/image.h"
#include "node/rootfs.h"
#include "node/spec.h"
#include "node/volumes.h"

#define MOUNTS_MAX 256 /* of one container; the API sets no limit */
#define SECCOMP_FILE_MAX (1 << 20)
#define NODE_FILE_MAX (64 << 10) /* /etc/hosts, /etc/resolv.conf, an image's passwd */

/* What the steps hand on to each other. */
struct work {
    struct launch *l;
    const json_t *spec; /* the container's */
    json_t *env;
    struct image image;
    struct user user;
    json_t *seccomp; /* of a file of the node's */
    char *dir, *bundle, *rootfs;
    struct spec_mount mounts[MOUNTS_MAX];
    size_t n_mounts;
    char *owned[MOUNTS_MAX]; /* sources of mounts that were made here */
    size_t n_owned;
};

char *launch_dir(const struct node_paths *paths, const char *uid, const char *container, int attempt)
{
    _cleanup_free_ char *rest = xasprintf("containers/%s/%d", container, attempt);
    return pod_data_path(paths, uid, rest);
}

char *launch_log_path(const struct node_paths *paths, const char *uid, const char *container, int attempt)
{
    _cleanup_free_ char *rest = xasprintf("logs/%s/%d.log", container, attempt);
    return pod_data_path(paths, uid, rest);
}

static int fail(struct launch *l, enum launch_result result)
{
    l->result = result;
    return -1;
}

/* --- what was there before --- */

void launch_clean(const struct runtime *rt, const char *node, const char *uid, const char *container, int attempt,
                  const char *cid)
{
    char group[CGROUP_PATH_SIZE];
    _cleanup_free_ char *dir = launch_dir(rt->paths, uid, container, attempt);
    cgroup_kill(rt->cgroups, cgroup_path(group, node, uid, cid));
    runtime_delete(rt, cid);
    (void)cgroup_remove(rt->cgroups, group);
    if (unmount_below(dir))
        remove_tree(dir);
}

/* Kept is the attempt before this one, for `logs --previous` and the last state. */
static void forget_older(const struct launch *l)
{
    const struct node_paths *paths = l->rt->paths;
    size_t n;
    struct record *records = records_read(paths, l->uid, &n);
    for (size_t i = 0; i < n; i++) {
        const struct record *r = &records[i];
        if (!streq(r->container, l->container) || (r->attempt == l->attempt - 1 && r->pid != 0))
            continue;
        _cleanup_free_ char *bundle = record_dir(paths, l->uid, r->cid);
        _cleanup_free_ char *exit_file = xasprintf("%s/%s", paths->exits, r->cid);
        _cleanup_free_ char *log = launch_log_path(paths, l->uid, r->container, r->attempt);
        launch_clean(l->rt, l->node, l->uid, r->container, r->attempt, r->cid);
        (void)unlink(exit_file);
        log_remove(log);
        remove_tree(bundle);
    }
    records_free(records, n);
}

/* --- steps --- */

static int find_image(struct work *w)
{
    struct launch *l = w->l;
    if (image_lookup(l->rt->paths->data, jstr_or(w->spec, "image", ""), &w->image, &l->err) < 0)
        return fail(l, l->err.code == ENOENT   ? LAUNCH_NO_IMAGE
                       : l->err.code == EINVAL ? LAUNCH_BAD_IMAGE
                                               : LAUNCH_ERROR);
    /* An imported image has no registry that could be asked. */
    if (w->image.digest && !l->just_pulled && streq(jstr_or(w->spec, "imagePullPolicy", ""), "Always"))
        return fail(l, LAUNCH_NO_IMAGE);
    l->record.image = xstrdup(w->image.reference);
    l->record.image_id = image_repo_digest(&w->image);
    return 0;
}

static int build_env(struct work *w)
{
    struct launch *l = w->l;
    struct env_input in = {
        .pod = l->pod, .container = w->spec, .facts = &l->facts, .services = l->services, .refs = l->refs};
    w->env = env_build(&in, &l->err);
    return w->env ? 0 : fail(l, LAUNCH_CONFIG_ERROR);
}

static int make_places(struct work *w)
{
    struct launch *l = w->l;
    _cleanup_free_ char *log = launch_log_path(l->rt->paths, l->uid, l->container, l->attempt);
    _cleanup_free_ char *log_dir = xstrdup(log);
    *strrchr(log_dir, '/') = '\0';
    const char *wanted[] = {w->dir, w->bundle, log_dir};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        int r = make_dirs(wanted[i], 0700);
        if (r < 0) {
            err_set(&l->err, -r, "create %s", wanted[i]);
            return fail(l, LAUNCH_ERROR);
        }
    }
    return 0;
}

/* A file of the image's, whose links stay inside it; "" when there is none. */
static char *read_in_image(const char *rootfs, const char *path)
{
    char proc[64];
    _cleanup_close_ int fd = open_in_root(rootfs, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return xstrdup("");
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    char *text = read_small_file(proc, NODE_FILE_MAX);
    return text ? text : xstrdup("");
}

static int mount_image(struct work *w)
{
    struct launch *l = w->l;
    if (rootfs_mount(w->dir, w->image.layers, &l->err) < 0)
        return fail(l, LAUNCH_ERROR);
    _cleanup_free_ char *who = spec_user(l->pod, w->spec, w->image.config);
    _cleanup_free_ char *passwd = read_in_image(w->rootfs, "etc/passwd");
    _cleanup_free_ char *group = read_in_image(w->rootfs, "etc/group");
    return user_resolve(who, passwd, group, &w->user, &l->err) < 0 ? fail(l, LAUNCH_ERROR) : 0;
}

/* --- mounts --- */

static void add_mount(struct work *w, char *source_taken, const char *destination, bool read_only,
                      const char *propagation)
{
    w->owned[w->n_owned++] = source_taken;
    w->mounts[w->n_mounts++] = (struct spec_mount){source_taken, destination, read_only, propagation};
}

static const char *propagation_of(const json_t *mount)
{
    const char *p = jstr_or(mount, "mountPropagation", "None");
    return streq(p, "HostToContainer") ? "rslave" : streq(p, "Bidirectional") ? "rshared" : "rprivate";
}

static int mount_volumes(struct work *w)
{
    struct launch *l = w->l;
    struct volumes_input in = {l->rt->paths, l->pod, l->refs, &l->facts};
    json_t *m;
    size_t i;
    json_array_foreach(jget(w->spec, "volumeMounts"), i, m) {
        _cleanup_free_ char *sub = xasprintf("subpath-%zu", i);
        char *source = w->n_mounts < MOUNTS_MAX - 8 ? volume_mount_source(&in, m, w->env, w->dir, sub, &l->err) : NULL;
        if (!source)
            return fail(l, LAUNCH_CONFIG_ERROR);
        add_mount(w, source, jstr_or(m, "mountPath", ""), jbool(m, "readOnly", false) || volume_is_read_only(l->pod, m),
                  propagation_of(m));
    }
    return 0;
}

static bool mounts_at(const struct work *w, const char *destination)
{
    for (size_t i = 0; i < w->n_mounts; i++)
        if (streq(w->mounts[i].destination, destination))
            return true;
    return false;
}

static char *read_node_file(const char *path)
{
    char *text = read_small_file(path, NODE_FILE_MAX);
    return text ? text : xstrdup("");
}

static char *hosts_text(const struct launch *l)
{
    if (!jbool(l->pod, "spec.hostNetwork", false))
        return files_hosts(l->pod, l->hostname, l->pod_ips, l->cluster_domain);
    _cleanup_free_ char *of_node = read_node_file("/etc/hosts");
    return files_hosts_of_node(l->pod, of_node);
}

static char *resolv_conf_text(const struct launch *l)
{
    _cleanup_free_ char *of_node = read_node_file("/etc/resolv.conf");
    return files_resolv_conf(l->pod, l->cluster_dns, l->cluster_domain, of_node);
}

static char *hostname_text(const struct launch *l)
{
    return xasprintf("%s\n", l->hostname);
}

/* Files of the pod in /etc, shared by its containers and made by the first. */
static int mount_etc(struct work *w)
{
    static const struct etc_file {
        const char *destination;
        char *(*text)(const struct launch *l);
    } etc_files[] = {
        {"/etc/hosts", hosts_text}, {"/etc/resolv.conf", resolv_conf_text}, {"/etc/hostname", hostname_text}};
    struct launch *l = w->l;
    _cleanup_free_ char *dir = pod_data_path(l->rt->paths, l->uid, "etc");
    int r = make_dirs(dir, 0755);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(etc_files); i++) {
        const struct etc_file *f = &etc_files[i];
        char *path = xasprintf("%s/%s", dir, strrchr(f->destination, '/') + 1);
        _cleanup_free_ char *text = f->text(l);
        if (access(path, F_OK) < 0)
            r = write_file_atomically(path, text, strlen(text), 0644);
        if (r < 0 || mounts_at(w, f->destination))
            free(path);
        else
            add_mount(w, path, f->destination, false, "rprivate");
    }
    if (r == 0)
        return 0;
    err_set(&l->err, -r, "write %s", dir);
    return fail(l, LAUNCH_ERROR);
}

static int mount_termination_log(struct work *w)
{
    struct launch *l = w->l;
    char *path = xasprintf("%s/termination-log", w->dir);
    int r = write_file_atomically(path, "", 0, 0666);
    add_mount(w, path, jstr_or(w->spec, "terminationMessagePath", "/dev/termination-log"), false, "rprivate");
    if (r == 0)
        return 0;
    err_set(&l->err, -r, "write %s", path);
    return fail(l, LAUNCH_ERROR);
}

/* --- config.json and start --- */

/* NULL: one of its own. */
static int pid_namespace(struct work *w, char **ret)
{
    struct launch *l = w->l;
    const char *target = jstr_or(w->spec, "targetContainerName", "");
    if (*target && !l->target_pid) {
        err_set(&l->err, 0, "unable to find target container %s", target);
        return fail(l, LAUNCH_CONFIG_ERROR);
    }
    if (*target)
        *ret = xasprintf("/proc/%d/ns/pid", (int)l->target_pid);
    else if (jbool(l->pod, "spec.shareProcessNamespace", false))
        *ret = pod_run_path(l->rt->paths, l->uid, "pid");
    return 0;
}

/* The file that a seccompProfile of type Localhost names, below DATA_DIR/seccomp. */
static int read_seccomp(struct work *w)
{
    struct launch *l = w->l;
    const json_t *profile = spec_security(l->pod, w->spec, "seccompProfile");
    struct err why;
    if (!streq(jstr_or(profile, "type", ""), "Localhost"))
        return 0;
    _cleanup_free_ char *path =
        xasprintf("%s/seccomp/%s", l->rt->paths->data, jstr_or(profile, "localhostProfile", ""));
    _cleanup_free_ char *text = read_small_file(path, SECCOMP_FILE_MAX);
    if (!text)
        err_set(&why, errno, "open %s", path);
    else if ((w->seccomp = jparse(text, strlen(text), &why)) && json_is_object(w->seccomp))
        return 0;
    err_set(&l->err, 0, "cannot load seccomp profile \"%s\": %s", path, w->seccomp ? "no object" : why.msg);
    return fail(l, LAUNCH_ERROR);
}

static int write_config(struct work *w)
{
    struct launch *l = w->l;
    const struct runtime *rt = l->rt;
    char group[CGROUP_PATH_SIZE];
    bool host_net = jbool(l->pod, "spec.hostNetwork", false), host_ipc = jbool(l->pod, "spec.hostIPC", false);
    _cleanup_free_ char *net = pod_run_path(rt->paths, l->uid, "net"), *ipc = pod_run_path(rt->paths, l->uid, "ipc");
    _cleanup_free_ char *uts = pod_run_path(rt->paths, l->uid, "uts");
    _cleanup_free_ char *node_net = xasprintf("/run/netns/%s", l->node);
    _cleanup_free_ char *pid = NULL;
    if (pid_namespace(w, &pid) < 0)
        return -1;
    bool node_has_net = access(node_net, F_OK) == 0;
    struct spec_input in = {
        .pod = l->pod,
        .container = w->spec,
        .image_config = w->image.config,
        .env = w->env,
        .user = &w->user,
        .rootfs = w->rootfs,
        .hostname = l->hostname,
        .net_path = !host_net      ? net
                    : node_has_net ? node_net
                                   : NULL,
        .ipc_path = host_ipc ? NULL : ipc,
        .uts_path = uts,
        .pid_path = pid,
        .host_pid = jbool(l->pod, "spec.hostPID", false),
        .mounts = w->mounts,
        .n_mounts = w->n_mounts,
        .seccomp_local = w->seccomp,
        .cgroup_path = cgroup_path(group, l->node, l->uid, l->record.cid),
        .limits = rt->cgroups->limits,
        .device_rules = rt->cgroups->devices,
        .oom_score_adj = spec_oom_score_adj(l->pod, w->spec, l->facts.node_memory_bytes),
        .oom_score_adj_min = l->oom_score_adj_min,
    };
    _cleanup_json_ json_t *config = spec_build(&in, &l->err);
    if (!config)
        return fail(l, LAUNCH_CONFIG_ERROR);
    _cleanup_free_ char *text = jprint(config), *path = xasprintf("%s/config.json", w->bundle);
    int r = write_file_atomically(path, text, strlen(text), 0600);
    if (r == 0)
        return 0;
    err_set(&l->err, -r, "write %s", path);
    return fail(l, LAUNCH_ERROR);
}

/* "SIGQUIT", "QUIT" or "3". */
static int stop_signal_of(const json_t *image_config)
{
    const char *text = jstr_or(image_config, "config.StopSignal", "SIGTERM");
    const char *name = str_after(text, "SIG");
    int64_t number;
    if (str_to_i64(text, 1, SIGRTMAX, &number))
        return (int)number;
    for (int sig = 1; sig < NSIG; sig++) {
        const char *abbreviation = sigabbrev_np(sig);
        if (abbreviation && streq(abbreviation, name ? name : text))
            return sig;
    }
    return SIGTERM;
}

const struct oci_runtime *launch_runtime(const struct runtime *rt, const json_t *pod, const json_t *refs,
                                         struct err *err)
{
    const char *name = jstr_or(pod, "spec.runtimeClassName", "");
    const json_t *class = *name ? refs_get(refs, kind_runtimeclass.singular, name) : NULL;
    if (!*name || class)
        return runtime_find(rt, jstr_or(class, "handler", ""), err);
    err_set(err, 0, "failed to get RuntimeClass %s: runtimeclass.node.k8s.io \"%s\" not found", name, name);
    return NULL;
}

static int start(struct work *w)
{
    struct launch *l = w->l;
    struct record *r = &l->record;
    _cleanup_free_ char *log = launch_log_path(l->rt->paths, l->uid, l->container, l->attempt);
    struct runtime_container c = {.oci = launch_runtime(l->rt, l->pod, l->refs, &l->err),
                                  .cid = r->cid,
                                  .name = l->container,
                                  .bundle = w->bundle,
                                  .log_path = log,
                                  .tty = jbool(w->spec, "tty", false),
                                  .stdin_open = jbool(w->spec, "stdin", false),
                                  .stdin_once = jbool(w->spec, "stdinOnce", false)};
    r->stop_signal = stop_signal_of(w->image.config);
    if (!c.oci || record_write(l->rt->paths, l->uid, r, &l->err) < 0)
        return fail(l, LAUNCH_ERROR);
    pid_t pid;
    if (runtime_create(l->rt, &c, &pid, &l->err) < 0)
        return fail(l, LAUNCH_START_ERROR);
    r->pid = pid;
    r->pid_start = process_start_time(pid);
    r->started_usec = clock_wall_usec();
    l->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    /* The record comes first: a container that runs and that nobody knows would run twice. */
    if (record_write(l->rt->paths, l->uid, r, &l->err) < 0)
        return fail(l, LAUNCH_ERROR);
    if (runtime_start(l->rt, r->cid, &l->err) < 0)
        return fail(l, LAUNCH_START_ERROR);
    l->result = LAUNCH_RUNNING;
    return 0;
}

static int run_steps(struct work *w)
{
    return find_image(w) < 0 || build_env(w) < 0 || make_places(w) < 0 || mount_image(w) < 0 || mount_volumes(w) < 0 ||
                   mount_etc(w) < 0 || mount_termination_log(w) < 0 || read_seccomp(w) < 0 || write_config(w) < 0 ||
                   start(w) < 0
               ? -1
               : 0;
}

void launch_run(struct launch *l)
{
    struct work *w = NEW(struct work);
    l->pidfd = -1;
    l->record.container = xstrdup(l->container);
    l->record.attempt = l->attempt;
    cid_make(l->record.cid);
    forget_older(l);
    w->l = l;
    w->spec = find_container(l->pod, l->container);
    w->dir = launch_dir(l->rt->paths, l->uid, l->container, l->attempt);
    w->bundle = record_dir(l->rt->paths, l->uid, l->record.cid);
    w->rootfs = xasprintf("%s/rootfs", w->dir);
    if (run_steps(w) < 0) {
        if (l->pidfd >= 0)
            close(l->pidfd);
        l->pidfd = -1;
        launch_clean(l->rt, l->node, l->uid, l->container, l->attempt, l->record.cid);
        remove_tree(w->bundle);
    }
    image_done(&w->image);
    json_decref(w->env);
    json_decref(w->seccomp);
    for (size_t i = 0; i < w->n_owned; i++)
        free(w->owned[i]);
    free(w->dir);
    free(w->bundle);
    free(w->rootfs);
    free(w);
}

void launch_done(struct launch *l)
{
    free(l->uid);
    free(l->container);
    free(l->hostname);
    free(l->pod_ips);
    free(l->record.container);
    free(l->record.image);
    free(l->record.image_id);
    json_decref(l->pod);
    json_decref(l->refs);
    json_decref(l->services);
}
