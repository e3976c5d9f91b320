/* See admit.h. */
#include "node/admit.h"

#include <string.h>

#include "base/str.h"
#include "node/eviction.h"
#include "node/spec.h"

#define MEMORY_PRESSURE_TAINT "node.kubernetes.io/memory-pressure"

static char *check_shutdown(const json_t *pod, const struct admit_node *node)
{
    (void)pod;
    return node->shutting_down ? xstrdup("Pod was rejected as the node is shutting down.") : NULL;
}

/* --- pressure --- */

static bool tolerates_memory_pressure(const json_t *pod)
{
    size_t i;
    json_t *t;
    json_array_foreach(jget(pod, "spec.tolerations"), i, t) {
        const char *key = jstr_or(t, "key", ""), *effect = jstr_or(t, "effect", "");
        bool exists = streq(jstr_or(t, "operator", "Equal"), "Exists");
        bool this_key = *key ? streq(key, MEMORY_PRESSURE_TAINT) : exists;
        bool this_value = exists || !*jstr_or(t, "value", "");
        if (this_key && this_value && (!*effect || streq(effect, "NoSchedule")))
            return true;
    }
    return false;
}

/* Memory alone is short only for those who have asked for none. */
static char *check_pressure(const json_t *pod, const struct admit_node *node)
{
    bool only_memory = node->pressures == 1U << PRESSURE_MEMORY;
    if (!node->pressures || jint(pod, "spec.priority", 0) >= CRITICAL_PRIORITY ||
        (only_memory && (!streq(spec_qos_class(pod), "BestEffort") || tolerates_memory_pressure(pod))))
        return NULL;
    _cleanup_free_ char *names = eviction_condition_names(node->pressures);
    return xasprintf("The node had condition: %s. ", names);
}

/* --- sysctls --- */

/* Those of the pod's own namespaces that cannot hurt others. */
static const struct safe_sysctl {
    const char *name, *host_field, *namespace;
} safe_sysctls[] = {
    {"kernel.shm_rmid_forced", "spec.hostIPC", "IPC"},
    {"net.ipv4.ip_local_port_range", "spec.hostNetwork", "Net"},
    {"net.ipv4.ip_local_reserved_ports", "spec.hostNetwork", "Net"},
    {"net.ipv4.ip_unprivileged_port_start", "spec.hostNetwork", "Net"},
    {"net.ipv4.ping_group_range", "spec.hostNetwork", "Net"},
    {"net.ipv4.tcp_fin_timeout", "spec.hostNetwork", "Net"},
    {"net.ipv4.tcp_keepalive_intvl", "spec.hostNetwork", "Net"},
    {"net.ipv4.tcp_keepalive_probes", "spec.hostNetwork", "Net"},
    {"net.ipv4.tcp_keepalive_time", "spec.hostNetwork", "Net"},
    {"net.ipv4.tcp_rmem", "spec.hostNetwork", "Net"},
    {"net.ipv4.tcp_syncookies", "spec.hostNetwork", "Net"},
    {"net.ipv4.tcp_wmem", "spec.hostNetwork", "Net"},
};

static const struct safe_sysctl *find_sysctl(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(safe_sysctls); i++)
        if (streq(safe_sysctls[i].name, name))
            return &safe_sysctls[i];
    return NULL;
}

/* "net/ipv4/tcp_syncookies" is the same as with dots; which comes first says which separates. */
static char *dotted(const char *name)
{
    char *copy = xstrdup(name), *first = strpbrk(copy, "./");
    if (first && *first == '/')
        for (char *c = copy; *c; c++)
            *c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
    return copy;
}

static char *check_sysctls(const json_t *pod, const struct admit_node *node)
{
    size_t i;
    json_t *item;
    (void)node;
    json_array_foreach(jget(pod, "spec.securityContext.sysctls"), i, item) {
        _cleanup_free_ char *name = dotted(jstr_or(item, "name", ""));
        const struct safe_sysctl *s = find_sysctl(name);
        if (!s)
            return xasprintf("forbidden sysctl: \"%s\" not allowlisted", name);
        if (jbool(pod, s->host_field, false))
            return xasprintf("forbidden sysctl: \"%s\" not allowed with host %s enabled", name, s->namespace);
    }
    return NULL;
}

/* --- AppArmor --- */

static bool asks_for_apparmor(const json_t *security)
{
    const char *type = jstr_or(security, "appArmorProfile.type", "Unconfined");
    return !streq(type, "Unconfined");
}

static char *check_apparmor(const json_t *pod, const struct admit_node *node)
{
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    bool asks = asks_for_apparmor(jget(pod, "spec.securityContext"));
    json_t *c;
    size_t i;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        json_array_foreach(jget(pod, lists[l]), i, c)
            asks = asks || asks_for_apparmor(jget(c, "securityContext"));
    return asks && !node->apparmor ? xstrdup("Cannot enforce AppArmor: AppArmor is not enabled on the host") : NULL;
}

/* --- all of it --- */

static const struct {
    const char *reason;
    char *(*check)(const json_t *pod, const struct admit_node *node); /* a message: refused; the caller frees */
} checks[] = {
    {"NodeShutdown", check_shutdown},
    {"Evicted", check_pressure},
    {"SysctlForbidden", check_sysctls},
    {"AppArmor", check_apparmor},
};

bool admit_pod(const json_t *pod, const struct admit_node *node, struct refusal *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        *ret = (struct refusal){checks[i].reason, checks[i].check(pod, node)};
        if (ret->message)
            return false;
    }
    return true;
}
