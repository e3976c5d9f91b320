/* See spec.h. Defaults are those of the CRI runtimes, so that images find the world they expect. */
#include "node/spec.h"

#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "base/str.h"
#include "node/env.h"
#include "node/cgroup.h"
#include "node/seccomp.h"

static const char *const default_capabilities[] = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE",
};
static const char *const all_capabilities[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};
static const char *const masked_paths[] = {
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

/* What every container finds mounted; a volume at the same place takes precedence. */
static const struct base_mount {
    const char *destination, *type, *source, *options;
    bool writable_when_privileged;
} base_mounts[] = {
    {"/proc", "proc", "proc", "nosuid,noexec,nodev", false},
    {"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", false},
    {"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", false},
    {"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", false},
    {"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k", false},
    {"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", true},
    {"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro", true},
};

const json_t *spec_security(const json_t *pod, const json_t *container, const char *field)
{
    const json_t *own = jget(jget(container, "securityContext"), field);
    return own ? own : jget(jget(pod, "spec.securityContext"), field);
}

static const json_t *security(const struct spec_input *in, const char *field)
{
    return spec_security(in->pod, in->container, field);
}

static bool is_privileged(const struct spec_input *in)
{
    return jbool(in->container, "securityContext.privileged", false);
}

static json_t *string_list(const char *const *items, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(items[i]));
    return list;
}

/* --- process --- */

static void append_expanded(json_t *args, const json_t *words, const json_t *env)
{
    size_t i;
    json_t *word;
    json_array_foreach((json_t *)words, i, word) {
        _cleanup_free_ char *text = env_expand(str_or(json_string_value(word), ""), env);
        json_array_append_new(args, json_string(text));
    }
}

/* `command` replaces the image's Entrypoint and its Cmd, `args` replaces Cmd only. */
static json_t *build_args(const struct spec_input *in, struct err *err)
{
    const json_t *command = jget(in->container, "command"), *args = jget(in->container, "args");
    json_t *all = json_array();
    if (json_array_size(command) > 0)
        append_expanded(all, command, in->env);
    else
        json_array_extend(all, jget(in->image_config, "config.Entrypoint"));
    if (json_array_size(args) > 0)
        append_expanded(all, args, in->env);
    else if (json_array_size(command) == 0)
        json_array_extend(all, jget(in->image_config, "config.Cmd"));
    if (json_array_size(all) > 0)
        return all;
    json_decref(all);
    err_set(err, 0, "no command specified");
    return NULL;
}

/* The image's variables, then the pod's over them, then what is needed and still missing. */
static json_t *build_env(const struct spec_input *in)
{
    _cleanup_json_ json_t *merged = json_object();
    json_t *list = json_array(), *item;
    const char *name;
    size_t i;
    json_array_foreach(jget(in->image_config, "config.Env"), i, item) {
        const char *text = str_or(json_string_value(item), ""), *eq = strchr(text, '=');
        _cleanup_free_ char *key = xstrndup(text, eq ? (size_t)(eq - text) : strlen(text));
        json_object_set_new(merged, key, json_string(eq ? eq + 1 : ""));
    }
    json_object_update(merged, (json_t *)in->env);
    if (!json_object_get(merged, "PATH"))
        json_object_set_new(merged, "PATH",
                            json_string("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    if (!json_object_get(merged, "HOSTNAME"))
        json_object_set_new(merged, "HOSTNAME", json_string(in->hostname));
    if (!json_object_get(merged, "HOME"))
        json_object_set_new(merged, "HOME", json_string(in->user->home[0] ? in->user->home : "/"));
    if (jbool(in->container, "tty", false) && !json_object_get(merged, "TERM"))
        json_object_set_new(merged, "TERM", json_string("xterm"));
    json_object_foreach(merged, name, item) {
        _cleanup_free_ char *pair = xasprintf("%s=%s", name, str_or(json_string_value(item), ""));
        json_array_append_new(list, json_string(pair));
    }
    return list;
}

static bool lists_capability(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        const char *text = str_or(json_string_value(item), ""), *bare = str_after(text, "CAP_");
        if (streq(bare ? bare : text, name) || strcasecmp(text, "ALL") == 0)
            return true;
    }
    return false;
}

static bool is_default_capability(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(default_capabilities); i++)
        if (streq(default_capabilities[i], name))
            return true;
    return false;
}

