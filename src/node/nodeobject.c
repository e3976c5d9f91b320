/* See nodestatus.h. */
#include "node/nodestatus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/str.h"
#include "kinds/binding.h"
#include "kinds/nodenetwork.h"
#include "node/eviction.h"
#include "node/paths.h"

#define KUBELET_VERSION "v1.32.0+c8s"
#define SMALL_FILE_MAX 65536

/* --- the machine --- */

static char *read_line(const char *path)
{
    char *text = read_small_file(path, SMALL_FILE_MAX);
    text = text ? text : xstrdup("");
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* PRETTY_NAME of os-release. */
static char *read_os_image(void)
{
    _cleanup_free_ char *text = read_small_file("/etc/os-release", SMALL_FILE_MAX);
    const char *at = text ? strstr(text, "PRETTY_NAME=") : NULL;
    if (!at)
        return xstrdup("Linux");
    at += strlen("PRETTY_NAME=");
    at += *at == '"';
    return xstrndup(at, strcspn(at, "\"\n"));
}

static const char *go_architecture(const char *machine)
{
    static const struct {
        const char *uname, *go;
    } names[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"armv7l", "arm"}, {"i686", "386"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (streq(names[i].uname, machine))
            return names[i].go;
    return machine;
}

void machine_read(struct machine *m, const char *data_dir)
{
    struct utsname u;
    struct statvfs fs;
    uname(&u);
    *m = (struct machine){.os_image = read_os_image(),
                          .kernel = xstrdup(u.release),
                          .architecture = xstrdup(go_architecture(u.machine)),
                          .machine_id = read_line("/etc/machine-id"),
                          .boot_id = read_line("/proc/sys/kernel/random/boot_id"),
                          .system_uuid = read_line("/sys/class/dmi/id/product_uuid"),
                          .milli_cpu = 1000 * sysconf(_SC_NPROCESSORS_ONLN),
                          .memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)};
    if (statvfs(data_dir, &fs) == 0)
        m->storage_bytes = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
}

void machine_done(struct machine *m)
{
    free(m->os_image);
    free(m->kernel);
    free(m->architecture);
    free(m->machine_id);
    free(m->boot_id);
    free(m->system_uuid);
}

/* --- the object --- */

static json_t *resources(const struct machine *m)
{
    char cpu[32], memory[32], storage[32], pods[16];
    snprintf(cpu, sizeof(cpu), "%lld", (long long)(m->milli_cpu / 1000));
    snprintf(memory, sizeof(memory), "%lldKi", (long long)(m->memory_bytes / 1024));
    snprintf(storage, sizeof(storage), "%lldKi", (long long)(m->storage_bytes / 1024));
    snprintf(pods, sizeof(pods), "%d", NODE_PODS_MAX);
    return json_pack("{ss, ss, ss, ss}", "cpu", cpu, "memory", memory, "ephemeral-storage", storage, "pods", pods);
}

struct state {
    const char *status, *reason, *message;
};
static const struct {
    const char *type;
    struct state without, with;
} pressures[PRESSURE_N] = {
    {"MemoryPressure",
     {"False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"},
     {"True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available"}},
    {"DiskPressure",
     {"False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"},
     {"True", "KubeletHasDiskPressure", "kubelet has disk pressure"}},
    {"PIDPressure",
     {"False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"},
     {"True", "KubeletHasInsufficientPID", "kubelet has insufficient PID available"}},
};

static void add_condition(json_t *list, const char *type, const struct state *s, const json_t *old, const char *now)
{
    const json_t *before = jfind(jget(old, "conditions"), "type", type);
    bool same = streq(jstr_or(before, "status", ""), s->status);
    json_array_append_new(list,
                          json_pack("{ss, ss, ss, ss, ss, ss}", "type", type, "status", s->status, "lastHeartbeatTime",
                                    now, "lastTransitionTime", same ? jstr_or(before, "lastTransitionTime", now) : now,
                                    "reason", s->reason, "message", s->message));
}

static void add_network(json_t *list, const struct agent_network *network, const json_t *old, const char *now)
{
    json_t *before = jfind(jget(old, "conditions"), "type", NODE_NETWORK);
    bool ours = str_after(jstr_or(before, "reason", ""), NODE_NETWORK_REASON);
    if (!network && ours)
        json_array_append(list, before);
    if (!network || (!ours && streq(network->reason, NODE_NETWORK_NOT_NEEDED)))
        return;
    const struct state s = {network->unavailable ? "True" : "False", network->reason, network->message};
    add_condition(list, NODE_NETWORK, &s, old, now);
}

static json_t *build_conditions(const struct node_facts *f, const json_t *old, const char *now)
{
    json_t *list = json_array();
    const struct state ready = {"True", "KubeletReady", "kubelet is posting ready status"};
    const struct state not_ready = {"False", "KubeletNotReady", f->not_ready};
    add_network(list, f->network, old, now);
    for (size_t i = 0; i < PRESSURE_N; i++)
        add_condition(list, pressures[i].type, f->pressures & 1U << i ? &pressures[i].with : &pressures[i].without, old,
                      now);
    add_condition(list, "Ready", f->not_ready ? &not_ready : &ready, old, now);
    return list;
}

json_t *node_status(const struct node_facts *f, const json_t *old, int64_t now_usec)
{
    const struct machine *m = f->machine;
    char now[TIME_TEXT_SIZE], ip[IP_TEXT_SIZE];
    time_format(now_usec, now);
    json_t *addresses = json_array();
    const char *ips = f->ips;
    while (ips_next(&ips, ip))
        json_array_append_new(addresses, json_pack("{ss, ss}", "type", "InternalIP", "address", ip));
    json_array_append_new(addresses, json_pack("{ss, ss}", "type", "Hostname", "address", f->name));
    json_t *info =
        json_pack("{ss, ss, ss, ss, ss, ss, ss, ss, ss, ss}", "machineID", m->machine_id, "systemUUID", m->system_uuid,
                  "bootID", m->boot_id, "kernelVersion", m->kernel, "osImage", m->os_image, "containerRuntimeVersion",
                  f->runtime_version, "kubeletVersion", KUBELET_VERSION, "kubeProxyVersion", KUBELET_VERSION,
                  "operatingSystem", "linux", "architecture", m->architecture);
    return json_pack("{so, so, so, so, s{s{si}}, so}", "capacity", resources(m), "allocatable", resources(m),
                     "conditions", build_conditions(f, old, now), "addresses", addresses, "daemonEndpoints",
                     "kubeletEndpoint", "Port", f->port, "nodeInfo", info);
}

/* "key-", as kubectl spells it: to be taken away. */
static bool is_removal(const char *text)
{
    return str_ends_with(text, "-");
}

static json_t *build_labels(const struct node_facts *f)
{
    json_t *labels = json_object();
    const char *arch = f->machine->architecture;
    const char *const own[][2] = {{"beta.kubernetes.io/arch", arch},
                                  {"beta.kubernetes.io/os", "linux"},
                                  {"kubernetes.io/arch", arch},
                                  {"kubernetes.io/hostname", f->name},
                                  {"kubernetes.io/os", "linux"}};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        json_object_set_new(labels, own[i][0], json_string(own[i][1]));
    for (const char *const *l = f->labels; l && *l; l++) {
        if (is_removal(*l))
            continue;
        const char *eq = strchr(*l, '=');
        _cleanup_free_ char *key = xstrndup(*l, eq ? (size_t)(eq - *l) : strlen(*l));
        json_object_set_new(labels, key, json_string(eq ? eq + 1 : ""));
    }
    return labels;
}

/* "key:effect" or "key=value:effect", as `kubectl taint` spells them. */
static json_t *build_taint(const char *text)
{
    const char *colon = strrchr(text, ':'), *eq = strchr(text, '=');
    size_t len = colon ? (size_t)(colon - text) : strlen(text), key_len = eq ? (size_t)(eq - text) : len;
    json_t *taint = json_object();
    json_object_set_new(taint, "key", json_stringn(text, key_len));
    if (eq && key_len + 1 < len)
        json_object_set_new(taint, "value", json_stringn(eq + 1, len - key_len - 1));
    json_object_set_new(taint, "effect", json_string(colon ? colon + 1 : "NoSchedule"));
    return taint;
}

static bool is_about(const char *text, const char *key)
{
    const char *rest = str_after(text, key);
    return rest && *rest && strchr("=:-", *rest);
}

static bool is_ours(const struct node_facts *f, const json_t *taint)
{
    for (const char *const *t = f->taints; t && *t; t++)
        if (is_about(*t, jstr_or(taint, "key", "")))
            return true;
    return false;
}

/* NULL when there are none. There may be others on the node already. */
static json_t *build_taints(const struct node_facts *f, const json_t *others)
{
    json_t *taints = json_array(), *other;
    size_t i;
    json_array_foreach((json_t *)others, i, other)
        if (!is_ours(f, other))
            json_array_append(taints, other);
    for (const char *const *t = f->taints; t && *t; t++)
        if (!is_removal(*t))
            json_array_append_new(taints, build_taint(*t));
    if (json_array_size(taints))
        return taints;
    json_decref(taints);
    return NULL;
}

json_t *node_refresh(const struct node_facts *f, const json_t *node)
{
    json_t *labels = build_labels(f), *taints = build_taints(f, jget(node, "spec.taints"));
    for (const char *const *l = f->labels; l && *l; l++) {
        _cleanup_free_ char *key = is_removal(*l) ? xstrndup(*l, strlen(*l) - 1) : NULL;
        if (key)
            json_object_set_new(labels, key, json_null());
    }
    return json_pack("{s{ss*, so, s{ss*}}, s{so}}", "metadata", "resourceVersion",
                     jstr(node, "metadata.resourceVersion"), "labels", labels, "annotations", LOCAL_PATH_DIRECTORY,
                     f->volumes, "spec", "taints", taints ? taints : json_null());
}

json_t *node_object(const struct node_facts *f)
{
    return json_pack("{ss, ss, s{ss, so, s{ss*}}, s{so*}}", "apiVersion", "v1", "kind", "Node", "metadata", "name",
                     f->name, "labels", build_labels(f), "annotations", LOCAL_PATH_DIRECTORY, f->volumes, "spec",
                     "taints", build_taints(f, NULL));
}