/* `add: [X], drop: [ALL]` leaves X: an explicit name beats ALL. */
static bool has_capability(const struct spec_input *in, const char *name)
{
    const json_t *add = jget(in->container, "securityContext.capabilities.add");
    const json_t *drop = jget(in->container, "securityContext.capabilities.drop");
    bool drop_all = lists_capability(drop, "");
    if (is_privileged(in))
        return true;
    if (!in->device_rules && streq(name, "MKNOD"))
        return false;
    if (lists_capability(add, name))
        return drop_all || !lists_capability(drop, name);
    return is_default_capability(name) && !lists_capability(drop, name);
}

static json_t *build_capabilities(const struct spec_input *in)
{
    _cleanup_json_ json_t *held = json_array();
    for (size_t i = 0; i < ARRAY_LEN(all_capabilities); i++) {
        _cleanup_free_ char *name = xasprintf("CAP_%s", all_capabilities[i]);
        if (has_capability(in, all_capabilities[i]))
            json_array_append_new(held, json_string(name));
    }
    /* Others than root get no capability but through files that grant some. */
    _cleanup_json_ json_t *usable = in->user->uid == 0 ? json_incref(held) : json_array();
    return json_pack("{sO, sO, sO}", "bounding", held, "effective", usable, "permitted", usable);
}

static json_t *build_user(const struct spec_input *in)
{
    json_t *user = json_pack("{sI, sI}", "uid", (json_int_t)in->user->uid, "gid", (json_int_t)in->user->gid);
    json_t *groups = json_array(), *item;
    const json_t *fs_group = jget(in->pod, "spec.securityContext.fsGroup");
    size_t i;
    bool strict = streq(jstr_or(in->pod, "spec.securityContext.supplementalGroupsPolicy", "Merge"), "Strict");
    for (i = 0; !strict && i < in->user->n_groups; i++)
        json_array_append_new(groups, json_integer(in->user->groups[i]));
    json_array_foreach(jget(in->pod, "spec.securityContext.supplementalGroups"), i, item)
        json_array_append(groups, item);
    if (fs_group)
        json_array_append(groups, (json_t *)fs_group);
    json_object_set_new(user, "additionalGids", groups);
    return user;
}

static json_t *build_process(const struct spec_input *in, struct err *err)
{
    json_t *args = build_args(in, err);
    if (!args)
        return NULL;
    const char *cwd = jstr(in->container, "workingDir");
    cwd = cwd && *cwd ? cwd : jstr(in->image_config, "config.WorkingDir");
    int oom = in->oom_score_adj < in->oom_score_adj_min ? in->oom_score_adj_min : in->oom_score_adj;
    bool may_escalate = jbool(in->container, "securityContext.allowPrivilegeEscalation", true);
    const json_t *apparmor = security(in, "appArmorProfile"); /* without one there is none: nobody loads a default */
    return json_pack("{sb, so, so, so, ss, so, sb, si, ss*}", "terminal", jbool(in->container, "tty", false), "user",
                     build_user(in), "args", args, "env", build_env(in), "cwd", cwd && *cwd ? cwd : "/", "capabilities",
                     build_capabilities(in), "noNewPrivileges", !may_escalate, "oomScoreAdj", oom, "apparmorProfile",
                     is_privileged(in) ? NULL : jstr(apparmor, "localhostProfile"));
}

char *spec_user(const json_t *pod, const json_t *container, const json_t *image_config)
{
    int64_t uid = jint(container, "securityContext.runAsUser", jint(pod, "spec.securityContext.runAsUser", -1));
    int64_t gid = jint(container, "securityContext.runAsGroup", jint(pod, "spec.securityContext.runAsGroup", -1));
    const char *of_image = jstr_or(image_config, "config.User", "");
    _cleanup_free_ char *name = uid >= 0 ? xasprintf("%lld", (long long)uid) : xstrdup(of_image);
    if (gid < 0)
        return TAKE(name);
    name[strcspn(name, ":")] = '\0';
    return xasprintf("%s:%lld", *name ? name : "0", (long long)gid);
}

json_t *spec_exec_process(const json_t *spec, const char *const *args, bool tty)
{
    json_t *process = json_deep_copy(jget(spec, "process"));
    size_t n = 0, i;
    json_t *item;
    while (args[n])
        n++;
    json_object_set_new(process, "args", string_list(args, n));
    json_object_set_new(process, "terminal", json_boolean(tty));
    json_object_del(process, "oomScoreAdj"); /* inherited by exec, and lowering it may not be allowed */
    bool has_term = false;
    json_array_foreach(jget(process, "env"), i, item)
        has_term = has_term || str_after(str_or(json_string_value(item), ""), "TERM=");
    if (tty && !has_term)
        json_array_append_new(jget(process, "env"), json_string("TERM=xterm"));
    return process;
}

/* --- mounts --- */

static bool is_overmounted(const struct spec_input *in, const char *destination)
{
    for (size_t i = 0; i < in->n_mounts; i++)
        if (streq(in->mounts[i].destination, destination))
            return true;
    return false;
}

static json_t *split_options(const char *options, bool writable)
{
    json_t *list = json_array();
    _cleanup_free_ char **words = str_split(options, ',', NULL);
    for (char **w = words; *w; w++)
        json_array_append_new(list, json_string(writable && streq(*w, "ro") ? "rw" : *w));
    return list;
}

static json_t *build_mounts(const struct spec_input *in)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(base_mounts); i++) {
        const struct base_mount *m = &base_mounts[i];
        bool writable = m->writable_when_privileged && is_privileged(in);
        if (!is_overmounted(in, m->destination))
            json_array_append_new(list, json_pack("{ss, ss, ss, so}", "destination", m->destination, "type", m->type,
                                                  "source", m->source, "options", split_options(m->options, writable)));
    }
    for (size_t i = 0; i < in->n_mounts; i++) {
        const struct spec_mount *m = &in->mounts[i];
        json_array_append_new(list, json_pack("{ss, ss, ss, s[sss]}", "destination", m->destination, "type", "bind",
                                              "source", m->source, "options", "rbind",
                                              str_or(m->propagation, "rprivate"), m->read_only ? "ro" : "rw"));
    }
    return list;
}

/* --- linux --- */

static void add_namespace(json_t *list, const char *type, const char *path)
{
    json_t *ns = json_pack("{ss}", "type", type);
    if (path)
        json_object_set_new(ns, "path", json_string(path));
    json_array_append_new(list, ns);
}

static json_t *build_namespaces(const struct spec_input *in)
{
    json_t *list = json_array();
    if (!in->host_pid)
        add_namespace(list, "pid", in->pid_path);
    if (in->net_path)
        add_namespace(list, "network", in->net_path);
    if (in->ipc_path)
        add_namespace(list, "ipc", in->ipc_path);
    if (in->uts_path)
        add_namespace(list, "uts", in->uts_path);
    add_namespace(list, "mount", NULL);
    add_namespace(list, "cgroup", NULL);
    return list;
}

/* -1: not set. */
static int64_t resource_milli(const json_t *container, const char *list, const char *name)
{
    struct quantity q;
    const char *text = json_string_value(json_object_get(jget(jget(container, "resources"), list), name));
    return text && quantity_parse(text, &q) ? quantity_milli(&q) : -1;
}

static json_t *build_resources(const struct spec_input *in)
{
    json_t *resources = json_object();
    if (in->device_rules)
        json_object_set_new(resources, "devices", json_pack("[{sb, ss}]", "allow", is_privileged(in), "access", "rwm"));
    if (!in->limits)
        return resources;
    int64_t cpu_limit = resource_milli(in->container, "limits", "cpu");
    int64_t cpu_request = resource_milli(in->container, "requests", "cpu");
    int64_t memory_milli = resource_milli(in->container, "limits", "memory");
    json_t *cpu =
        json_pack("{sI}", "shares", (json_int_t)cgroup_cpu_shares(cpu_request >= 0 ? cpu_request : cpu_limit));
    if (cpu_limit > 0) {
        json_object_set_new(cpu, "quota", json_integer(cgroup_cpu_quota(cpu_limit)));
        json_object_set_new(cpu, "period", json_integer(CPU_PERIOD_USEC));
    }
    json_object_set_new(resources, "cpu", cpu);
    if (memory_milli > 0) { /* memory and swap together: what is limited does not swap */
        json_int_t bytes = memory_milli / 1000;
        json_object_set_new(resources, "memory", json_pack("{sI, sI}", "limit", bytes, "swap", bytes));
    }
    /* A container that runs out of memory ends as a whole, not with one process missing. */
    json_object_set_new(resources, "unified", json_pack("{ss}", "memory.oom.group", "1"));
    return resources;
}

static json_t *build_sysctls(const struct spec_input *in)
{
    json_t *map = json_object(), *item;
    size_t i;
    json_array_foreach(jget(in->pod, "spec.securityContext.sysctls"), i, item)
        json_object_set_new(map, jstr_or(item, "name", ""), json_string(jstr_or(item, "value", "")));
    return map;
}

static json_t *build_linux(const struct spec_input *in, const json_t *held)
{
    json_t *l = json_pack("{so, so, ss}", "namespaces", build_namespaces(in), "resources", build_resources(in),
                          "cgroupsPath", in->cgroup_path);
    _cleanup_json_ json_t *sysctls = build_sysctls(in);
    if (json_object_size(sysctls) > 0)
        json_object_set(l, "sysctl", sysctls);
    json_t *seccomp = is_privileged(in) ? NULL : seccomp_build(security(in, "seccompProfile"), held, in->seccomp_local);
    if (seccomp)
        json_object_set_new(l, "seccomp", seccomp);
    if (!is_privileged(in) && !streq(jstr_or(in->container, "securityContext.procMount", "Default"), "Unmasked")) {
        json_object_set_new(l, "maskedPaths", string_list(masked_paths, ARRAY_LEN(masked_paths)));
        json_object_set_new(l, "readonlyPaths", string_list(readonly_paths, ARRAY_LEN(readonly_paths)));
    }
    return l;
}

/* --- the whole --- */

/* Upstream: security_context_others.go verifyRunAsNonRoot. A name in the image could mean anybody. */
static int check_user(const struct spec_input *in, struct err *err)
{
    const json_t *uid = security(in, "runAsUser");
    const char *of_image = jstr_or(in->image_config, "config.User", "");
    _cleanup_free_ char *image_user = xstrndup(of_image, strcspn(of_image, ":"));
    _cleanup_free_ char *where = xasprintf("(pod: \"%s_%s(%s)\", container: %s)", jstr_or(in->pod, "metadata.name", ""),
                                           jstr_or(in->pod, "metadata.namespace", ""),
                                           jstr_or(in->pod, "metadata.uid", ""), jstr_or(in->container, "name", ""));
    if (!json_is_true(security(in, "runAsNonRoot")) || (uid && json_integer_value(uid) != 0))
        return 0;
    if (uid)
        return err_set(err, 0, "container's runAsUser breaks non-root policy %s", where);
    if (image_user[strspn(image_user, "0123456789")])
        return err_set(
            err, 0, "container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root %s",
            image_user, where);
    return in->user->uid != 0 ? 0 : err_set(err, 0, "container has runAsNonRoot and image will run as root %s", where);
}

json_t *spec_build(const struct spec_input *in, struct err *err)
{
    if (check_user(in, err) < 0)
        return NULL;
    json_t *process = build_process(in, err);
    if (!process)
        return NULL;
    const json_t *held = jget(process, "capabilities.bounding");
    bool read_only = jbool(in->container, "securityContext.readOnlyRootFilesystem", false);
    json_t *root = json_pack("{ss, sb}", "path", in->rootfs, "readonly", read_only);
    return json_pack("{ss, so, so, so, so}", "ociVersion", "1.0.2", "process", process, "root", root, "mounts",
                     build_mounts(in), "linux", build_linux(in, held));
}

/* --- quality of service --- */

/* cpu and memory of one container: has any request or limit; limits equal requests for both. */
static void classify(const json_t *c, bool *any, bool *guaranteed)
{
    static const char *const names[] = {"cpu", "memory"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int64_t limit = resource_milli(c, "limits", names[i]), request = resource_milli(c, "requests", names[i]);
        *any = *any || limit > 0 || request > 0;
        *guaranteed = *guaranteed && limit > 0 && (request < 0 || request == limit);
    }
}

const char *spec_qos_class(const json_t *pod)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    bool any = false, guaranteed = true;
    size_t i;
    json_t *c;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        json_array_foreach(jget(pod, lists[l]), i, c)
            classify(c, &any, &guaranteed);
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

int spec_oom_score_adj(const json_t *pod, const json_t *container, int64_t node_memory_bytes)
{
    const char *qos = spec_qos_class(pod);
    if (streq(jstr_or(pod, "spec.priorityClassName", ""), "system-node-critical") || streq(qos, "Guaranteed"))
        return -997;
    if (streq(qos, "BestEffort") || node_memory_bytes <= 0)
        return 1000;
    int64_t request = resource_milli(container, "requests", "memory");
    request = request < 0 ? resource_milli(container, "limits", "memory") : request;
    int64_t adj = 1000 - (request > 0 ? request : 0) / node_memory_bytes; /* request is in thousandths */
    return adj < 3 ? 3 : adj == 1000 ? 999 : (int)adj;
}
